"""Measure the copying of volumes against cp and rsync, on one file system and over one SSH, with the same cipher.

    .venv/bin/python bench/volumes.py [--directory DIRECTORY] [--rounds 3] [--gib 4] [--large] [--no-growth] [--btrfs]

As root. Needs rsync, openssh-server and room for four times the data (4.3 GiB; 16 GiB with --large) in DIRECTORY, by
default build/bench-volumes. A throwaway sshd listens on a free port of this machine meanwhile, with a key of its own.

With --btrfs, all of it is in a btrfs of its own, on a loop device, and the source is a subvolume, which our sender
makes snapshots of.

The data is one large file and 20,000 small ones. Every time is until the target is durable, and each run waits for the
machine to be idle. `stop` is what lies within the downtime of a move: 1 % of the pages of the large file, scattered,
and 1 % of the small files have changed since the last round; ours is the last round and its verification together.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "src"))

from migrid.grid.volumes.client import Channel, Progress, Session  # noqa: E402
from migrid.grid.volumes.inprocess import InProcessMover  # noqa: E402

MIB = 1 << 20
PAGE = 8 << 10
SMALL_FILES = 20_000
DIRECTORIES = 200
IDLE_PART = 0.8
IDLE_SECONDS = 1.0
ANSWER_SECONDS = 30
BEST_RSYNC = ("-aHAXS", "--numeric-ids", "--delete", "--inplace", "--no-whole-file", "-B", "16384")
FIRST_RSYNC = ("-aHAXS", "--numeric-ids")
PLAIN_RSYNC = ("-a",)


@dataclass(frozen=True)
class Ssh:
    """How this machine reaches itself."""

    port: int
    key: Path

    def command(self) -> list[str]:
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "IdentitiesOnly=yes")
        flags = [flag for option in (*options, "Ciphers=aes128-gcm@openssh.com") for flag in ("-o", option)]
        return ["ssh", "-F", "none", *flags, "-i", str(self.key), "-p", str(self.port)]

    def rsync(self, source: Path, target: Path, options: Sequence[str]) -> None:
        """Pull, as a move does."""
        remote = f"root@127.0.0.1:{source}/"
        run(["rsync", *options, "-e", " ".join(self.command()), remote, f"{target}/"])

    @contextmanager
    def session(self, source: Path, target: Path, state: Path) -> Iterator[Session]:
        """A receiver here with a sender at the other end of SSH."""
        places = source.parent / "snapshots"
        there = f"{sys.executable} {Path(__file__).resolve()} --serve {source} --snapshots {places}"
        command = [*self.command(), "root@127.0.0.1", there]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
            if client.stdin is None or client.stdout is None:
                raise RuntimeError("ssh has no pipes")
            channel = Channel(client.stdout.fileno(), client.stdin.fileno(), lambda: None)
            session = InProcessMover({"data": target}).receive(channel, state)
            try:
                yield session
            finally:
                session.close()


@contextmanager
def throwaway_sshd(directory: Path) -> Iterator[Ssh]:
    """An sshd on a free port that lets root in with a key made for it."""
    directory.mkdir(mode=0o700)
    for name in ("host", "key"):
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f", str(directory / name)])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    Path("/run/sshd").mkdir(exist_ok=True)
    settings = (
        f"ListenAddress=127.0.0.1:{port}", f"HostKey={directory / 'host'}", "PidFile=none", "UsePAM=no",
        f"AuthorizedKeysFile={directory / 'key.pub'}", "PermitRootLogin=prohibit-password", "StrictModes=no",
    )  # fmt: skip
    flags = [flag for setting in settings for flag in ("-o", setting)]
    program = shutil.which("sshd", path="/usr/sbin:/usr/bin") or sys.exit("sshd is not installed: openssh-server")
    with subprocess.Popen([program, "-D", "-f", "/dev/null", *flags], stderr=subprocess.DEVNULL) as process:
        try:
            wait_for_port(port)
            yield Ssh(port, directory / "key")
        finally:
            process.terminate()


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit("the throwaway sshd does not answer")


@dataclass(frozen=True)
class Data:
    """What is copied."""

    directory: Path
    random: random.Random

    @property
    def large(self) -> Path:
        return self.directory / "large"

    def fill(self, mib: int) -> None:
        """Make the large file and the small ones, 284 MiB of these."""
        make_source(self.directory)
        with self.large.open("wb") as file:
            for _ in range(mib):
                file.write(os.urandom(MIB))
        for number in range(SMALL_FILES):
            path = self.small(number)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(os.urandom(min(int(self.random.lognormvariate(8.5, 1.45)), MIB)))

    def small(self, number: int) -> Path:
        return self.directory / f"d{number % DIRECTORIES:03}" / f"{number:05}"

    def change(self, part: float) -> None:
        """Rewrite a part of the pages of the large file, and of the small files."""
        pages = self.large.stat().st_size // PAGE
        with self.large.open("r+b", buffering=0) as file:
            for page in self.random.sample(range(pages), int(pages * part)):
                os.pwrite(file.fileno(), os.urandom(PAGE), page * PAGE)
        for number in self.random.sample(range(SMALL_FILES), int(SMALL_FILES * part)):
            self.small(number).write_bytes(os.urandom(self.small(number).stat().st_size))
        durable(self.directory)


@dataclass(frozen=True)
class Bench:
    """One place, one SSH, some data."""

    directory: Path
    ssh: Ssh
    data: Data
    rounds: int
    patience: float

    def target(self, name: str) -> Path:
        return self.directory / "targets" / name

    def empty(self, name: str) -> Path:
        path = self.target(name)
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        durable(path)
        return path

    def first_copies(self) -> dict[str, list[float]]:
        """Seconds of each way to make a first copy; the last copies stay."""
        seconds: dict[str, list[float]] = {"cp -a": [], "rsync -aHAXS": [], "ours": []}
        for _ in range(self.rounds):
            cp, rsync, ours = (self.empty(name) for name in seconds)
            plain = ["cp", "-a", "--reflink=never", f"{self.data.directory}/.", str(cp)]
            seconds["cp -a"].append(self.timed(lambda plain=plain: run(plain), cp))
            shutil.rmtree(cp)
            copy = self.data.directory, rsync, FIRST_RSYNC
            seconds["rsync -aHAXS"].append(self.timed(lambda copy=copy: self.ssh.rsync(*copy), rsync))
            shutil.rmtree(self.state, ignore_errors=True)
            with self.ssh.session(self.data.directory, ours, self.state) as session:
                seconds["ours"].append(self.timed(lambda session=session: session.round(False, None, quiet), ours))
        return seconds

    @property
    def state(self) -> Path:
        return self.directory / "state"

    def stops(self, part: float, ways: Sequence[str]) -> dict[str, list[float]]:
        """Seconds of each way to copy what has changed."""
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        with self.ssh.session(self.data.directory, self.target("ours"), self.state) as session:
            for _ in range(self.rounds):
                session.round(False, None, quiet)
                session.verify(quiet)
                self.data.change(part)
                for way in ways:
                    seconds[way].append(self._stop(way, session))
        return seconds

    def timed(self, work: Callable[[], object], target: Path) -> float:
        """Seconds until the work is done and durable, on an idle machine."""
        wait_for_idle(self.patience)
        start = time.perf_counter()
        work()
        durable(target)
        return time.perf_counter() - start

    def _stop(self, way: str, session: Session) -> float:
        source, rsync = self.data.directory, self.target("rsync -aHAXS")
        if way == "ours":
            return self.timed(lambda: finish(session), self.target("ours"))
        if way == "best rsync":
            return self.timed(lambda: self.ssh.rsync(source, rsync, BEST_RSYNC), rsync)
        plain = self.target("plain")
        return self.timed(lambda: self.ssh.rsync(source, plain, PLAIN_RSYNC), plain)


def make_source(directory: Path) -> None:
    """An empty directory; a subvolume where its file system has these, with a place for snapshots."""
    places = directory.parent / "snapshots" / "data"
    places.mkdir(parents=True, exist_ok=True)
    command = ["btrfs", "-q", "subvolume", "create", str(directory)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        directory.mkdir()


@contextmanager
def btrfs(directory: Path, gib: int) -> Iterator[Path]:
    """A btrfs in a file of the directory."""
    image, mount = directory / "image", directory / "btrfs"
    with image.open("wb") as file:
        file.truncate(gib << 30)
    mount.mkdir()
    run(["mkfs.btrfs", "-q", str(image)])
    device = subprocess.run(
        ["losetup", "--find", "--show", "--direct-io=on", str(image)], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip()
    try:
        run(["mount", device, str(mount)])
        try:
            yield mount
        finally:
            run(["umount", str(mount)])
    finally:
        run(["losetup", "--detach", device])


def finish(session: Session) -> None:
    last = session.round(True, None, quiet)
    if session.verify(quiet).manifest != last.manifest:
        sys.exit("the copy is not the source")


def wait_for_idle(patience: float) -> None:
    deadline = time.monotonic() + patience
    before = cpu_times()
    while time.monotonic() < deadline:
        time.sleep(IDLE_SECONDS)
        now = cpu_times()
        idle, total = (new - old for new, old in zip(now, before, strict=True))
        if idle >= IDLE_PART * total:
            return
        before = now
    print("the machine is not idle", file=sys.stderr)


def cpu_times() -> tuple[int, int]:
    """Ticks that the processors were idle, and all."""
    numbers = [int(word) for word in Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:9]]
    return numbers[3] + numbers[4], sum(numbers)


def durable(path: Path) -> None:
    run(["sync", "-f", str(path)])


def run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True)


def quiet(progress: Progress) -> None:
    """Nobody looks."""


def print_ratio(title: str, ours: Sequence[float], theirs: Sequence[float], goal: float) -> None:
    medians = statistics.median(ours), statistics.median(theirs)
    ratio = medians[0] / medians[1]
    verdict = "ok" if ratio <= goal else "MISSED"
    title = f"{title} (goal <= {goal:g})"
    print(f"{title:44} {medians[0]:8.2f} {medians[1]:8.2f} {ratio:7.2f}  {verdict}", flush=True)


def measure(bench: Bench, goal: float) -> None:
    print(f"{'median seconds':44} {'ours':>8} {'peer':>8} {'ratio':>7}", flush=True)
    first = bench.first_copies()
    print_ratio("first copy, cp -a", first["ours"], first["cp -a"], 3.0)
    print_ratio("first copy, rsync -aHAXS", first["ours"], first["rsync -aHAXS"], 0.95)
    bench.ssh.rsync(bench.data.directory, bench.empty("plain"), FIRST_RSYNC)
    stop = bench.stops(0.01, ("best rsync", "plain rsync", "ours"))
    print_ratio("stop, best rsync", stop["ours"], stop["best rsync"], goal)
    print_ratio("stop, plain rsync -a", stop["ours"], stop["plain rsync"], 0.2)
    shutil.rmtree(bench.target("plain"))


def measure_growth(bench: Bench, sizes: Sequence[int]) -> None:
    for part in (0.001, 0.01, 0.1):
        stop = bench.stops(part, ("best rsync", "ours"))
        print_growth(f"stop, {bench.data.large.stat().st_size / 1024 / MIB:.0f} GiB, {part:.1%} changed", stop)
    for gib in sizes:
        bench.data.large.unlink()
        shutil.rmtree(bench.data.directory)
        bench.data.fill(gib * 1024)
        first = bench.first_copies()
        print_growth(f"first copy, {gib} GiB", {"best rsync": first["rsync -aHAXS"], "ours": first["ours"]})
        print_growth(f"stop, {gib} GiB, 1.0% changed", bench.stops(0.01, ("best rsync", "ours")))


def print_growth(title: str, seconds: dict[str, list[float]]) -> None:
    ours, theirs = statistics.median(seconds["ours"]), statistics.median(seconds["best rsync"])
    print(f"{title:44} {ours:8.2f} {theirs:8.2f} {ours / theirs:7.2f}", flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--directory", type=Path, default=PROJECT / "build" / "bench-volumes", help="where to work")
    parser.add_argument("--rounds", type=int, default=3, help="how often each way takes its turn")
    parser.add_argument("--gib", type=float, default=4, help="size of the large file")
    parser.add_argument("--large", action="store_true", help="measure 16 GiB too")
    parser.add_argument("--no-growth", action="store_true", help="measure one size and one change rate only")
    parser.add_argument("--patience", type=float, default=60, help="seconds to wait for the machine to be idle")
    parser.add_argument("--btrfs", action="store_true", help="in a btrfs of its own")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--snapshots", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = arguments()
    if options.serve:
        InProcessMover({"data": options.serve}, options.snapshots).send(Channel(0, 1, lambda: None))()
        return
    options.directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.directory) as name, ExitStack() as stack:
        directory = Path(name)
        ssh = stack.enter_context(throwaway_sshd(directory / "ssh"))
        work = stack.enter_context(btrfs(directory, 80 if options.large else 30)) if options.btrfs else directory
        data = Data(work / "source", random.Random(1))  # noqa: S311
        data.fill(int(options.gib * 1024))
        bench = Bench(work, ssh, data, options.rounds, options.patience)
        measure(bench, 0.1 if options.btrfs else 0.35)
        if not options.no_growth:
            measure_growth(bench, (1, 16) if options.large else (1,))


if __name__ == "__main__":
    main()
