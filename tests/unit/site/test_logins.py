"""Who may log in: what each protocol hears, how long guessing takes, and what is kept about it."""

from __future__ import annotations

import base64
import re
import sqlite3
import stat
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_site import ACCOUNT, SampleSite
from test_reconcile import ADA, ADA_ID, BO, KEY, Site

from migrid.site.access import as_account
from migrid.site.configuration import load
from migrid.site.errors import MigError, StoreError
from migrid.site.logins import LOGIN_METHODS, Attempt, Logins, Method, Outcome, Reason, Service, audit, second_factor
from migrid.site.logins.totp import code_at, new_secret, uri
from migrid.site.passwords import hash_password

PASSWORD = "Secret.1"
QUICK_HASH = (
    "$6$rounds=1000$saltsalt$ojd5zxe5AU52DteeA6IQPEABnQkV20wPWHpnj6ip6f6MhPkfQaeVtQFdYc9bFfMQMOjAy3IEiZGpiMz2nysla."
)
"""PASSWORD, hashed with few rounds."""
HOME = "192.0.2.1"
ELSEWHERE = "198.51.100.7"
START = 1_800_000_000.0
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
LINE = re.compile(r"(\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\n")
ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))")


class Door(Site):
    """A site whose logins are asked as its account, at a time of the test's choice."""

    def __init__(self, sample: SampleSite) -> None:
        super().__init__(sample)
        self.now = START
        self.log = sample.state / "log" / "auth.log"

    def password(
        self,
        password: str = PASSWORD,
        *,
        login: str = "ada@example.org",
        address: str = HOME,
        service: Service = Service.SFTP,
        code: str = "",
    ) -> Outcome:
        attempt = Attempt(service, Method.PASSWORD, login, address)
        with as_account(load(self.sample.conf)):
            return self.logins().by_password(attempt, password, code)

    def proof(self, method: Method, login: str = ADA_ID, service: Service = Service.WEB) -> Outcome:
        with as_account(load(self.sample.conf)):
            return self.logins().by_proof(Attempt(service, method, login, HOME))

    def still(self, service: Service, method: Method, client_id: str = ADA_ID) -> bool:
        with as_account(load(self.sample.conf)):
            return self.logins().still(client_id, service, method) is not None

    def with_second_factor(self) -> str:
        """Put a second factor of Ada's in use; its secret."""
        site = load(self.sample.conf)
        with as_account(site):
            secret = second_factor.begin(site, ADA_ID)
            assert second_factor.confirm(site, ADA_ID, self.code(secret, -1), self.now)
        return secret

    def code(self, secret: str, off: int = 0) -> str:
        return code_at(secret, int(self.now) // 30 + off)

    def guess(self, count: int, *, prefix: str = "wrong", **where: Any) -> list[Reason]:
        """Try so many different passwords."""
        return [self.password(f"{prefix}{number}", **where).reason for number in range(count)]

    def guess_patiently(self, count: int, **where: Any) -> None:
        """Try so many different passwords, each as soon as it is looked at."""
        for number in range(count):
            password = f"{where}{number}"
            while (outcome := self.password(password, **where)).reason is Reason.TOO_EARLY:
                self.now += outcome.retry_after
            assert outcome.reason in (Reason.WRONG, Reason.UNKNOWN)

    def wait_out(self, **where: Any) -> float:
        """Let exactly the time pass that an attempt from there has to wait; how long that was."""
        outcome = self.password("waiting", **where)
        assert outcome.reason is Reason.TOO_EARLY
        self.now += outcome.retry_after
        return outcome.retry_after

    def logins(self) -> Logins:  # type: ignore[override]
        return Logins(load(self.sample.conf), clock=lambda: self.now)

    def lines(self) -> list[str]:
        return self.log.read_text(encoding="utf-8").splitlines()


@pytest.fixture
def door(sample_site: SampleSite) -> Door:
    """A site with Ada, who has PASSWORD and nothing else."""
    site = Door(sample_site)
    site.apply({**ADA, "password_hash": QUICK_HASH})
    return site


# Who is let in


@pytest.mark.parametrize("login", ["ada@example.org", "ADA@Example.ORG", ADA_ID])
@pytest.mark.parametrize("service", Service)
def test_the_right_password_opens_every_service(door: Door, login: str, service: Service) -> None:
    outcome = door.password(login=login, service=service)
    assert outcome.granted
    assert outcome.user is not None
    assert (outcome.user.client_id, outcome.retry_after) == (ADA_ID, 0)


@pytest.mark.parametrize("service", Service)
def test_after_a_good_login_no_other_password_is_accepted(door: Door, service: Service) -> None:
    """Defect 1 of the peer: any password was good for a minute after a good one."""
    assert door.password(service=service).granted
    for password in ("", "None", "Secret.2", PASSWORD.lower(), f"{PASSWORD}\0", f" {PASSWORD}", "x" * 5000, "\udcff"):
        outcome = door.password(password, service=service)
        assert (outcome.reason, outcome.user) in [(Reason.WRONG, None), (Reason.TOO_EARLY, None)]
    assert door.password("Secret.2", service=service, address=ELSEWHERE).reason is Reason.WRONG


@pytest.mark.parametrize("domain", ["test", "local", "localhost", "invalid", "grid.test", "a", "example"])
def test_who_is_accepted_as_a_user_is_accepted_at_the_door(door: Door, domain: str) -> None:
    """Defect 8 of the peer: its daemons refused e-mail addresses that it had accepted."""
    email = f"bo@{domain}"
    door.apply({"full_name": "Bo Example", "email": email, "password_hash": QUICK_HASH, "public_keys": [KEY]})
    assert email in {line.partition(":")[0] for line in door.published()}
    for service in Service:
        assert door.password(login=email, service=service).granted
    assert door.proof(Method.PUBLIC_KEY, email, Service.SFTP).granted


def test_strange_logins_are_unknown(door: Door) -> None:
    for login in ("", "nobody", "-", "ada@example.org\0", "ada\udcff@example.org", "x" * 100_000, "/C=", "' OR 1=1"):
        assert door.password(login=login, address="2001:db8::1").reason in (Reason.UNKNOWN, Reason.TOO_EARLY)
        assert door.proof(Method.MIGCERT, login).reason is Reason.UNKNOWN


def test_a_site_without_users_knows_nobody(sample_site: SampleSite) -> None:
    door = Door(sample_site)
    assert door.password().reason is Reason.UNKNOWN
    assert not door.still(Service.WEB, Method.MIGCERT)


def test_own_credentials_count_at_their_service_only(door: Door) -> None:
    door.apply({**ADA, "services": {"davs": {"password_hash": hash_password("Other.99")}}}, update_password="always")
    assert door.password(service=Service.SFTP).granted
    assert door.password(service=Service.DAVS).reason is Reason.WRONG
    assert door.password("Other.99", service=Service.DAVS).granted
    assert door.password("Other.99", service=Service.SFTP).reason is Reason.WRONG


def test_who_may_not_use_a_service_learns_it_only_with_the_password(door: Door) -> None:
    door.apply({**ADA, "services": {"ftps": {"enabled": False}}})
    assert door.password(service=Service.FTPS).reason is Reason.NOT_ALLOWED
    assert door.password("wrong", service=Service.FTPS).reason is Reason.WRONG
    assert door.password(service=Service.SFTP).granted
    assert not door.still(Service.FTPS, Method.PASSWORD)
    assert door.still(Service.DAVS, Method.PASSWORD)


def test_suspension_holds_for_logins_and_for_who_is_in(door: Door) -> None:
    door.proof(Method.MIGCERT)
    assert door.still(Service.WEB, Method.MIGCERT)
    door.apply({**ADA, "state": "suspended"})
    assert not door.still(Service.WEB, Method.MIGCERT)
    assert door.password().reason is Reason.SUSPENDED
    assert door.password("wrong").reason is Reason.WRONG
    assert door.proof(Method.MIGCERT).reason is Reason.SUSPENDED
    door.apply(ADA)
    assert door.still(Service.WEB, Method.MIGCERT)
    assert door.password().granted


def test_access_ends_at_midnight_utc(door: Door) -> None:
    day = datetime.fromtimestamp(door.now, UTC).date() + timedelta(1)
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    door.apply({**ADA, "expire": day.isoformat()})
    door.now = midnight - 1
    assert door.password().granted
    assert door.still(Service.WEB, Method.MIGOIDC)
    door.now = midnight
    assert door.password().reason is Reason.EXPIRED
    assert not door.still(Service.WEB, Method.MIGOIDC)


def test_login_methods_are_the_ways_into_the_web(door: Door) -> None:
    assert all(door.proof(method).granted for method in LOGIN_METHODS)
    door.apply({**ADA, "login_methods": ["extoidc", "migcert"]})
    granted = {method for method in LOGIN_METHODS if door.proof(method).granted}
    assert granted == {Method.EXTOIDC, Method.MIGCERT}
    assert door.password(service=Service.WEB).reason is Reason.NOT_ALLOWED
    assert door.password(service=Service.SFTP).granted
    door.apply({**ADA, "login_methods": ["migoidc"]})
    assert door.password(service=Service.WEB).granted
    assert not door.still(Service.WEB, Method.EXTOIDC)


def test_the_site_says_which_ways_into_the_web_there_are(door: Door) -> None:
    door.sample.configure(site_text="login_methods = extcert migoidc")
    granted = {method for method in LOGIN_METHODS if door.proof(method).granted}
    assert granted == {Method.EXTCERT, Method.MIGOIDC}
    assert door.password(service=Service.FTPS).granted
    door.apply({**ADA, "login_methods": ["extcert", "migcert"]})
    assert [method for method in LOGIN_METHODS if door.proof(method).granted] == [Method.EXTCERT]
    assert door.password(service=Service.WEB).reason is Reason.NOT_ALLOWED


def test_a_proof_needs_a_user_and_a_service_that_takes_it(door: Door) -> None:
    assert door.proof(Method.PUBLIC_KEY, "ada@example.org", Service.SFTP).granted
    assert door.proof(Method.PUBLIC_KEY, service=Service.WEB).reason is Reason.NOT_ALLOWED
    assert door.proof(Method.MIGCERT, ADA_ID.replace("Ada", "Eve")).reason is Reason.UNKNOWN
    assert door.still(Service.SFTP, Method.PUBLIC_KEY)
    assert not door.still(Service.SFTP, Method.PUBLIC_KEY, "ada@example.org")


def test_a_login_that_nobody_has_takes_as_long_as_one_that_is_known(door: Door) -> None:
    door.apply({**BO, "password_hash": hash_password("Other.99")}, {"full_name": "Cy", "email": "cy@example.org"})

    def cost(login: str, password: str) -> float:
        started = time.thread_time()
        door.password(password, login=login, address="2001:db8::1")
        return time.thread_time() - started

    cases = [("bo", "wrong"), ("nobody", "wrong"), ("nobody", "\b\n\r\x7fINCORRECT"), ("cy@example.org", "wrong")]
    rounds = [[cost(*case) for case in cases] for _ in range(5)]
    known, *others = map(min, zip(*rounds, strict=True))
    assert known > 0.002
    assert all(known / 2 < other < known * 2 for other in others)


# The second factor


def test_codes_are_those_of_rfc_4226() -> None:
    secret = base64.b32encode(b"12345678901234567890").decode()
    codes = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]
    assert [code_at(secret, step) for step in range(10)] == codes


