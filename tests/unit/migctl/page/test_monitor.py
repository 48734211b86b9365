"""The monitor of a move, over TLS: who gets in, what there is to see, and what is left of it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from flask.sessions import SecureCookieSessionInterface
from loopback import until
from monitor_rig import PAGE_PORT, Answer, Monitored, form_of, make_pair, monitored_move, publish_page
from owned_grids import OwnedGrids, owned_grids
from page_browser import LOGIN, Browser

from migrid.grid.model.forwarder import ModelForwarder
from migrid.grid.moves import control
from migrid.grid.moves.report import Result
from migrid.migctl.page import tokens
from migrid.migctl.page.application import build
from migrid.migctl.properties import Properties

SECRET_WORDS = ("shop", "store", "grid-a", "grid-b")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_pair(tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="module")
def monitored(tmp_path_factory: pytest.TempPathFactory, pair: tuple[Path, Path]) -> Iterator[Monitored]:
    """One move for all tests that do not change it."""
    with owned_grids(tmp_path_factory.mktemp("grids")) as grids:
        made = monitored_move(grids, pair)
        yield made
        made.cancel()


def is_turned_away(answer: Answer) -> bool:
    """Whether the answer says that the application is being moved, and nothing of the move."""
    told = re.sub(r"<[^>]+>", " ", answer.text)
    assert not [word for word in SECRET_WORDS if word in told]
    return answer.status == 403 and "This application is being moved" in told


class TestWhoGetsIn:
    """Sessions of MIGCTL's page."""

    def test_the_session_of_the_page_goes_on(self, monitored: Monitored) -> None:
        page = monitored.at_monitor().get(monitored.path)
        assert page.status == 200
        for words in ("Source application", "Cancel the move", "MigHelper_store on grid-b"):
            assert words in page.text
        for words in ("Log out", "Earlier moves", "Follow it on"):
            assert f">{words}<" not in page.text
        assert 'id="elsewhere" hidden' in page.text
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]

    def test_without_a_session_nobody_sees_anything(self, monitored: Monitored) -> None:
        for path in ("/", "/login", "/moves", monitored.path, f"{monitored.path}/log", f"{monitored.path}/events"):
            assert is_turned_away(monitored.visitor().get(path))
            assert is_turned_away(monitored.visitor().send("POST", path, {"username": "ada", "password": "x"}))

    def test_forged_and_old_sessions_are_none(self, monitored: Monitored) -> None:
        name, value = next((name, value) for name, value in monitored.ada.cookies.items() if "known" not in name)
        stolen = forged(monitored.ada, lambda session: session)
        assert monitored.visitor({name: stolen}).get(monitored.path).status == 200
        for bad in (
            value[:-4],
            # not the last character: two of its bits count for nothing
            value[:-2] + ("A" if value[-2] != "A" else "B") + value[-1],
            forged(monitored.ada, lambda session: {**session, "since": session["since"] - 13 * 3600}),
            forged(monitored.ada, lambda session: {**session, "user": ""}),
            forged(monitored.ada, lambda session: session, key=b"another key"),
            "",
        ):
            assert is_turned_away(monitored.visitor({name: bad}).get(monitored.path))

    def test_a_cookie_of_another_application_is_none(self, monitored: Monitored) -> None:
        renamed = {f"{name}x": value for name, value in monitored.ada.cookies.items()}
        assert is_turned_away(monitored.visitor(renamed).get(monitored.path))


