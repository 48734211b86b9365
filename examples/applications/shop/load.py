#!/usr/bin/env python3
"""Write to the shop without a break, and judge at the end whether it kept its word.

    load.py http://192.0.2.11:8080 http://192.0.2.12:8080 [--rate 20] [--seconds 60] [--journal answers.jsonl]

All addresses are asked at the rate given, each request on a connection of its own and without waiting for the one
before. It ends after the time given, or at SIGINT or SIGTERM, then asks the first address that answers for all writes
and prints its verdict as JSON. The exit status is 1 when an acknowledged write is lost or doubled, or when two shops
ran at once.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import enum
import functools
import http.client
import itertools
import json
import secrets
import signal
import sys
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

SHOWN = 10


class Outcome(enum.StrEnum):
    """What became of a request."""

    ACKNOWLEDGED = "acknowledged"
    DECLINED = "declined"  # the shop answered, with an error
    REFUSED = "refused"  # nobody listens
    BROKEN = "broken"  # the connection broke before the answer; the write may be there or not
    TIMEOUT = "timeout"  # no answer in time; the write may be there or not


@dataclass(frozen=True)
class Answer:
    """One request and what became of it. Times are in seconds since 1970; `instance` is empty when nobody answered."""

    address: str
    id: str
    sent: float
    received: float
    outcome: Outcome
    number: int = 0
    previous: int = 0
    instance: str = ""
    detail: str = ""

    @property
    def acknowledged(self) -> bool:
        return self.outcome is Outcome.ACKNOWLEDGED


@dataclass(frozen=True)
class Writes:
    """All writes as the shop has them, as (number, id), in the database and in the file."""

    database: tuple[tuple[int, str], ...]
    file: tuple[tuple[int, str], ...]
    instance: str = ""


@dataclass(frozen=True)
class Outage:
    """From the first request that was not acknowledged to the next acknowledgement; `until` is None if none came."""

    since: float
    until: float | None
    outcomes: tuple[str, ...]

    @property
    def seconds(self) -> float | None:
        return None if self.until is None else self.until - self.since


@dataclass(frozen=True)
class Verdict:
    """Whether the shop kept its word. `lost`, `doubled`, `forks` and `ran_at_once` say what is wrong, as sentences.

    `outages` are the times at which no address served, as a client sees it that asks all of them.
    """

    acknowledged: int
    requests: int
    instances: tuple[str, ...]
    outages: tuple[Outage, ...]
    by_address: dict[str, tuple[Outage, ...]]
    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    forks: tuple[str, ...]
    ran_at_once: tuple[str, ...]

    @property
    def complaints(self) -> tuple[str, ...]:
        return self.lost + self.doubled + self.forks + self.ran_at_once

    @property
    def downtime(self) -> float:
        """The longest outage that ended, in seconds."""
        return max((outage.seconds for outage in self.outages if outage.seconds is not None), default=0.0)


def judge(answers: Iterable[Answer], writes: Writes | None) -> Verdict:
    """The verdict on answers, and on the writes that the shop has in the end, where these are known."""
    answers = sorted(answers, key=lambda answer: answer.sent)
    addresses = dict.fromkeys(answer.address for answer in answers)
    by_address = {address: outages([one for one in answers if one.address == address]) for address in addresses}
    return Verdict(
        acknowledged=sum(answer.acknowledged for answer in answers),
        requests=len(answers),
        instances=tuple(dict.fromkeys(answer.instance for answer in answers if answer.instance)),
        outages=functools.reduce(common, by_address.values()) if by_address else (),
        by_address=by_address,
        lost=lost(answers, writes) if writes else (),
        doubled=doubled(writes) if writes else (),
        forks=forks(answers) + returns(answers),
        ran_at_once=ran_at_once(answers),
    )


def outages(answers: Sequence[Answer]) -> tuple[Outage, ...]:
    """The times at which one address did not serve. `answers` are in the order of sending."""
    found = []
    for served, group in itertools.groupby(answers, key=lambda answer: answer.acknowledged):
        if not served:
            failed = list(group)
            after = (one.received for one in answers if one.acknowledged and one.sent >= failed[-1].sent)
            outcomes = tuple(sorted({one.outcome for one in failed}))
            found.append(Outage(failed[0].sent, min(after, default=None), outcomes))
    return merged(found)


def merged(found: Iterable[Outage]) -> tuple[Outage, ...]:
    """Outages in the order of their beginning, of which those that overlap are one."""
    kept: list[Outage] = []
    for outage in found:
        if kept and (kept[-1].until is None or outage.since < kept[-1].until):
            last = kept.pop()
            until = None if outage.until is None or last.until is None else max(last.until, outage.until)
            outage = Outage(last.since, until, tuple(sorted({*last.outcomes, *outage.outcomes})))
        kept.append(outage)
    return tuple(kept)


def common(some: tuple[Outage, ...], others: tuple[Outage, ...]) -> tuple[Outage, ...]:
    """The times that are in an outage of both."""
    found = []
    for one, other in itertools.product(some, others):
        since = max(one.since, other.since)
        ends = [outage.until for outage in (one, other) if outage.until is not None]
        if not ends or min(ends) > since:
            found.append(Outage(since, min(ends, default=None), tuple(sorted({*one.outcomes, *other.outcomes}))))
    return tuple(found)


def lost(answers: Iterable[Answer], writes: Writes) -> tuple[str, ...]:
    """Acknowledged writes that are not there under the number that was acknowledged."""
    places = {"database": dict(writes.database), "file": dict(writes.file)}
    return tuple(
        f"write {answer.number} ({answer.id}), acknowledged by {answer.instance}, is not in the {place}"
        for answer in answers
        if answer.acknowledged
        for place, kept in places.items()
        if kept.get(answer.number) != answer.id
    )


def doubled(writes: Writes) -> tuple[str, ...]:
    """Numbers and writes that are there twice, and numbers that were left out."""
    complaints = []
    for place, kept in (("database", writes.database), ("file", writes.file)):
        counts = Counter[int | str](itertools.chain.from_iterable(kept))
        complaints += [f"{what} is {count} times in the {place}" for what, count in counts.items() if count > 1]
    missing = set(range(1, len(writes.database) + 1)) - {number for number, _ in writes.database}
    return (*complaints, *(f"number {number} is missing in the database" for number in sorted(missing)))


def forks(answers: Iterable[Answer]) -> tuple[str, ...]:
    """Numbers that two writes got."""
    first: dict[int, Answer] = {}
    acknowledged = [answer for answer in answers if answer.acknowledged]
    return tuple(
        f"number {answer.number} was given by {first[answer.number].instance} and by {answer.instance}"
        for answer in acknowledged
        if first.setdefault(answer.number, answer) is not answer
    )


def returns(answers: Iterable[Answer]) -> tuple[str, ...]:
    """Writes whose number is lower than one that was acknowledged before they were sent."""
    acknowledged = [answer for answer in answers if answer.acknowledged]
    earlier = collections.deque(sorted(acknowledged, key=lambda answer: answer.received))
    complaints, highest = [], None
    for answer in sorted(acknowledged, key=lambda answer: answer.sent):
        while earlier and earlier[0].received < answer.sent:
            done = earlier.popleft()
            highest = done if highest is None or done.number > highest.number else highest
        if highest and answer.number < highest.number:
            complaints.append(f"{answer.instance} gave {answer.number} after {highest.instance} gave {highest.number}")
    return tuple(complaints)


def ran_at_once(answers: Iterable[Answer]) -> tuple[str, ...]:
    """Pairs of instances of which neither can have ended before the other began.

    An instance was alive at some moment between the sending of a request and the receiving of its answer, so it ran at
    the latest from the first such receiving, and at the earliest until the last such sending.
    """
    lives: dict[str, tuple[float, float]] = {}
    for answer in answers:
        if answer.instance:
            began, ended = lives.get(answer.instance, (answer.received, answer.sent))
            lives[answer.instance] = (min(began, answer.received), max(ended, answer.sent))
    return tuple(
        f"{one} and {other} both ran"
        for one, other in itertools.combinations(lives, 2)
        if lives[one][1] > lives[other][0] and lives[other][1] > lives[one][0]
    )


def name(instance: dict[str, str]) -> str:
    return "/".join(instance[key] for key in ("grid", "container", "start"))


def ask(address: str, method: str, path: str, content: object = None, timeout: float = 10.0) -> tuple[int, Any]:
    """The status and the content of an answer. Raises OSError, http.client.HTTPException."""
    where = urllib.parse.urlsplit(address)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=timeout)
    try:
        body = None if content is None else json.dumps(content)
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def fetch(address: str, timeout: float = 10.0) -> Writes:
    """All writes of the shop at an address. Raises OSError, also when the shop is not well."""
    status, content = ask(address, "GET", "/writes", timeout=timeout)
    if status != http.HTTPStatus.OK:
        raise OSError(f"{address} answers {status}: {content.get('error')}")
    rows = {place: tuple((number, key) for number, key in content[place]) for place in ("database", "file")}
    return Writes(**rows, instance=name(content["instance"]))


def write(address: str, timeout: float) -> Answer:
    """Ask for one write."""
    key, sent = secrets.token_hex(8), time.time()

    def answer(outcome: Outcome, **more: Any) -> Answer:
        return Answer(address, key, sent, time.time(), outcome, **more)

    try:
        status, content = ask(address, "POST", "/writes", {"id": key}, timeout)
    except TimeoutError:
        return answer(Outcome.TIMEOUT)
    except ConnectionRefusedError:
        return answer(Outcome.REFUSED)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return answer(Outcome.BROKEN, detail=f"{type(error).__name__}: {error}")
    instance = name(content["instance"])
    if status != http.HTTPStatus.CREATED:
        return answer(Outcome.DECLINED, instance=instance, detail=str(content.get("error")))
    return answer(Outcome.ACKNOWLEDGED, number=content["number"], previous=content["previous"], instance=instance)


@dataclass
class Load:
    """Requests to all addresses, `rate` a second each, in the background. `answers` grows while it runs."""

    addresses: Sequence[str]
    rate: float = 20.0
    timeout: float = 3.0
    journal: Path | None = None
    answers: list[Answer] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _ticker: threading.Thread | None = None

    def __enter__(self) -> Load:
        self._ticker = threading.Thread(target=self._tick)
        self._ticker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._ticker:
            self._ticker.join()

    def _tick(self) -> None:
        with ThreadPoolExecutor(max_workers=int(len(self.addresses) * (self.rate * self.timeout + 1))) as pool:
            due = time.monotonic()
            while not self._ended.wait(max(0.0, due - time.monotonic())):
                for address in self.addresses:
                    pool.submit(self._write, address)
                due += 1 / self.rate

    def _write(self, address: str) -> None:
        answer = write(address, self.timeout)
        self.answers.append(answer)
        if self.journal:
            with self.journal.open("a", encoding="utf-8") as file:
                file.write(json.dumps(dataclasses.asdict(answer)) + "\n")


def writes_in_the_end(addresses: Sequence[str], patience: float = 60.0) -> Writes:
    """All writes, from the first address that has them. Raises OSError when none has after `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        for address in addresses:
            try:
                return fetch(address)
            except (OSError, http.client.HTTPException, ValueError) as error:
                reason = error
        if time.monotonic() > deadline:
            raise OSError(f"no address has the writes: {reason}")
        time.sleep(0.2)


def report(verdict: Verdict) -> dict[str, Any]:
    """A verdict as JSON has it, of long lists the beginning."""
    content = dataclasses.asdict(verdict) | {"downtime_seconds": round(verdict.downtime, 3)}
    for key in ("lost", "doubled", "forks", "ran_at_once"):
        content[key] = {"count": len(content[key]), "first": content[key][:SHOWN]}
    return content


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("addresses", nargs="+", metavar="URL")
    parser.add_argument("--rate", type=float, default=20.0, help="requests a second to each address (20)")
    parser.add_argument("--timeout", type=float, default=3.0, help="seconds to wait for an answer (3)")
    parser.add_argument("--seconds", type=float, help="how long to write (until a signal)")
    parser.add_argument("--journal", type=Path, help="append every answer to this file")
    options = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with Load(options.addresses, options.rate, options.timeout, options.journal) as load:
        ended.wait(options.seconds)
    verdict = judge(load.answers, writes_in_the_end(options.addresses))
    json.dump(report(verdict), sys.stdout, indent=2)
    print()
    return 1 if verdict.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