def test_what_an_authenticator_app_reads() -> None:
    assert uri("ABC", "Grid & Co", "ada@example.org") == (
        "otpauth://totp/Grid%20%26%20Co%3Aada%40example.org?secret=ABC&issuer=Grid%20%26%20Co"
    )
    assert len(base64.b32decode(new_secret())) == 20


def test_the_web_asks_for_a_code_and_nothing_else_does(door: Door) -> None:
    secret = door.with_second_factor()
    assert door.password(service=Service.WEB).reason is Reason.CODE_MISSING
    assert door.password("wrong", service=Service.WEB, code=door.code(secret)).reason is Reason.WRONG
    assert door.password(service=Service.WEB, code="000000x").reason is Reason.CODE_WRONG
    assert door.password(service=Service.WEB, code=door.code(secret)).granted
    assert all(door.password(service=service).granted for service in Service if service is not Service.WEB)
    assert door.proof(Method.MIGOIDC).granted


def test_a_code_may_be_written_with_a_space(door: Door) -> None:
    code = door.code(door.with_second_factor())
    assert door.password(service=Service.WEB, code=f" {code[:3]} {code[3:]}").granted


@pytest.mark.parametrize(("off", "granted"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_clocks_may_differ_by_one_step(door: Door, off: int, granted: bool) -> None:
    secret = door.with_second_factor()
    door.now += 10 * MINUTE
    assert door.password(service=Service.WEB, code=door.code(secret, off)).granted is granted


def test_a_code_is_good_once(door: Door) -> None:
    secret = door.with_second_factor()
    door.now += MINUTE
    code = door.code(secret)
    assert door.password(service=Service.WEB, code=code).granted
    for again in (code, door.code(secret, -1)):
        assert door.password(service=Service.WEB, code=again, address=ELSEWHERE).reason is Reason.CODE_WRONG
    door.now += 30
    assert door.password(service=Service.WEB, code=door.code(secret)).granted


def test_a_second_factor_is_in_use_from_its_first_code_on(door: Door) -> None:
    site = load(door.sample.conf)
    with as_account(site):
        first = second_factor.begin(site, ADA_ID)
        secret = second_factor.begin(site, ADA_ID)
        assert not second_factor.confirm(site, ADA_ID, door.code(first), door.now)
        assert not second_factor.is_in_use(site, ADA_ID)
    assert door.password(service=Service.WEB).granted
    with as_account(site):
        assert second_factor.confirm(site, ADA_ID, door.code(secret), door.now)
        assert second_factor.is_in_use(site, ADA_ID)
        with pytest.raises(MigError, match="remove it before"):
            second_factor.begin(site, ADA_ID)
    assert door.password(service=Service.WEB, code=door.code(secret)).reason is Reason.CODE_WRONG
    with as_account(site):
        assert second_factor.remove(site, ADA_ID)
        assert not second_factor.remove(site, ADA_ID)
    assert door.password(service=Service.WEB).granted


def test_a_second_factor_follows_its_user(door: Door) -> None:
    door.with_second_factor()
    renamed = {**ADA, "email": "ada@example.com", "previous_distinguished_name": ADA_ID}
    door.apply(renamed)
    assert door.password(login="ada@example.com", service=Service.WEB).reason is Reason.CODE_MISSING
    door.apply({**renamed, "comment": "changed"})
    assert door.password(login="ada@example.com", service=Service.WEB).reason is Reason.CODE_MISSING
    del renamed["previous_distinguished_name"]
    door.apply({**renamed, "state": "absent"})
    door.apply({**renamed, "password_hash": QUICK_HASH})
    assert door.password(login="ada@example.com", service=Service.WEB).granted


# Delays


def test_guessing_becomes_slow(door: Door) -> None:
    assert door.guess(5) == [Reason.WRONG] * 5
    waits = []
    for number in range(12):
        waits.append(door.wait_out())
        assert door.password(f"again{number}").reason is Reason.WRONG
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]
    assert door.password().reason is Reason.TOO_EARLY
    door.wait_out()
    assert door.password().granted
    assert door.guess(5) == [Reason.WRONG] * 5


def test_an_attempt_that_comes_too_early_changes_nothing(door: Door) -> None:
    door.guess(8)
    first = door.password()
    door.now += first.retry_after / 2
    assert door.password("other").retry_after == pytest.approx(first.retry_after / 2)


def test_failures_are_forgotten_after_a_day(door: Door) -> None:
    door.guess(6)
    door.now += DAY + 1
    assert door.guess(5, prefix="new") == [Reason.WRONG] * 5
    with closing(sqlite3.connect(door.sample.state / "mig_system_run" / "logins.db")) as history:
        assert history.execute("SELECT count(*) FROM failures").fetchone() == (5,)


def test_a_saved_password_that_is_wrong_counts_once(door: Door) -> None:
    assert {door.password("saved.Pass1").reason for _ in range(50)} == {Reason.WRONG}
    assert door.guess(4) == [Reason.WRONG] * 4
    assert door.password().reason is Reason.TOO_EARLY


def test_a_stranger_cannot_lock_out_a_user(door: Door) -> None:
    assert door.password(address=HOME).granted
    for number in range(100):
        door.guess_patiently(2, address=f"203.0.113.{number}", login="Ada@example.org")
    assert door.password(address=HOME).granted
    new_address = door.password(address="192.0.2.99")
    assert new_address.reason is Reason.TOO_EARLY
    assert 0 < new_address.retry_after <= 30
    door.now += new_address.retry_after
    assert door.password(address="192.0.2.99").granted


def test_an_address_full_of_guessers_keeps_out_only_who_is_new_there(door: Door) -> None:
    door.apply({**BO, "password_hash": QUICK_HASH})
    assert door.password(address=HOME).granted
    for number in range(41):
        door.guess_patiently(1, login=f"user{number}", address=HOME)
    assert door.password(address=HOME).granted
    newcomer = door.password(login="bo", address=HOME)
    assert newcomer.reason is Reason.TOO_EARLY
    assert 30 < newcomer.retry_after <= 15 * MINUTE
    assert door.password(login="bo", address=ELSEWHERE).granted


def test_own_mistakes_at_a_known_address_do_not_count_elsewhere(door: Door) -> None:
    assert door.password(address=HOME).granted
    door.guess_patiently(40, address=HOME)
    assert door.wait_out(address=HOME) == 15 * MINUTE
    assert door.password(address=ELSEWHERE).granted


def test_an_address_is_known_for_thirty_days(door: Door) -> None:
    def attacked() -> Reason:
        for number in range(20):
            door.password(f"{door.now}{number}", address=f"203.0.113.{number}")
        return door.password(address=HOME).reason

    assert door.password(address=HOME).granted
    door.now += 29 * DAY
    assert attacked() is Reason.GRANTED
    door.now += 31 * DAY
    assert attacked() is Reason.TOO_EARLY


def test_a_proof_makes_an_address_known_for_every_login_of_the_user(door: Door) -> None:
    assert door.proof(Method.MIGCERT).granted
    door.guess(20, address=ELSEWHERE)
    for number in range(20):
        door.password(f"guess{number}", address=f"203.0.113.{number}")
    assert door.password(address=HOME).granted


def test_who_knows_the_password_cannot_guess_codes(door: Door) -> None:
    secret = door.with_second_factor()
    tried = 0
    end = door.now + DAY
    while door.now < end:
        outcome = door.password(service=Service.WEB, code=f"wrong{tried}", address=f"203.0.113.{tried % 250}")
        tried += outcome.reason is Reason.CODE_WRONG
        door.now += outcome.retry_after
    assert 50 < tried < 150
    door.now += 15 * MINUTE
    assert door.password(service=Service.WEB, code=door.code(secret)).granted


def test_the_first_step_of_a_login_with_a_code_is_no_failure(door: Door) -> None:
    secret = door.with_second_factor()
    for _ in range(30):
        assert door.password(service=Service.WEB).reason is Reason.CODE_MISSING
    assert door.password(service=Service.WEB, code=door.code(secret)).granted


def test_an_unknown_login_waits_like_a_known_one(door: Door) -> None:
    def waits(login: str, address: str) -> list[float]:
        return [door.password(f"{number}", login=login, address=address).retry_after for number in range(12)]

    assert waits("nobody", "203.0.113.1") == waits("ada@example.org", "203.0.113.2")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1:2::1", "2001:DB8:1:2::1", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("", "192.0.2.2", False),
    ],
)
def test_what_counts_as_one_address(door: Door, one: str, other: str, same: bool) -> None:
    door.guess(5, address=one)
    assert (door.password(address=other).reason is Reason.TOO_EARLY) is same