class TestWhatThereIs:
    """One move, and nothing else."""

    def test_whatever_else_is_asked_for_leads_to_the_move(self, monitored: Monitored) -> None:
        for path in (
            "/",
            "/moves",
            "/login",
            "/plans/x",
            "/name?grid=x",
            "/moves/grid-a/x",
            "/moves/grid-b/x/log",
            "/x",
        ):
            answer = monitored.at_monitor().get(path)
            assert (answer.status, answer.location) == (303, monitored.path)

    def test_forms_of_the_page_do_nothing(self, monitored: Monitored) -> None:
        ada = monitored.at_monitor()
        form = form_of(ada.get(monitored.path))
        for path in ("/", "/plans/x", "/override", "/logout", "/moves/grid-b/x"):
            answer = ada.send("POST", path, form)
            assert (answer.status, "being moved" in answer.text) == (503, True)
        assert ada.send("POST", monitored.path, {}).status == 400
        assert ada.send("POST", monitored.path, {"form_token": "x"}).status == 400
        assert not (monitored.directory / "monitor" / "cancel").exists()

    def test_its_files(self, monitored: Monitored) -> None:
        assert "EventSource" in monitored.visitor().get("/page/static/page.js").text
        assert monitored.visitor().get("/static/site.css").status == 200

    def test_its_log(self, monitored: Monitored) -> None:
        log = monitored.at_monitor().get(f"{monitored.path}/log")
        assert (log.status, "preflight: begins" in log.text) == (200, True)

    def test_it_is_live(self, monitored: Monitored) -> None:
        first = monitored.at_monitor().first_event(monitored.path)
        assert first["event"] == "news"
        assert "Copying the data while the application runs" in first["data"]["status"]
        assert "Target application" in first["data"]["timeline"]
        assert (first["data"]["way"], first["data"]["may_cancel"]) == ("", True)

    def test_it_needs_neither_yaml_nor_a_grid(self) -> None:
        script = "import sys; sys.modules['yaml'] = None; import migrid.migctl.monitor.__main__"
        subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ})


class TestTokens:
    """The way into the monitor from MIGCTL's page, for who is not led there."""

    def test_a_token_lets_in_once(self, monitored: Monitored) -> None:
        way, bea = monitored.way(), monitored.visitor()
        entered = bea.get(way)
        assert (entered.status, entered.location) == (303, monitored.path)
        assert bea.get(monitored.path).status == 200
        assert is_turned_away(monitored.visitor().get(way))
        monitored.start_again()
        assert is_turned_away(monitored.visitor().get(way))
        assert monitored.visitor().get(monitored.way()).status == 303

    def test_a_forged_one_lets_nobody_in(self, monitored: Monitored) -> None:
        good = monitored.way().partition("token=")[2]
        nonce, _, digest = good.partition(".")
        key = tokens.key_of(monitored.ada.app)
        wrong = (
            *(
                "",
                "x",
                ".",
                nonce,
                digest,
                f"{nonce}.",
                f".{digest}",
                f"{nonce}.{digest[:-1]}",
                f"x{good}",
                "%00",
                "%ff",
            ),
            *(tokens.make(b"another key", monitored.move), tokens.make(key, "20300101T000000-0123abcd"), "a" * 9000),
        )
        for token in wrong:
            assert is_turned_away(monitored.visitor().get(f"/enter?token={token}"))
        assert is_turned_away(monitored.visitor().get("/enter"))
        assert monitored.visitor().get(f"/enter?token={good}").status == 303

    def test_only_who_sees_the_page_gets_one(self, monitored: Monitored) -> None:
        stranger = Browser(monitored.ada.app)
        assert "enter?token" not in stranger.get(monitored.path).text
        assert stranger.get(f"{monitored.path}/events").status_code == 303


class TestTls:
    """The connection."""

    def test_old_versions_are_refused(self, monitored: Monitored) -> None:
        ada = monitored.at_monitor()
        for version, status in (("-tls1_1", 1), ("-tls1_2", 0), ("-tls1_3", 0)):
            command = ["openssl", "s_client", "-connect", f"{ada.host}:{ada.port}", version]
            command += ["-cipher", "ALL:@SECLEVEL=0"]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
            assert done.returncode == status, (version, done.stderr)

    def test_who_says_nothing_keeps_nobody_waiting(self, monitored: Monitored) -> None:
        ada = monitored.at_monitor()
        with ExitStack() as silent:
            for _ in range(5):
                silent.enter_context(socket.create_connection((ada.host, ada.port)))
            connection = ada.connect()
            connection.timeout = 8
            connection.request("GET", "/page/static/page.css")
            assert connection.getresponse().status == 200
            connection.close()

    def test_who_speaks_no_tls_harms_nobody(self, monitored: Monitored) -> None:
        ada = monitored.at_monitor()
        with socket.create_connection((ada.host, ada.port)) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200" not in plain.recv(1000)
        assert ada.get(monitored.path).status == 200


