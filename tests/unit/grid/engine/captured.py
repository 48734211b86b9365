"""What Docker Engine 26.1 and Compose 2.26 printed about one application, the shop."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"


def text(name: str) -> str:
    return (DATA / name).read_text(encoding="utf-8")


def data(name: str) -> Any:
    return json.loads(text(f"{name}.json"))


def container(name: str, **changes: Any) -> dict[str, Any]:
    """What `docker inspect` printed of a container, with values changed: `State__Status="exited"`."""
    found: dict[str, Any] = copy.deepcopy(next(item for item in data("containers") if item["Name"] == f"/{name}"))
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = found
        for parent in parents:
            place = place[parent]
        place[last] = value
    return found
