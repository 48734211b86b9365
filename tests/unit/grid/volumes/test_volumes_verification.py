"""The proof can fail, and what it found is mended by the next round."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from volumes_rig import Pair, finish, quiet

from migrid.grid.errors import CopyError

MIB = 1 << 20


def flip(path: Path, place: int) -> None:
    """Change one byte, so that nothing else about the file tells of it."""
    before = path.stat()
    with path.open("r+b") as stream:
        stream.seek(place)
        byte = stream.read(1)
        stream.seek(place)
        stream.write(bytes([byte[0] ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def fill(pair: Pair) -> None:
    (pair.source / "large").write_bytes(os.urandom(5 * MIB + 3))
    (pair.source / "small").write_bytes(b"small")
    (pair.source / "directory").mkdir()
    (pair.source / "directory" / "link").symlink_to("x")
    (pair.source / "twin").hardlink_to(pair.source / "small")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "first byte": lambda top: flip(top / "large", 0),
    "last byte": lambda top: flip(top / "large", 5 * MIB + 2),
    "small file": lambda top: flip(top / "small", 2),
    "longer": lambda top: os.truncate(top / "large", 6 * MIB),
    "mode": lambda top: (top / "small").chmod(0o600),
    "owner": lambda top: os.chown(top / "directory", 1, 1),
    "time": lambda top: os.utime(top / "directory", ns=(1, 1)),
    "attribute": lambda top: os.setxattr(top / "directory", "trusted.x", b"x"),
    "missing": lambda top: (top / "directory" / "link").unlink(),
    "other link": lambda top: ((top / "directory" / "link").unlink(), (top / "directory" / "link").symlink_to("y")),
    "extra": lambda top: (top / "extra").touch(),
    "no longer the same file": lambda top: ((top / "twin").unlink(), (top / "twin").write_bytes(b"small")),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("before", ["verified", "not verified"])
def test_damage_is_found_and_mended(pair: Pair, damage: Callable[[Path], object], before: str) -> None:
    fill(pair)
    with pair.session() as session:
        session.round(False, None, quiet)
        if before == "verified":
            session.verify(quiet)
        damage(pair.target)
        with pytest.raises(CopyError, match="entries at the target are not what was sent"):
            session.verify(quiet)
        finish(session)
    pair.assert_equal()


def test_damage_between_sessions_is_mended_too(pair: Pair) -> None:
    fill(pair)
    pair.copy()
    flip(pair.target / "large", 77)
    (pair.target / "extra").touch()
    pair.copy()
    pair.assert_equal()


def test_a_byte_that_the_device_lost_is_found(ext4: Path, tmpfs: Path, tmp_path: Path) -> None:
    """Lost where no ctime tells of it: what was just written is read back from the device."""
    pair = Pair(tmpfs / tmp_path.name, ext4 / tmp_path.name, tmp_path / "state")
    (pair.source / "large").write_bytes(bytes(range(256)) * 4096 * 3)
    with pair.session() as session:
        session.round(False, None, quiet)
        session.verify(quiet)
        with (pair.source / "large").open("r+b") as stream:
            stream.seek(2 * MIB + 100_000)
            stream.write(b"the block that a device will lose")
        last = session.round(True, None, quiet)
        lose(pair.target / "large", b"the block that a device will lose")
        with pytest.raises(CopyError, match="among them: data/large"):
            session.verify(quiet)
        again, proof = finish(session)
        assert last.manifest == again.manifest == proof.manifest
    pair.assert_equal()


def lose(path: Path, content: bytes) -> None:
    """Damage a file's content on the device below its file system."""
    device = next(line.split() for line in Path("/proc/mounts").read_text().splitlines() if mount_of(path) in line)[0]
    with Path(device).open("r+b") as stream:
        place = 0
        while (part := stream.read(8 * MIB)) and content not in part:
            place += len(part)
        stream.seek(place + part.index(content))
        stream.write(b"?")
        stream.flush()
        os.fsync(stream.fileno())


def mount_of(path: Path) -> str:
    while not path.is_mount():
        path = path.parent
    return f" {path} "


def test_the_cost_of_the_proof_follows_the_change(ext4_pair: Pair) -> None:
    fill(ext4_pair)
    with ext4_pair.session() as session:
        session.round(False, None, quiet)
        assert session.verify(quiet).bytes_read == 5 * MIB + 3 + 5
        flip(ext4_pair.source / "large", 3 * MIB)
        _, proof = finish(session)
        assert proof.bytes_read == 16 << 10
        assert session.verify(quiet).bytes_read == 0
    with ext4_pair.session() as session:
        session.round(False, None, quiet)
        assert session.verify(quiet).bytes_read == 0, "a new session knows what was verified"


def test_progress_ends_at_the_total(pair: Pair) -> None:
    fill(pair)
    seen = []
    with pair.session() as session:
        survey = session.survey()
        assert (survey.files, survey.recent_bytes) == (6, survey.bytes)
        assert survey.bytes >= 5 * MIB
        session.round(False, 4 * MIB, seen.append)
        session.verify(quiet)
    assert 2 < len(seen) < 20
    assert [progress.bytes for progress in seen] == sorted(progress.bytes for progress in seen)
    assert all(progress.total_bytes is None or progress.bytes <= progress.total_bytes for progress in seen)