def test_a_clock_that_was_set_back_locks_nobody_out_for_longer(door: Door) -> None:
    door.guess(6)
    door.now -= 30 * DAY
    assert door.password().retry_after <= 1


# What is kept


def test_nothing_of_a_password_is_kept(door: Door) -> None:
    """Defect 3 of the peer: each password was also stored in a form from which it could be computed."""
    wrong = "Wrong-Pass-77"
    secrets = [PASSWORD, wrong]
    door.apply({**ADA, "password": PASSWORD}, update_password="always")
    for service in Service:
        door.password(service=service)
        door.password(wrong, service=service)
    kept = b"".join(path.read_bytes() for path in door.sample.state.rglob("*") if path.is_file())
    for secret in secrets:
        plain = secret.encode()
        for form in (plain, plain[::-1], base64.b64encode(plain), base64.b16encode(plain), plain.hex().encode()):
            assert form not in kept
    with closing(sqlite3.connect(door.sample.state / "mig_system_run" / "logins.db")) as history:
        tags = [len(tag) for (tag,) in history.execute("SELECT tag FROM failures")]
    assert set(tags) == {2}


def test_history_and_log_are_the_accounts_alone(door: Door) -> None:
    door.password()
    paths = [door.log, *(door.sample.state / "mig_system_run").glob("logins.db*")]
    assert len(paths) >= 2
    assert {(stat.S_IMODE(path.stat().st_mode), path.stat().st_uid) for path in paths} == {(0o600, ACCOUNT)}


