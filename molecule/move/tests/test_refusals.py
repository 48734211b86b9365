"""What cannot be done is refused with a clear word, before anything is stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from proof.fixtures import APP, Place
from proof.grids import STATE
from proof.moves import Operator
from proof.shop import load


@pytest.fixture(autouse=True)
def never_away(place: Place, writing: load.Load) -> Iterator[None]:
    """The shop goes on as if nothing was."""
    instance = place.here.writes().instance
    before = place.here.grid.seen(), place.there.seen()
    yield
    assert place.here.writes().instance == instance
    assert (place.here.grid.seen(), place.there.seen()) == before


WRONG = (
    ({"app": "shoop"}, ["shoop", "shop (running)"]),
    ({"target_grid": "grid-nowhere"}, ["grid-nowhere", "mol-grid-a"]),
    ({"target_app": "Not A Name"}, ["target_app", "Not A Name"]),
    ({"cut_over": "tomorrow"}, ["cut_over", "tomorrow", "when_ready"]),
    ({"action": "teleport"}, ["action", "teleport", "snapshot"]),
    ({"bandwidth_limit": "fast"}, ["bandwidth_limit", "fast"]),
    ({"targetgrid": "grid-a"}, ["targetgrid", "target_grid"]),
)


def test_wrong_options(place: Place, operator: Operator) -> None:
    asked = [{"app": APP, "target_grid": place.there.name, **options} for options, _ in WRONG]
    started = [operator.start_move(**options) for options in asked]
    for (options, words), run in zip(WRONG, started, strict=True):
        output = run.end().failed()
        missing = [word for word in words if word not in output]
        assert not missing, f"{options}: {missing} not in {output}"
        assert "Traceback" not in output


def test_where_it_already_is(place: Place, operator: Operator) -> None:
    output = operator.move(app=APP, target_grid=place.here.grid.name).failed()
    assert f"{APP} is on {place.here.grid.name} already" in output


def test_a_name_that_is_taken(place: Place, operator: Operator) -> None:
    image = place.there.run("docker image ls --format '{{.Repository}}:{{.Tag}}' migrid/mighelper").split()[0]
    service = f"services: {{one: {{image: '{image}', entrypoint: sleep infinity, init: true}}}}"
    place.there.run(
        "cat >/root/taken.yaml && docker compose -p taken -f /root/taken.yaml up --detach", service.encode()
    )
    try:
        output = operator.move(app=APP, target_grid=place.there.name, target_app="taken").failed()
    finally:
        place.there.run("docker compose -p taken down && rm /root/taken.yaml")
    assert "There is an application taken" in output


def test_a_lock_of_another_move(place: Place, operator: Operator) -> None:
    """It is shown, and whoever knows better can override it."""
    lock = {
        "move": "20260101T000000-00000000",
        "action": "migrate",
        "source_grid": place.here.grid.name,
        "source_app_name": APP,
        "target_grid": place.there.name,
        "target_app_name": APP,
        "since": 1767225600.0,
    }
    path = f"{STATE}/applications/{APP}"
    place.here.grid.run(f"mkdir -p {path} && cat >{path}/lock.json", json.dumps(lock).encode())
    try:
        output = operator.move(app=APP, target_grid=place.there.name).failed()
        assert lock["move"] in output
        assert "override_lock" in output
        planned = operator.move(app=APP, target_grid=place.there.name, override_lock="true", plan_only="true")
        planned.succeeded()
    finally:
        place.here.grid.run(f"rm -f {path}/lock.json; rmdir --ignore-fail-on-non-empty {path}")


def test_a_wrong_key(place: Place, operator: Operator) -> None:
    """The source does not know the key of the target any more."""
    keys = "/etc/migrid/grid/authorized_keys"
    target = place.here.grid.run(f"readlink -f {keys}").strip()
    place.here.grid.run(f"cp -p {target} /root/keys && sed -i 's/AAAAC3Nz/AAAAC3Nx/' {target}")
    try:
        output = operator.move(app=APP, target_grid=place.there.name).failed()
    finally:
        place.here.grid.run(f"cp -p /root/keys {target} && rm /root/keys")
    assert place.here.grid.name in output
    assert "key" in output


def test_an_unreachable_source(place: Place, operator: Operator) -> None:
    place.here.grid.run("systemctl stop ssh.socket ssh || systemctl stop ssh")
    try:
        output = operator.move(app=APP, target_grid=place.there.name).failed()
    finally:
        place.here.grid.run("systemctl start ssh")
    assert place.here.grid.name in output
