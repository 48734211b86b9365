"""The port switch at work: it watches its properties and the addresses of names, and tells the kernel what changed."""

from __future__ import annotations

import logging
import select
import signal
import socket
from collections.abc import Mapping
from pathlib import Path

from . import conntrack, kernel
from .addresses import Addresses, Resolver
from .errors import PropertiesError, SwitchError
from .flows import stale
from .properties import Properties, from_environment, from_file, parse
from .proxy import Proxies, configuration, wanted
from .rules import ruleset

INTERVAL = 0.5
_ENDING = {signal.SIGTERM, signal.SIGINT}

_log = logging.getLogger("ps8")


class Source:
    """The environment, and a file whose lines win over it."""

    def __init__(self, environment: Mapping[str, str], file: Path) -> None:
        self._environment = from_environment(environment)
        self._file = file

    def text(self) -> str:
        """What is in the file; nothing if there is none. Raises PropertiesError."""
        try:
            return self._file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeError) as error:
            raise PropertiesError(f"{self._file} cannot be read: {error}.") from None

    def properties(self, text: str) -> Properties:
        """What the environment and this text of the file say. Raises PropertiesError."""
        try:
            lines = from_file(text)
        except PropertiesError as error:
            raise PropertiesError(f"{self._file}, {error}") from None
        return parse({**self._environment, **lines})


class Watch:
    """The properties that count: those of the source, from the second look on that finds the same in the file.

    Who writes a file does not write it in one moment.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._taken = self._seen = source.text()
        self._complaints = Complaints()
        self.properties = source.properties(self._taken)

    def look(self, at_once: bool) -> None:
        """Take new properties over. What is wrong with them is logged, and those before stay."""
        try:
            text = self._source.text()
            if text != self._taken and (at_once or text == self._seen):
                self._taken = text
                self.properties = self._source.properties(text)
                self._complaints.end()
                _log.info("the properties changed")
            self._seen = text
        except PropertiesError as error:
            self._complaints.say(f"The properties stay as they were:\n{error}")


class Switch:
    """What the kernel and the proxies were told."""

    def __init__(self) -> None:
        self._proxies = Proxies()
        self._rules = ""

    def lead(self, properties: Properties, addresses: Addresses) -> None:
        """Let traffic go where the properties lead it. Raises SwitchError; another attempt may help.

        Connections that go on leading where they led are not touched.
        """
        proxied = wanted(properties, addresses)
        self._proxies.listen(proxied)
        rules = ruleset(properties, addresses)
        if rules != self._rules:
            kernel.replace_rules(rules)
            self._proxies.end_others(proxied)
            conntrack.forget(stale(conntrack.flows(), properties, addresses))
            self._rules = rules

    def end(self) -> None:
        """End the proxies. The rules stay until the container's network goes."""
        self._proxies.end()


class Signals:
    """SIGTERM and SIGINT end the service, SIGHUP lets it look at its properties at once."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno())
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)

    def wait(self, seconds: float) -> bytes:
        """The signals that came; after so many seconds none."""
        ready, _, _ = select.select([self._reader], [], [], seconds)
        return self._reader.recv(4096) if ready else b""


class Complaints:
    """What is wrong, said once as long as it stays the same."""

    def __init__(self) -> None:
        self._said = ""

    def say(self, text: str) -> None:
        if text != self._said:
            _log.error("%s", text)
        self._said = text

    def end(self) -> None:
        self._said = ""


def run(source: Source) -> None:
    """Switch until SIGTERM. Raises PropertiesError and SwitchError for what is wrong from the start."""
    signals = Signals()
    kernel.check()
    watch, resolver, switch, complaints = Watch(source), Resolver(), Switch(), Complaints()
    try:
        switch.lead(watch.properties, resolver.look_up(watch.properties.addresses))
        _log.info("the port switch is ready")
        while not _ENDING & (came := set(signals.wait(INTERVAL))):
            watch.look(at_once=signal.SIGHUP in came)
            try:
                switch.lead(watch.properties, resolver.look_up(watch.properties.addresses))
                complaints.end()
            except SwitchError as error:
                complaints.say(str(error))
    finally:
        switch.end()


def explain(source: Source) -> str:
    """The rules, and the configurations of the proxies, that the properties lead to now. Raises PropertiesError."""
    properties = source.properties(source.text())
    addresses = Resolver().look_up(properties.addresses)
    proxied = wanted(properties, addresses)
    parts = [configuration(output, address, 3) for output, address in proxied.values() if address]
    return "\n".join((ruleset(properties, addresses), *parts))
