"""The owner of the bazaar moves it from its own page, without the operator: the test plan of the MIG appliance."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from playwright.sync_api import expect
from proof import faults
from proof.bazaar import APP, Bazaar, find, is_on, wait_until_settled
from proof.grids import Grid
from proof.owner import LATER, PAGE_PORT, PASSWORD, Owner
from proof.shop import load

ASKING = """
import ssl, sys, time, urllib.error, urllib.request
deadline, trust, said = time.monotonic() + 15, ssl._create_unverified_context(), "nothing"
while "is being moved" not in said:
    if time.monotonic() > deadline:
        sys.exit(said)
    try:
        said = urllib.request.urlopen(sys.argv[1], timeout=2, context=trust).read().decode()
    except urllib.error.HTTPError as error:
        said = error.read().decode()
    except OSError as error:
        said = str(error)
"""
Grids = tuple[Grid, ...]
NewOwner = Callable[..., Owner]


def test_a_migration(grids: Grids, here: Bazaar, traffic: load.Load, new_owner: NewOwner) -> None:
    """From the login to the report on the other grid; the browser stays where it is."""
    there, began, files = grids[1], time.time(), here.shop.every_kind_of_file()
    owner = new_owner()
    owner.visit(here.grid)
    owner.log_in("wrong")
    expect(owner.page.get_by_text("The username or the password is wrong.")).to_be_visible()
    owner.log_in()
    there.run(f"docker create --label com.docker.compose.project=taken --name taken {helper_image(there)}")
    owner.page.get_by_label(there.name, exact=True).check()
    owner.page.get_by_label("Its name there").fill("taken")
    expect(owner.page.get_by_text("There is an application taken on this grid already")).to_be_visible()
    there.run("docker rm taken")
    owner.choose(there, app=APP)
    expect(owner.page.get_by_text("other SHOP_GRID, SHOP_SWITCHED_PORT")).to_be_visible()
    owner.shot("plan")

    hidden = faults.strikes(there, {"precopy": in_no_inspection(), "start": answered_by_the_monitor(here.grid)})
    owner.confirm()
    owner.shot("under-way")
    owner.reads(f"The application has moved: it is {APP} on {there.name} now.", 120)
    hidden.happened("precopy")
    hidden.happened("start")
    expect(owner.page.get_by_role("heading", name="Report")).to_be_visible()
    assert owner.page.url.startswith(f"https://{here.grid.address}:{PAGE_PORT}/moves/")
    owner.shot("report")

    now = wait_until_settled(grids)
    assert (now.grid, now.shop.every_kind_of_file()) == (there, files)
    assert there.run("mig-grid list").count(APP) == 1
    outages = [
        outage for outage in load.judge(list(traffic.answers), now.shop.writes()).outages if outage.since > began
    ]
    assert len(outages) == 1, outages
    owner.visit(there, "/moves")
    owner.log_in()
    came = owner.page.get_by_role("link", name=re.compile(f"Migration of {APP} from {here.grid.name}"))
    expect(came.first).to_be_visible()


def test_one_cancelled_without_scripts(grids: Grids, here: Bazaar, new_owner: NewOwner) -> None:
    before = here.started()
    owner = new_owner(java_script_enabled=False)
    owner.visit(here.grid)
    owner.log_in()
    owner.choose(grids[0], at=LATER)
    owner.confirm()
    owner.reads("Copying the data while the application runs")
    owner.page.get_by_text("Cancel the move …").click()
    owner.page.get_by_role("button", name="Cancel the move").click()
    owner.reads(f"The move was cancelled. The application is {APP} on {here.grid.name}, as before.")
    assert wait_until_settled(grids) == here
    assert here.started() == before, "it was never away"


def test_a_failed_one(grids: Grids, here: Bazaar, new_owner: NewOwner) -> None:
    """It does not get healthy there, which the monitor tells live."""
    volumes, owner = grids[0].seen().volumes, new_owner()
    owner.watch()
    owner.visit(here.grid)
    owner.log_in()
    owner.choose(grids[0], app="ruin")
    owner.confirm()
    owner.reads(f"It was taken back: the application is {APP} on {here.grid.name}, as before.", 120)
    owner.reads("did not get healthy within 15")
    owner.shot("failed")
    assert "Waiting until it is healthy." in owner.statuses, "nobody told it while it was stopped"
    assert wait_until_settled(grids) == here
    assert grids[0].seen().volumes == volumes


def test_a_snapshot_started_by_hand(grids: Grids, here: Bazaar, new_owner: NewOwner) -> None:
    """The copy stays stopped until somebody starts it, and then destroys nothing."""
    there, files = grids[0], here.shop.every_kind_of_file()
    owner = new_owner()
    owner.visit(here.grid)
    owner.log_in()
    owner.choose(there, "Take a snapshot", app="booth")
    owner.confirm()
    owner.reads(f"The snapshot is made: booth on {there.name}, stopped. {APP} on {here.grid.name} runs on.", 120)
    assert wait_until_settled(grids) == here
    assert not is_on(there, "booth")
    there.run("mig-grid start booth")
    copy = Bazaar(there, "booth")
    copy.shop.wait()
    assert copy.shop.every_kind_of_file() == files
    assert copy.migctl("status") == f"This is booth on {there.name}.\nNo move is under way.\n"
    assert find(grids) == here
    there.run("mig-grid destroy --yes booth")


def test_an_overridden_lock(grids: Grids, here: Bazaar, new_owner: NewOwner) -> None:
    """A move that nobody answers for any more gives way to another one, MigHelper and all."""
    there = grids[0]
    here.migctl("start", there.name, "--as", "booth", "--detach", "--cut-over", LATER)
    there.run(faults.kill_helper("booth"))
    overridden = there.moves()[-1]
    owner = new_owner()
    owner.visit(here.grid)
    owner.log_in()
    expect(owner.page.get_by_role("heading", name="A move is under way")).to_be_visible()
    expect(owner.page.get_by_text(f"to {there.name} as booth")).to_be_visible()
    owner.shot("locked")
    owner.page.get_by_role("link", name="Override the lock …").click()
    owner.choose(there)
    expect(owner.page.get_by_text("This overrides the lock file")).to_be_visible()
    owner.confirm()
    owner.reads(f"The application has moved: it is {APP} on {there.name} now.", 120)
    there.run(f"mig-grid move cancel {overridden}")  # it would notice before it copies again, in a minute
    assert wait_until_settled(grids).grid == there


def helper_image(grid: Grid) -> str:
    return grid.run("docker image ls --format '{{.Repository}}:{{.Tag}}' migrid/mighelper").split()[0]


def in_no_inspection() -> str:
    """Succeeds if neither containers nor processes show what the monitor was handed over."""
    words = f"-e '[{PASSWORD[0]}]{PASSWORD[1:]}' -e '[P]RIVATE KEY'"  # so that it does not find itself
    return f"! {{ docker inspect $(docker ps --all --quiet); ps -eo args; }} | grep {words}"


def answered_by_the_monitor(grid: Grid) -> str:
    """Succeeds when the page's address is answered by somebody else than the application, which has no such page."""
    return f"python3 - https://{grid.address}:{PAGE_PORT}/ <<'END'\n{ASKING}\nEND"
