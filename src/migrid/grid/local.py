"""The two sides of a move on the host where an engine is."""

from __future__ import annotations

from .local_source import LocalSource as LocalSource
from .local_target import LocalTarget as LocalTarget