class TestItsLife:
    """From the start of a move to its end."""

    def test_it_cancels_and_goes_with_the_move(self, grids: OwnedGrids, pair: tuple[Path, Path]) -> None:
        monitored = monitored_move(grids, pair)
        secret = monitored.directory / "monitor.json"
        assert secret.stat().st_mode & 0o777 == 0o600
        hidden = [tokens.key_of(monitored.ada.app).hex(), pair[1].read_text().splitlines()[1]]
        assert all(word in secret.read_text() for word in hidden)
        assert LOGIN.password not in secret.read_text()
        others = [path for path in monitored.directory.iterdir() if path.is_file() and path != secret]
        shown = "".join(path.read_text(errors="replace") for path in others) + command_lines()
        assert not [word for word in hidden if word in shown]

        ada = monitored.at_monitor()
        answer = ada.send("POST", monitored.path, form_of(ada.get(monitored.path)))
        assert (answer.status, answer.location) == (303, monitored.path)
        moved = monitored.there.wait("grid-b", monitored.move)
        assert moved.report
        assert moved.report.result is Result.CANCELLED
        until(monitored.is_removed)
        assert monitored.place == ""

    def test_the_page_leads_to_it_while_the_application_is_stopped(
        self, grids: OwnedGrids, pair: tuple[Path, Path]
    ) -> None:
        publish_page(grids)
        monitored = monitored_move(grids, pair, bandwidth_limit="1M")
        (grids.a.engine().place("shop_store") / "new").write_bytes(os.urandom(3 << 20))
        old_address = ModelForwarder(grids.a.state.root / "forwards")
        control.cut_over(monitored.directory, "now")
        until(lambda: bool(old_address.forwards("shop")))
        [led] = old_address.forwards("shop")
        assert (led.port.host_port, f"{led.address}:{led.target_port}") == (PAGE_PORT, monitored.place)
        assert not grids.runs("shop")
        page = monitored.at_monitor().get(monitored.path)
        assert (page.status, "Copying what changed since" in page.text) == (200, True)
        moved = monitored.there.wait("grid-b", monitored.move)
        assert moved.report
        assert moved.report.result is Result.MIGRATED
        assert old_address.forwards("shop") == moved.report.forwards != (led,)
        until(monitored.is_removed)

    def test_what_a_killed_mighelper_left_of_it_is_dismissed(self, grids: OwnedGrids, pair: tuple[Path, Path]) -> None:
        monitored = monitored_move(grids, pair)
        monitored.ada.post(monitored.path)
        monitored.there.wait("grid-b", monitored.move)
        until(monitored.is_removed)
        (monitored.directory / "monitor.json").write_text("{}")
        monitored.there.services["grid-b"].dismiss(monitored.move)
        assert monitored.is_removed()

    def test_a_move_that_is_overridden_has_none_any_more(self, grids: OwnedGrids, pair: tuple[Path, Path]) -> None:
        first = monitored_move(grids, pair)
        first.ada.send("GET", "/")
        offer = first.ada.post("/override", {"grid": "grid-b", "app": "store", "action": "snapshot"}, shown="/override")
        second = first.ada.post(offer.location, {"sure": "yes"}).location
        assert second != first.path
        assert not (first.directory / "monitor.json").exists()
        first.there.wait("grid-b", second.rpartition("/")[2])

    def test_without_a_login_everybody_is_in_who_may_act(self, grids: OwnedGrids, pair: tuple[Path, Path]) -> None:
        monitored = monitored_move(grids, pair, Properties(allow_anonymous=True))
        bea = monitored.visitor()
        assert bea.send("POST", monitored.path, form_of(bea.get(monitored.path))).status == 303
        moved = monitored.there.wait("grid-b", monitored.move)
        assert moved.report
        assert moved.report.result is Result.CANCELLED


def forged(ada: Browser, change: object, key: bytes = b"") -> str:
    """The session of ada, changed by who knows the key of the page, or another."""
    app = build(ada.app.extensions["desk"])
    name = app.config["SESSION_COOKIE_NAME"]
    interface = SecureCookieSessionInterface()
    read = interface.get_signing_serializer(app)
    assert read
    session = read.loads(ada.cookies[name])
    app.secret_key = key or app.secret_key
    write = interface.get_signing_serializer(app)
    assert write
    assert callable(change)
    return str(write.dumps(change(session)))


def command_lines() -> str:
    """What everybody on the machine can see of processes."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_text(errors="replace"))
        except OSError:
            continue
    return "\n".join(found)
