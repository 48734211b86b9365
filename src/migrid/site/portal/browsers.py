"""What people call a browser that says of itself `Mozilla/5.0 …` (RFC 9110, section 10.1.5)."""

from __future__ import annotations

BROWSERS = {"Firefox/": "Firefox", "Edg/": "Edge", "OPR/": "Opera", "Chrome/": "Chrome", "Safari/": "Safari"}
SYSTEMS = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Windows": "Windows",
    "Macintosh": "macOS",
    "Linux": "Linux",
}
"""The first that fits counts: later ones are named by the others too, for the sake of old pages."""


def browser_name(agent: str) -> str:
    """Such as `Firefox on Linux`; what is not known stays as it is."""
    browser = next((name for mark, name in BROWSERS.items() if mark in agent), "")
    system = next((name for mark, name in SYSTEMS.items() if mark in agent), "")
    return f"{browser} on {system}" if browser and system else agent[:60] or "unknown"
