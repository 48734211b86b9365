"""Everything that a file can be survives the copy, in a first round and as a change of an old copy."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from random_tree import CAPABILITY
from volumes_rig import Pair, quiet

MIB = 1 << 20
Make = Callable[[Path], None]


def hard_links(top: Path) -> None:
    (top / "b").write_bytes(b"shared")
    (top / "a").hardlink_to(top / "b")
    (top / "below").mkdir()
    (top / "below" / "c").hardlink_to(top / "b")


def hard_linked_symlinks(top: Path) -> None:
    (top / "b").symlink_to("nowhere")
    os.link(top / "b", top / "a", follow_symlinks=False)


def user_attribute(top: Path) -> None:
    (top / "file").write_bytes(b"x")
    for path in (top, top / "file"):
        os.setxattr(path, "user.color", b"blue\0\xff")


def large_attributes(top: Path) -> None:
    (top / "file").write_bytes(b"x")
    for number in range(20):
        os.setxattr(top / "file", f"user.{number}", bytes([number]) * 100)


def trusted_attribute(top: Path) -> None:
    (top / "link").symlink_to("x")
    for path in (top, top / "link"):
        os.setxattr(path, "trusted.secret", b"1", follow_symlinks=False)


def acl(top: Path) -> None:
    (top / "file").write_bytes(b"x")
    subprocess.run(["setfacl", "-m", "u:1234:rw,g:77:r,m::r", top / "file"], check=True)


def default_acl(top: Path) -> None:
    (top / "directory").mkdir()
    (top / "directory" / "older").write_bytes(b"has no acl")
    subprocess.run(["setfacl", "-d", "-m", "u:1234:rwx", top / "directory"], check=True)
    (top / "directory" / "younger").mkdir()


def capability(top: Path) -> None:
    (top / "program").write_bytes(b"\x7fELF")
    os.setxattr(top / "program", "security.capability", CAPABILITY)
    os.chown(top / "program", 0, 0)
    os.setxattr(top / "program", "security.capability", CAPABILITY)
    (top / "program").chmod(0o755)


def owner_and_setgid(top: Path) -> None:
    (top / "directory").mkdir()
    os.chown(top / "directory", 999, 998)
    (top / "directory").chmod(0o2775)
    (top / "directory" / "program").write_bytes(b"x")
    os.chown(top / "directory" / "program", 999, 4_000_000_000)
    (top / "directory" / "program").chmod(0o6711)
    (top / "directory" / "shared").mkdir()
    (top / "directory" / "shared").chmod(0o1777)


def unreadable(top: Path) -> None:
    (top / "closed").mkdir()
    (top / "closed" / "file").write_bytes(b"x")
    (top / "closed" / "file").chmod(0)
    (top / "closed").chmod(0)


def symlinks(top: Path) -> None:
    for number, target in enumerate(["/abs/x", "../..", "no such\nfile", "x" * 4000]):
        (top / str(number)).symlink_to(target)
    os.lchown(top / "0", 999, 998)
    os.utime(top / "0", ns=(1, 1_234_567_890_123_456_789), follow_symlinks=False)


def fifos_and_devices(top: Path) -> None:
    os.mkfifo(top / "fifo", 0o640)
    os.mknod(top / "null", 0o020666, os.makedev(1, 3))
    os.mknod(top / "loop", 0o060640, os.makedev(7, 1234))
    os.chown(top / "null", 999, 998)
    os.utime(top / "fifo", ns=(1, 987_654_321))


def sockets(top: Path) -> None:
    here = Path.cwd()
    os.chdir(top)
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("socket")
    finally:
        os.chdir(here)


def times(top: Path) -> None:
    (top / "file").write_bytes(b"x")
    (top / "directory").mkdir()
    (top / "directory" / "inner").write_bytes(b"x")
    for path, time in ((top / "file", 1_700_000_000_123_456_789), (top / "directory", 1), (top, -1_500_000_000)):
        os.utime(path, ns=(time, time))


def names(top: Path) -> None:
    for name in (b"line\nfeed", b"\xff\xfe", b"tab\t", b"back\\slash", b" ", b"-rf", b"*", b"n" * 255, "Zoë".encode()):
        (top / os.fsdecode(name)).write_bytes(name)
    (top / os.fsdecode(b"\xe9" * 255)).mkdir()


def empty(top: Path) -> None:
    (top / "directory").mkdir()
    (top / "file").touch()


def sizes(top: Path) -> None:
    for size in (1, 16383, 16384, 16385, MIB - 1, MIB, MIB + 1, 3 * MIB + 5):
        (top / str(size)).write_bytes(os.urandom(size))
        (top / f"{size} zeros").write_bytes(bytes(size))


FIDELITY: list[Make] = [
    hard_links, hard_linked_symlinks, user_attribute, large_attributes, trusted_attribute, acl, default_acl, capability,
    owner_and_setgid, unreadable, symlinks, fifos_and_devices, sockets, times, names, empty, sizes,
]  # fmt: skip


@pytest.mark.parametrize("make", FIDELITY)
def test_survives(pair: Pair, make: Make) -> None:
    make(pair.source)
    pair.copy()
    pair.assert_equal()


@pytest.mark.parametrize("make", FIDELITY)
def test_is_made_of_something_else(ext4_pair: Pair, make: Make) -> None:
    for other in FIDELITY:
        if other is not make and other not in (unreadable, default_acl):
            _try(other, ext4_pair.source)
    with ext4_pair.session() as session:
        session.round(False, None, quiet)
    subprocess.run(["find", ext4_pair.source, "-mindepth", "1", "-delete"], check=True)
    make(ext4_pair.source)
    ext4_pair.copy()
    ext4_pair.assert_equal()


def _try(make: Make, top: Path) -> None:
    try:
        make(top)
    except (FileExistsError, IsADirectoryError):
        return


def test_holes_stay_holes_and_become_holes(pair: Pair) -> None:
    path, copy = pair.source / "sparse", pair.target / "sparse"
    with path.open("wb") as stream:
        stream.truncate(64 * MIB)
        stream.seek(20 * MIB + 5)
        stream.write(os.urandom(3 * MIB))
    (pair.source / "zeros").write_bytes(bytes(2 * MIB))
    with pair.session() as session:
        session.round(False, None, quiet)
        assert copy.stat().st_blocks * 512 <= path.stat().st_blocks * 512 + MIB
        assert (pair.target / "zeros").stat().st_blocks * 512 >= 2 * MIB, "zeros that take room take room there"
        subprocess.run(["fallocate", "--punch-hole", "--offset", str(21 * MIB), "--length", str(MIB), path], check=True)
        before = copy.stat().st_blocks
        session.round(True, None, quiet)
        session.verify(quiet)
    assert copy.stat().st_blocks * 512 <= before * 512 - MIB
    pair.assert_equal()


def test_a_huge_sparse_file_takes_no_room_and_no_time(ext4_pair: Pair) -> None:
    with (ext4_pair.source / "huge").open("wb") as stream:
        stream.truncate(8 << 40)
        stream.seek(5 << 40)
        stream.write(b"x")
    last, _ = ext4_pair.copy()
    assert last.bytes < MIB
    assert (ext4_pair.target / "huge").stat().st_size == 8 << 40
    assert (ext4_pair.target / "huge").stat().st_blocks * 512 < MIB


def test_a_path_may_be_longer_than_the_kernel_takes_at_once(pair: Pair) -> None:
    def deep(top: Path, make: bool) -> bytes:
        directory = os.open(top, os.O_RDONLY)
        for _ in range(40):
            if make:
                os.mkdir(b"d" * 200, dir_fd=directory)
            below = os.open(b"d" * 200, os.O_RDONLY | os.O_DIRECTORY, dir_fd=directory)
            os.close(directory)
            directory = below
        flags = os.O_WRONLY | os.O_CREAT if make else os.O_RDONLY
        with os.fdopen(os.open("file", flags, dir_fd=directory), "wb" if make else "rb") as stream:
            os.close(directory)
            return stream.write(b"deep").to_bytes() if make else stream.read()

    deep(pair.source, make=True)
    pair.copy()
    assert deep(pair.target, make=False) == b"deep"
    subprocess.run(["rm", "-r", *pair.source.iterdir()], check=True)
    pair.copy()
    pair.assert_equal()


def test_a_directory_of_5000_entries(ext4_pair: Pair) -> None:
    for number in range(5000):
        (ext4_pair.source / f"{number:04}").write_bytes(b"%d" % number)
    last, proof = ext4_pair.copy()
    assert last.files == proof.files == 5001
    ext4_pair.assert_equal()


def test_several_trees_travel_together(file_system: Path, tmp_path: Path) -> None:
    top = file_system / tmp_path.name
    pair = Pair(top / "source", top / "target", tmp_path / "state", ("data", "data-2", "project"))
    for number, source in enumerate(pair.sources.values()):
        (source / "same name").write_bytes(b"%d" % number)
        (source / "a").hardlink_to(source / "same name")
    pair.copy()
    pair.assert_equal()


def test_what_security_modules_of_the_host_put_there_does_not_travel(tmpfs: Path, tmp_path: Path) -> None:
    pair = Pair(tmpfs / tmp_path.name / "s", tmpfs / tmp_path.name / "t", tmp_path / "state")
    (pair.source / "file").write_bytes(b"x")
    os.setxattr(pair.source / "file", "security.selinux", b"system_u:object_r:container_file_t:s0")
    os.setxattr(pair.source / "file", "security.other", b"travels")
    pair.copy()
    assert os.listxattr(pair.target / "file") == ["security.other"]
