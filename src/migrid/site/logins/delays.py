"""How long to wait after failed logins, so that guessing is slow and no stranger can lock out a user.

An address from which the user logged in lately is only subject to its own failures for that login. All other
addresses are also subject to what strangers did: to this login, from this address, and with codes for this login.
Only who knows the password can cause the last.
"""

from __future__ import annotations

from typing import NamedTuple

HOUR = 3600.0
DAY = 24 * HOUR
KNOWN_ADDRESS = 30 * DAY


class Rule(NamedTuple):
    """Failures with the same `keys`, of those that `counted` (SQL) chooses, count together for `memory` seconds.

    The first `free` ones are without delay; from then on each doubles it, from one second up to `longest`.
    """

    why: str
    keys: tuple[str, ...]
    counted: str
    free: int
    longest: float
    memory: float

    def wait(self, failures: int, last: float, now: float) -> float:
        """Seconds until the next attempt, after so many failures with the last at this time; 0 if it may come now."""
        if failures < self.free:
            return 0.0
        delay = min(self.longest, 2.0 ** min(failures - self.free, 30))
        return max(0.0, min(delay, last + delay - now))


OWN = Rule("failures of this login from this address", ("login", "address"), "TRUE", 5, 900, DAY)
STRANGERS = (
    Rule("failures of this login from new addresses", ("login",), "NOT known", 10, 30, DAY),
    Rule("failures from this address", ("address",), "NOT known", 30, 900, HOUR),
    Rule("wrong codes of this login from new addresses", ("login",), "NOT known AND wrong_code", 5, 900, DAY),
)
