"""Settings of a check: the severity and the thresholds of the rules."""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta

from alphalab.data.quality.registry import RULES, Level
from alphalab.errors import InputError, ParameterError, UnknownNameError, led_by
from alphalab.settings import NonNegative, Positive, Rows, Settings

OnErrors: TypeAlias = Literal["refuse", "accept", "unchecked"]

_LIKE = ("min_rows", "window")
_JUMPS = (*_LIKE, "jump_sigmas", "jump_move", "split_tolerance")

#: The thresholds of a rule.
_THRESHOLDS: dict[str, tuple[str, ...]] = {
    "stale": ("min_rows", "stale_rows", "stale_days"),
    "outliers": (*_LIKE, "outlier_sigmas", "outlier_move"),
    "splits": _JUMPS,
    "jumps": _JUMPS,
    "volume_spikes": (*_LIKE, "volume_sigmas", "volume_times"),
    "zero_volume": ("min_rows",),
    "spacing": ("min_rows",),
    "gaps": ("holiday_days",),
    "funding": ("funding_late",),
}


class QualitySettings(Settings, frozen=True, kw_only=True):
    """How data is checked.

    Parameters
    ----------
    severity : dict of str to {"error", "warning", "info", "off"}
        Severity by rule; others have the default of `alphalab.data.quality.registry.RULES`.
    on_errors : {"refuse", "accept", "unchecked"}
        How a backtest treats data with errors. ``accept``: results state them. ``unchecked``: no
        rule is checked, and results say so.
    min_rows : int
        Least number of rows of a symbol for the rules that compare rows with each other.
    window : int
        Number of rows from which the level and the deviation around a row are estimated.
    stale_rows, stale_days : int
        Number of unchanged bars in succession that is reported: for bars shorter than a day, and
        for daily or longer ones.
    outlier_sigmas : float
        Distance of a price from both neighbours, in robust deviations of the returns.
    jump_sigmas : float
        Size of a level shift, in the same unit.
    outlier_move, jump_move : float
        Smaller moves, as a fraction, are not reported.
    split_tolerance : float
        Relative distance of a jump from a split ratio that still counts as a split; the deviation
        of the returns where that is larger.
    volume_sigmas, volume_times : float
        A spike is this many robust deviations of the log volume above the usual level, and this
        many times the usual volume.
    holiday_days : int
        Number of successive weekdays that may be missing without a calendar.
    funding_late : float
        Seconds that the stamp of a funding may lag.
    max_rows : int
        Number of rows that a finding lists.

    Raises
    ------
    UnknownNameError
        No such rule; near names are suggested.
    ParameterError
        A value of the wrong type or outside its range.

    Examples
    --------
    >>> QualitySettings(severity={"gaps": "error"}).level("gaps")
    'error'
    >>> QualitySettings(severity={"gap": "error"})
    Traceback (most recent call last):
        ...
    alphalab.errors.UnknownNameError: unknown rule 'gap': did you mean 'gaps'?
      Rule: known names are ...
    """

    severity: dict[str, Level] = {}  # noqa: RUF012
    on_errors: OnErrors = "refuse"
    min_rows: Rows = 100
    window: Annotated[int, Meta(ge=20)] = 250
    stale_rows: Rows = 20
    stale_days: Rows = 5
    outlier_sigmas: Positive = 12.0
    outlier_move: NonNegative = 0.01
    jump_sigmas: Positive = 8.0
    jump_move: NonNegative = 0.4
    split_tolerance: NonNegative = 0.03
    volume_sigmas: Positive = 6.0
    volume_times: Positive = 50.0
    holiday_days: Annotated[int, Meta(ge=0)] = 5
    funding_late: NonNegative = 60.0
    max_rows: Annotated[int, Meta(ge=0)] = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.severity:
            if name not in RULES:
                raise UnknownNameError("rule", name, RULES)

    def of_rules(self, rules: Collection[str]) -> dict[str, Any]:
        """Return the severities that were set, and the thresholds of some rules."""
        used = {name for rule in rules for name in _THRESHOLDS.get(rule, ())}
        said: dict[str, Any] = {"severity": self.severity} if self.severity else {}
        names = (name for name in self.__struct_fields__ if name in used)
        return said | {name: getattr(self, name) for name in names}

    def level(self, rule: str) -> Level:
        """Return the severity of a rule."""
        return self.severity.get(rule, RULES[rule].severity)


def quality_settings(given: Any, where: str = "") -> QualitySettings:
    """Return the settings of a table of names and values, as a TOML file has them.

    Parameters
    ----------
    given : mapping of str to object
    where : str
        What leads the messages: the file.

    Raises
    ------
    UnknownNameError, ParameterError
        An unknown name, or a value outside its range.

    Examples
    --------
    >>> quality_settings({"stale_rows": 5, "severity": {"gaps": "off"}}).stale_rows
    5
    """
    with led_by(f"{where}: " if where else ""):
        if not isinstance(given, dict):
            raise ParameterError(f"quality = {given!r}", rule="settings of quality are a table.")
        for name in given:
            if name not in QualitySettings.__struct_fields__:
                raise UnknownNameError(
                    "setting of quality", name, QualitySettings.__struct_fields__
                )
        return QualitySettings(**given)


def read_quality_settings(path: Path) -> QualitySettings:
    """Read the settings of a TOML file: its table ``[quality]``, if it has one, else all of it.

    Raises
    ------
    InputError
        No such file, not a TOML file, or unknown settings.
    """
    try:
        given = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", rule="settings are a TOML file.") from None
    except ValueError as error:  # not TOML, or not text
        raise InputError(
            f"{path}: {error}",
            rule="settings are a TOML file: lines like stale_rows = 50, and a table [severity].",
        ) from None
    return quality_settings(given.get("quality", given), str(path))
