"""The user store: several processes, crashes, old and foreign files."""

from __future__ import annotations

import os
import pickle
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from migrid.site.errors import StoreError
from migrid.site.schema import MIGRATIONS
from migrid.site.store import Credentials, SecondFactor, User, UserStore

CREATED = date(2026, 1, 1)


def user(number: int, **values: object) -> User:
    name = f"Ada Example {number}"
    found = User(
        client_id=f"/C=NA/ST=NA/L=NA/O=NA/OU=NA/CN={name}/emailAddress=ada{number}@example.org",
        client_dir=f"+CN={name}",
        alias=f"ada{number}@example.org",
        created=CREATED,
    )
    return replace(found, **values)  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "MiG-users.db"


@pytest.fixture
def store(path: Path) -> Iterator[UserStore]:
    with UserStore(path) as opened:
        yield opened


def put(store: UserStore, *users: User) -> None:
    with store.transaction():
        store.replace([one.client_id for one in users], users)


def test_users_come_back_as_they_were(store: UserStore) -> None:
    ada = user(
        1,
        password_hash="$y$x",
        public_keys=("ssh-ed25519 A", "ssh-ed25519 B"),
        suspended=True,
        expire=CREATED,
        comment="æ",
        login_methods=("migcert", "extoidc"),
        services=(Credentials("davs", enabled=False), Credentials("sftp", "$y$z", ("ssh-ed25519 C",))),
    )
    put(store, ada, user(2))
    assert list(store.users()) == [ada, user(2)]
    assert store.find("ADA1@example.org") == store.find(ada.client_id) == ada
    assert store.find("nobody") is None
    assert store.select([ada.client_id, "nobody"]) == {ada.client_id: ada}
    assert store.owners(["ada2@example.org", "nobody"]) == {"ada2@example.org": user(2).client_id}
    assert ada.name.full_name == "Ada Example 1"


def test_what_counts_at_a_service(store: UserStore) -> None:
    ada = user(1, password_hash="$y$x", public_keys=("ssh-ed25519 A",), services=(Credentials("sftp", "$y$z"),))
    put(store, ada)
    (found,) = store.users()
    assert found.credentials("sftp") == Credentials("sftp", "$y$z", ("ssh-ed25519 A",))
    assert found.credentials("davs") == Credentials("davs", "$y$x", ("ssh-ed25519 A",))
    assert "$y$" not in repr((found, found.services, SecondFactor("$y$")))


def test_credentials_go_with_their_user(store: UserStore) -> None:
    put(store, user(1, services=(Credentials("sftp", "$y$z"),)), user(2))
    put(store, user(1))
    assert list(store.users()) == [user(1), user(2)]


def test_a_second_factor_is_no_change_of_the_users(store: UserStore) -> None:
    put(store, user(1))
    before = store.revision
    store.set_second_factor(user(1).client_id, SecondFactor("ABC", True, 5))
    assert store.use_step(user(1).client_id, 7)
    assert not store.use_step(user(1).client_id, 7)
    assert store.second_factor(user(1).client_id) == SecondFactor("ABC", True, 7)
    assert store.with_second_factor() == {user(1).client_id}
    assert store.revision == before


def test_a_second_factor_stays_with_its_user(store: UserStore) -> None:
    put(store, user(1), user(2))
    factors = {one.client_id: SecondFactor(f"S{number}") for number, one in enumerate((user(1), user(2)))}
    for client_id, factor in factors.items():
        store.set_second_factor(client_id, factor)
    put(store, user(1, comment="changed"))
    with store.transaction():
        store.replace([user(1).client_id], [user(3)], {user(1).client_id: user(3).client_id})
        store.replace([user(2).client_id], [])
    put(store, user(2))
    assert [store.second_factor(user(number).client_id) for number in (1, 2, 3)] == [None, None, SecondFactor("S0")]


