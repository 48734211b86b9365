"""One call of every verb of a source, and what it gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from migrid.grid.application import (
    Application,
    Container,
    Definition,
    Finding,
    Hook,
    HookPoint,
    Image,
    Level,
    Port,
    Probe,
    Tree,
    TreeKind,
    Wishes,
)
from migrid.grid.engine import EngineInfo
from migrid.grid.sides import Action, Facts, Forward, Lock

APP = "shop"
MOVE = "20261121T101112-0123abcd"
LOCK = Lock(MOVE, Action.MIGRATE, "grid-a", APP, "grid-b", "shop2", 1795255872.5)
PORT = Port("web", 80, "tcp", 8080, "192.0.2.1")
ARCHIVE = bytes(range(256)) * 4096

APPLICATION = Application(
    definition=Definition(APP, Path("/srv/shop"), (Path("/srv/shop/compose.yml"),), (), ("web",), {"web": 2}),
    managed=True,
    model={"services": {"web": {"image": "web:1", "ports": [80], "x": None, "ö": 1.5}}},
    containers=(
        Container(
            "c1", "shop-web-1", "web", 1, "sha256:aa", "web:1", "running", "healthy", started_at=3.5, ports=(PORT,)
        ),
    ),
    trees=(
        Tree("data", TreeKind.VOLUME, "shop_data", labels={"a": "b"}),
        Tree("project", TreeKind.DIRECTORY, "/srv/shop"),
    ),
    images=(Image("sha256:aa", "web:1", ("web",), ("sha256:cc",), 5, "amd64"),),
    wishes=Wishes((Hook(HookPoint.PRE_STOP, "web", ("sync",)),), Probe("web", 80, "/"), 60.0, ("/etc/hosts",)),
    findings=(Finding("ports", Level.WARNS, "one is odd", "use an even one"),),
    subnets=("172.20.0.0/16",),
    owner="ada",
    arrived_by=MOVE,
)
FACTS = Facts(
    grid="grid-a",
    address="192.0.2.1",
    time=1795255872.5,
    release="1",
    engine=EngineInfo(
        "26.1", "1.45", "2.26", "amd64", "linux", "overlay2", 1 << 40, 1 << 30, True, True, ("sha256:cc",),
        (("192.0.2.1", 80, "tcp", "shop-web-1"),), {"shop_default": "172.20.0.0/16"},
    ),
    applications=(APP,),
)  # fmt: skip

CALLS: dict[str, dict[str, Any]] = {
    "facts": {},
    "describe": {"app": APP},
    "owner": {"app": APP},
    "reaches": {"grid": "grid-b"},
    "lock": {"lock": LOCK},
    "seconds": {"app": APP},
    "run_hooks": {"app": APP, "move": MOVE, "point": HookPoint.PRE_STOP, "environment": {"MIG_MOVE": MOVE}},
    "stop": {"app": APP, "move": MOVE, "timeout": None, "lease": 60.0},
    "keep": {"app": APP, "move": MOVE, "lease": 60.0},
    "release": {"app": APP, "move": MOVE},
    "resume": {"app": APP, "move": MOVE},
    "forward": {"app": APP, "move": MOVE, "forwards": (Forward(PORT, "192.0.2.2", 8081),)},
    "forward_page": {"app": APP, "move": MOVE, "address": "192.0.2.2", "port": 28500},
    "destroy": {"app": APP, "move": MOVE, "target_grid": "grid-b", "target_app": "shop2"},
    "finish": {"app": APP, "move": MOVE},
}
RESULTS: dict[str, Any] = {
    **dict.fromkeys(CALLS),
    "facts": FACTS,
    "describe": APPLICATION,
    "owner": "ada",
    "reaches": "connection refused",
    "seconds": {"stop": 1.5, "start": 2.0},
}
