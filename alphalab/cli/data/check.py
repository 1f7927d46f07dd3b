"""``alphalab data check``."""

from __future__ import annotations

from alphalab.cli.output import DebugFlag, JsonFlag, QuietFlag


def check(json: JsonFlag = False, quiet: QuietFlag = False, debug: DebugFlag = False) -> None:
    """Not there yet."""