def test_an_external_identity_stays_with_its_user(store: UserStore) -> None:
    put(store, user(1), user(2))
    for number in (1, 2):
        store.link(("https://idp.example.org", f"subject-{number}"), user(number).client_id)
    put(store, user(1, comment="changed"))
    with store.transaction():
        store.replace([user(1).client_id], [user(3)], {user(1).client_id: user(3).client_id})
        store.replace([user(2).client_id], [])
    put(store, user(2))
    found = [store.linked(("https://idp.example.org", f"subject-{number}")) for number in (1, 2)]
    assert found == [user(3).client_id, None]
    assert store.linked(("https://other.example.org", "subject-1")) is None


def test_the_file_is_private(store: UserStore, path: Path) -> None:
    put(store, user(1))
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


def test_each_change_is_a_generation(store: UserStore) -> None:
    assert store.generation == 0
    put(store, user(1))
    put(store, user(1, comment="x"))
    assert store.generation == 2
    with store.transaction():
        pass
    assert store.generation == 2


def test_users_can_swap_their_aliases(store: UserStore) -> None:
    put(store, user(1), user(2))
    put(store, user(1, alias=user(2).alias), user(2, alias=user(1).alias))
    assert store.owners([user(1).alias]) == {user(1).alias: user(2).client_id}


def test_an_exception_undoes_the_transaction(store: UserStore) -> None:
    put(store, user(1))

    def fail() -> Iterator[User]:
        yield user(2)
        raise KeyError

    with pytest.raises(KeyError), store.transaction():
        store.replace([user(1).client_id], fail())
    assert list(store.users()) == [user(1)]
    assert store.generation == 1


def test_two_users_cannot_have_one_alias(store: UserStore) -> None:
    with pytest.raises(StoreError, match="alias"):
        put(store, user(1), user(2, alias=user(1).alias))
    assert list(store.users()) == []


def test_touched_names_what_was_changed_and_what_was_freed(store: UserStore) -> None:
    put(store, user(1), user(2), user(3))
    put(store, user(1, comment="x"), user(2, alias="bo"))
    assert store.touched(1) == {user(1).alias, user(2).alias, "bo"}
    with store.transaction():
        store.replace([user(3).client_id], [])
    assert store.touched(2) == {user(3).alias}


def test_a_revision_of_another_history_is_recognised(store: UserStore, path: Path, tmp_path: Path) -> None:
    put(store, user(1))
    backup = tmp_path / "backup.db"
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)
    before = store.revision
    put(store, user(2))
    with UserStore(backup) as restored:
        put(restored, user(3))
        assert restored.has_had(before)
        assert restored.generation == store.generation
        assert not restored.has_had(store.revision)


def test_readers_go_on_while_a_writer_is_at_work(store: UserStore, path: Path) -> None:
    put(store, user(1))
    with store.transaction():
        store.replace([], [user(2)])
        with UserStore(path, read_only=True) as reader:
            assert list(reader.users()) == [user(1)]
    with UserStore(path, read_only=True) as reader:
        assert len(list(reader.users())) == 2


def test_a_snapshot_stays_the_same(store: UserStore, path: Path) -> None:
    with UserStore(path) as writer, store.snapshot():
        assert list(store.users()) == []
        put(writer, user(1))
        assert list(store.users()) == []
    assert list(store.users()) == [user(1)]


def test_a_read_only_store_writes_nothing(path: Path) -> None:
    with UserStore(path, read_only=True) as store:
        assert list(store.users()) == []
    assert not path.exists()
    with UserStore(path) as writer:
        put(writer, user(1))
    with UserStore(path, read_only=True) as store, pytest.raises(StoreError, match="readonly"):
        put(store, user(2))


WRITER = """
    import sys
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    from test_store import put, user
    from migrid.site.store import UserStore
    with UserStore(Path({path!r})) as store:
        {work}
"""


def process(path: Path, work: str) -> subprocess.Popen[str]:
    script = textwrap.dedent(WRITER).format(tests=str(Path(__file__).parent), path=str(path), work=work)
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)