def test_without_its_users_the_site_lets_nobody_in(door: Door) -> None:
    path = door.sample.state / "user_db_home/MiG-users.db"
    path.write_bytes(b"no database, but long enough to look at it" * 100)
    with pytest.raises(StoreError, match=r"MiG-users\.db"):
        door.password()


def test_without_its_log_the_site_lets_nobody_in(door: Door) -> None:
    door.log.mkdir()
    with pytest.raises(StoreError, match=r"auth\.log"):
        door.password()


# The log


def test_each_attempt_is_one_line(door: Door) -> None:
    door.password()
    door.password("wrong", login="nobody", address="2001:db8::1", service=Service.DAVS)
    door.proof(Method.EXTCERT)
    door.guess(6, service=Service.FTPS)
    door.still(Service.WEB, Method.MIGCERT)
    words = [line.split(" ", 1)[1] for line in door.lines()]
    name = ADA_ID.replace(" ", r"\x20")
    assert words == [
        f"sftp password ada@example.org {HOME} granted",
        "davs password nobody 2001:db8::1 unknown",
        f"web extcert {name} {HOME} granted",
        *[f"ftps password ada@example.org {HOME} wrong"] * 5,
        f"ftps password ada@example.org {HOME} too_early",
    ]
    assert {line.split(" ", 1)[0] for line in door.lines()} == {"2027-01-15T08:00:00.000Z"}


