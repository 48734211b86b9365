"""Options of a move as text, and errors that say what is accepted."""

from __future__ import annotations

import pytest

from migrid.grid import records
from migrid.grid.errors import OptionError
from migrid.grid.moves import request
from migrid.grid.moves.request import DestroySource, Request
from migrid.grid.sides import Action

GIVEN = {"app": "shop", "source_grid": "grid-a", "target_grid": "grid-b"}


def test_defaults_are_filled_in() -> None:
    assert request.parse({**GIVEN, "stop_timeout": "", "target_app": None}) == Request(
        "shop", "grid-a", "grid-b", "shop"
    )


def test_everything_can_be_text() -> None:
    asked = request.parse(
        {
            **GIVEN,
            "target_app": "kiosk",
            "action": "Snapshot",
            "stop_timeout": "2.5",
            "bandwidth_limit": "1.5M",
            "cut_over": "2026-05-31T02:00:00+02:00",
            "destroy_source": "keep",
            "override_lock": "yes",
            "plan_only": "True",
        }
    )
    assert asked.action is Action.SNAPSHOT
    assert asked.stop_timeout == 2.5
    assert asked.bandwidth_limit == 3 << 19
    assert asked.cut_over_at == 1780185600.0
    assert asked.destroy_source is DestroySource.KEEP
    assert asked.override_lock
    assert asked.plan_only
    assert records.from_data(Request, records.to_data(asked)) == asked


@pytest.mark.parametrize(
    ("text", "moment"), [("now", 0.0), ("when_ready", None), ("2026-05-31T00:00:00Z", 1780185600.0)]
)
def test_when_to_stop(text: str, moment: float | None) -> None:
    assert request.parse({**GIVEN, "cut_over": text}).cut_over_at == moment


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("app", "Shop!"),
        ("app", "../etc"),
        ("target_grid", "grid b"),
        ("target_app", 7),
        ("action", "copy"),
        ("stop_timeout", "soon"),
        ("stop_timeout", "-1"),
        ("stop_timeout", "nan"),
        ("stop_timeout", True),
        ("bandwidth_limit", "10 MB/s"),
        ("bandwidth_limit", "0"),
        ("bandwidth_limit", "-5M"),
        ("cut_over", "tonight"),
        ("cut_over", "2026-05-31T02:00:00"),
        ("cut_over", 5),
        ("destroy_source", "never"),
        ("override_lock", "perhaps"),
        ("plan_only", 2),
    ],
)
def test_a_wrong_value_is_named_with_what_is_accepted(name: str, value: object) -> None:
    with pytest.raises(OptionError) as caught:
        request.parse({**GIVEN, name: value})
    assert name in str(caught.value)
    assert repr(value) in str(caught.value)


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(OptionError, match=r"bandwith_limit is no option.*bandwidth_limit"):
        request.parse({**GIVEN, "bandwith_limit": "1M"})


@pytest.mark.parametrize("name", list(GIVEN))
def test_what_must_be_there_is_asked_for(name: str) -> None:
    with pytest.raises(OptionError, match=name):
        request.parse({**GIVEN, name: ""})
