"""Wishes in a Compose file are read exactly, or refused with the key and what is accepted."""

from __future__ import annotations

from typing import Any

import captured
import pytest

from migrid.grid.application import Hook, HookPoint, Page, Probe, Wishes
from migrid.grid.compose.wishes import seconds, wishes
from migrid.grid.errors import DefinitionError


def model(mig: object = None, **labels: str) -> dict[str, Any]:
    return {"services": {"db": {"labels": {f"mig.{name}": value for name, value in labels.items()}}}, "x-mig": mig}


def test_the_wishes_of_the_shop() -> None:
    found = wishes(captured.data("model"))
    assert found.probe == Probe("web", 80, "/")
    assert found.health_timeout == 60
    assert found.hooks[0] == Hook(HookPoint.POST_START, "db", ("sync", "-f", "/data"))
    assert (found.hooks[1].point, found.hooks[1].timeout) == (HookPoint.PRE_STOP, 5)


def test_no_wishes() -> None:
    assert wishes({"services": {"db": {}}}) == Wishes()
    assert wishes({}) == Wishes()


def test_other_labels_are_not_ours() -> None:
    assert wishes({"services": {"db": {"labels": {"migration": "x", "com.example": "y"}}}}) == Wishes()


def test_values_may_be_text_as_interpolation_leaves_them() -> None:
    hook = {"service": "db", "command": "psql -c 'a b'", "timeout": "2m", "required": "false"}
    found = wishes(model({"hooks": {"pre_stop": [hook]}, "probe": {"service": "db", "port": "80"}}))
    assert found.hooks == (Hook(HookPoint.PRE_STOP, "db", ("psql", "-c", "a b"), 120.0, False),)
    assert found.probe == Probe("db", 80)


def test_where_the_page_is() -> None:
    assert wishes(model({"page": {"service": "db", "port": "8443"}})).page == Page("db", 8443)
    assert wishes(model(page="8443")) == Wishes(page=Page("db", 8443))
    assert wishes(model({"page": {"service": "db", "port": 80}}, page="8443")).page == Page("db", 80)


def test_a_page_is_at_one_port_of_one_service() -> None:
    with pytest.raises(DefinitionError, match=r"^services\.db\.labels: mig\.page is 'https'; accepted is the port"):
        wishes(model(page="https"))
    several = {name: {"labels": {"mig.page": "80"}} for name in ("web", "db")}
    with pytest.raises(DefinitionError, match=r"^The label mig\.page is at the services db, web; accepted is one"):
        wishes({"services": several})


def test_what_is_on_every_grid() -> None:
    assert wishes(model({"present_everywhere": ["/mnt/x", "nfs"]})).present_everywhere == ("/mnt/x", "nfs")


@pytest.mark.parametrize(
    ("text", "expected"), [(90, 90), ("90", 90), ("90s", 90), ("1m30s", 90), ("2h", 7200), (0.5, 0.5), ("1.5s", 1.5)]
)
def test_times(text: object, expected: float) -> None:
    assert seconds("key", text) == expected


@pytest.mark.parametrize("text", [0, "", "soon", -1, "-5s", True, None, [], "1d"])
def test_what_is_no_time(text: object) -> None:
    with pytest.raises(DefinitionError, match=r"^x-mig\.key is .*; accepted is a time"):
        seconds("x-mig.key", text)


@pytest.mark.parametrize(
    ("mig", "message"),
    [
        ([], None),
        ("text", "x-mig is text; accepted is a mapping with the keys hooks, probe"),
        ({"hook": {}}, "x-mig has the unknown key 'hook'; accepted are hooks, probe"),
        ({"hooks": []}, None),
        ({"hooks": [1]}, "x-mig.hooks is a list; accepted is a mapping with the keys pre_stop"),
        ({"hooks": {"prestop": []}}, "x-mig.hooks has the unknown key 'prestop'; accepted are pre_stop"),
        ({"hooks": {"pre_stop": {}}}, "x-mig.hooks.pre_stop is empty; accepted is a list"),
        ({"hooks": {"pre_stop": ["x"]}}, "x-mig.hooks.pre_stop[0] is text; accepted is a mapping"),
        (
            {"hooks": {"pre_stop": [{"service": "dbb", "command": "x"}]}},
            "x-mig.hooks.pre_stop[0].service is 'dbb'; accepted are the services db.",
        ),
        ({"hooks": {"pre_stop": [{"service": "db"}]}}, "x-mig.hooks.pre_stop[0].command is empty; accepted is a"),
        (
            {"hooks": {"pre_stop": [{"service": "db", "command": ["x", 1]}]}},
            "x-mig.hooks.pre_stop[0].command is a list; accepted is a command",
        ),
        (
            {"hooks": {"pre_stop": [{"service": "db", "command": "it's"}]}},
            "x-mig.hooks.pre_stop[0].command cannot be read as words of a command: No closing quotation",
        ),
        (
            {"hooks": {"pre_stop": [{"service": "db", "command": "x", "required": "maybe"}]}},
            "x-mig.hooks.pre_stop[0].required is 'maybe'; accepted are true and false.",
        ),
        ({"probe": {"service": "db"}}, "x-mig.probe.port is None; accepted is the port in the container."),
        ({"probe": {"service": "db", "port": 99999}}, "x-mig.probe.port is 99999"),
        ({"probe": {"service": "db", "port": 80, "path": "health"}}, "x-mig.probe.path is 'health'"),
        ({"probe": {"port": 80}}, "x-mig.probe.service is None; accepted are the services db."),
        ({"page": {"service": "db"}}, "x-mig.page.port is None; accepted is the port in the container."),
        ({"page": {"service": "dbb", "port": 80}}, "x-mig.page.service is 'dbb'; accepted are the services db."),
        ({"page": {"service": "db", "port": "8443:443"}}, "x-mig.page.port is '8443:443'"),
        ({"present_everywhere": "/mnt"}, "x-mig.present_everywhere is text; accepted is a list"),
    ],
)
def test_what_is_wrong_is_named(mig: object, message: str | None) -> None:
    if message is None:
        assert wishes(model(mig)) == Wishes()
        return
    with pytest.raises(DefinitionError) as caught:
        wishes(model(mig))
    assert str(caught.value).startswith(message)


def test_a_misspelled_label_is_named() -> None:
    with pytest.raises(DefinitionError, match=r"^services\.db\.labels: mig\.prestop is unknown; accepted are mig\.pre"):
        wishes(model(prestop="true"))