def test_the_log_may_be_rotated_at_any_time(door: Door) -> None:
    door.password()
    door.log.rename(door.log.with_suffix(".1"))
    door.password()
    assert len(door.lines()) == 1


def unescaped(field: str) -> str:
    return "" if field == "-" else ESCAPE.sub(lambda match: chr(int(match[1] or match[2] or match[3], 16)), field)


@given(
    login=st.text(st.characters(), max_size=60) | st.sampled_from(["-", "\\x2d", "a b", "\r\nx", "\x1b[2J", "\u202e"]),
    address=st.text(st.characters(), max_size=40),
    reason=st.sampled_from(Reason),
)
@settings(max_examples=300)
def test_a_line_can_be_read_back_whatever_was_typed(login: str, address: str, reason: Reason) -> None:
    text = audit.line(Attempt(Service.SFTP, Method.PASSWORD, login, address), reason, START)
    assert text[:-1].isprintable()
    assert len(text.splitlines()) == 1
    match = LINE.fullmatch(text)
    assert match is not None
    assert match.groups()[1:3] == ("sftp", "password")
    assert (unescaped(match[4]), unescaped(match[5]), match[6]) == (login, address, reason)
    assert datetime.fromisoformat(match[1]).timestamp() == START
    text.encode()


def test_a_long_login_is_cut() -> None:
    assert len(audit.line(Attempt(Service.WEB, Method.PASSWORD, "x" * 10**6, HOME), Reason.UNKNOWN, START)) < 2200