def test_processes_that_write_at_once_lose_nothing(path: Path) -> None:
    work = "for number in range({0}, {0} + 40): put(store, user(number))"
    writers = [process(path, work.format(first)) for first in (0, 100, 200, 300)]
    for writer in writers:
        writer.communicate(timeout=60)
    assert [writer.returncode for writer in writers] == [0, 0, 0, 0]
    with UserStore(path) as store:
        assert len(list(store.users())) == 160
        assert store.generation == 160


def test_a_killed_writer_leaves_the_state_before(store: UserStore, path: Path) -> None:
    put(store, user(1))
    work = (
        "with store.transaction(): store.replace([user(1).client_id], map(user, range(2, 20000))); "
        "print('ready', flush=True); sys.stdin.read()"
    )
    with process(path, work) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        os.kill(writer.pid, signal.SIGKILL)
    assert list(store.users()) == [user(1)]
    put(store, user(2))
    with UserStore(path) as again:
        assert list(again.users()) == [user(1), user(2)]


def old_file(path: Path, version: int) -> None:
    """A file as a mig of that version left it."""
    connection = sqlite3.connect(path)
    for step in MIGRATIONS[:version]:
        for statement in step:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.commit()
    connection.execute("VACUUM")
    connection.close()


def schema(path: Path) -> set[tuple[str, ...]]:
    connection = sqlite3.connect(path)
    try:
        return set(connection.execute("SELECT type, name, sql FROM sqlite_master"))
    finally:
        connection.close()


@pytest.mark.parametrize("version", range(len(MIGRATIONS) + 1))
def test_every_old_version_becomes_the_newest(path: Path, tmp_path: Path, version: int) -> None:
    old_file(path, version)
    new = tmp_path / "new.db"
    UserStore(new).close()
    with UserStore(path) as store:
        put(store, user(1))
        assert list(store.users()) == [user(1)]
    assert schema(path) == schema(new)


def test_users_of_the_first_version_stay_as_they_were(path: Path) -> None:
    old_file(path, 1)
    with closing(sqlite3.connect(path)) as connection:
        row = (user(1).client_id, user(1).client_dir, user(1).alias, "$y$x", CREATED.isoformat(), 0)
        columns = "client_id, client_dir, alias, password_hash, created, generation"
        connection.execute(f"INSERT INTO users ({columns}) VALUES (?, ?, ?, ?, ?, ?)", row)  # noqa: S608
        connection.commit()
    for read_only in (True, False, True):
        with UserStore(path, read_only=read_only) as store:
            assert list(store.users()) == [user(1, password_hash="$y$x")]
            assert [row[0] for row in store.logins("sftp")] == [user(1).alias]
            assert store.generation == 0


def test_a_read_only_store_shows_an_old_file_without_touching_it(path: Path) -> None:
    old_file(path, 0)
    before = path.read_bytes()
    with UserStore(path, read_only=True) as store:
        assert list(store.users()) == []
    assert path.read_bytes() == before


def test_a_failing_migration_leaves_the_old_version(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    UserStore(path).close()
    before = schema(path)
    broken = (*MIGRATIONS, ("CREATE TABLE half (x TEXT)", "CREATE TABLE users (x TEXT)"))
    monkeypatch.setattr("migrid.site.store.MIGRATIONS", broken)
    with pytest.raises(StoreError, match="already exists"):
        UserStore(path)
    assert schema(path) == before


def test_a_newer_version_is_refused(path: Path) -> None:
    UserStore(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match=r"schema version 99.*upgrade mig"):
        UserStore(path)


def test_the_database_of_mig_is_refused_and_kept(path: Path) -> None:
    path.write_bytes(pickle.dumps({b"/C=DK": {b"password": b""}}, protocol=0))
    before = path.read_bytes()
    with pytest.raises(StoreError, match="pickled user database of an earlier MiG"):
        UserStore(path)
    assert path.read_bytes() == before


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"gone/MiG-users\.db.*No such file"):
        UserStore(tmp_path / "gone" / "MiG-users.db")
