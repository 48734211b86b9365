"""What can go wrong with the port switch, as errors whose text is ready for the person who gets it."""

from __future__ import annotations


class SwitchError(Exception):
    """The kernel or a program refused what the port switch needs."""


class PropertiesError(SwitchError):
    """Properties have values that are not accepted: one line for each."""