# Many at once

ASK = """
    import sys
    sys.path.insert(0, {tests!r})
    from pathlib import Path
    from sample_site import SampleSite
    from test_logins import Door, Service
    door = Door(SampleSite(Path({root!r})))
    {work}
"""


def at_once(door: Door, works: list[str]) -> list[str]:
    """Run Python with a `door` in as many processes; what they print."""
    texts = [
        textwrap.dedent(ASK).format(tests=str(Path(__file__).parent), root=str(door.sample.root), work=work)
        for work in works
    ]
    processes = [subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True) for text in texts]
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return " ".join(outputs).split()


def test_guesses_that_come_at_once_count_one_by_one(door: Door) -> None:
    works = [f"for n in range(10): print(door.password(f'guess{{n}} of {process}').reason)" for process in range(6)]
    said = at_once(door, works)
    assert sorted(said) == ["too_early"] * 55 + ["wrong"] * 5
    assert len(door.lines()) == 60


def test_a_client_with_many_connections_is_let_in_on_all(door: Door) -> None:
    said = at_once(door, ["for n in range(10): print(door.password().reason)"] * 6)
    assert said == ["granted"] * 60


def test_threads_can_share_one_object(door: Door) -> None:
    site = load(door.sample.conf)
    with as_account(site), ThreadPoolExecutor(8) as pool:
        shared = door.logins()
        attempts = [Attempt(Service.DAVS, Method.PASSWORD, "ada@example.org", f"192.0.2.{n}") for n in range(40)]
        outcomes = list(pool.map(lambda attempt: shared.by_password(attempt, PASSWORD), attempts))
    assert all(outcome.granted for outcome in outcomes)
    assert len(door.lines()) == 40


def test_a_code_that_comes_twice_at_once_is_good_once(door: Door) -> None:
    secret = door.with_second_factor()
    work = f"print(door.password(service=Service.WEB, code={door.code(secret)!r}).reason)"
    said = at_once(door, [work] * 4)
    assert sorted(said) == ["code_wrong"] * 3 + ["granted"]
