"""The packet filter of the kernel, told by nft(8), and what the kernel must allow."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .errors import SwitchError

_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
_PROGRAM = "nft"
_SECONDS = 30.0


def check() -> None:
    """Raises SwitchError when the container may not pass packets on."""
    if _FORWARDING.read_text(encoding="ascii").strip() != "1":
        raise SwitchError(
            "net.ipv4.ip_forward is 0: nothing can be passed on. Give the service `sysctls: {net.ipv4.ip_forward: 1}`."
        )


def replace_rules(ruleset: str) -> None:
    """Put the rules in the place of those before, all at once or not at all. Raises SwitchError."""
    try:
        done = subprocess.run(
            [_PROGRAM, "-f", "-"], input=ruleset, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except FileNotFoundError:
        raise SwitchError("There is no program nft; the image needs the package nftables.") from None
    except subprocess.TimeoutExpired:
        raise SwitchError(f"nft did not end within {_SECONDS:.0f} seconds.") from None
    if done.returncode:
        said = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[0]
        right = " Give the service `cap_add: [NET_ADMIN]`." if "not permitted" in said else ""
        raise SwitchError(f"The packet filter refuses the rules: {said}.{right}")
