"""The quality rules: name, default severity and remedy of each."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Severity: TypeAlias = Literal["error", "warning", "info"]
Level: TypeAlias = Literal["error", "warning", "info", "off"]

#: From most to least severe.
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


class Rule(NamedTuple):
    """A quality rule.

    Attributes
    ----------
    name : str
    severity : {"error", "warning", "info"}
        The default; settings may change it.
    title : str
        A heading.
    fix : str
        The remedy.
    """

    name: str
    severity: Severity
    title: str
    fix: str


_AT_SOURCE = "Correct the rows at their source, or leave them out."
_CLOCK = "Say which zone the times of the file are in (--zone), or correct them at their source."

_RULES = (
    Rule("unsorted", "error", "Times that go back", "Sort the rows by time (--repair sort)."),
    Rule(
        "conflicting_duplicates",
        "error",
        "One time, different values",
        "Find out which row is right, and leave the others out (--repair keep_last). Where clocks "
        "went back in that night, both are: say the zone (--zone, --repeated-hour infer).",
    ),
    Rule(
        "duplicates",
        "warning",
        "Duplicate rows",
        "Keep one of them (--repair drop_duplicates).",
    ),
    Rule(
        "missing_values",
        "error",
        "Missing values",
        "Complete the rows, or leave them out (--repair drop_unknown).",
    ),
    Rule(
        "nonpositive",
        "error",
        "Prices of 0 or less",
        f"{_AT_SOURCE[:-1]} (--repair drop_nonpositive).",
    ),
    Rule(
        "inconsistent",
        "error",
        "Inconsistent high, low, open and close",
        f"{_AT_SOURCE[:-1]} (--repair drop_inconsistent).",
    ),
    Rule("negative_volume", "error", "Volume below 0", _AT_SOURCE),
    Rule(
        "splits",
        "error",
        "Prices that jump as in a split",
        "Give the splits: --actions FILE; for a store, bring them in (alphalab data ingest FILE "
        "--kind actions). Or use adjusted prices: an address with ?adjust=splits.",
    ),
    Rule(
        "funding",
        "error",
        "Missing or duplicate funding",
        "Complete the rates of the contract: a missing one is not a rate of 0.",
    ),
    Rule("gaps", "warning", "Missing bars", "Fetch the missing span again."),
    Rule(
        "spacing",
        "warning",
        "Bars of several lengths",
        "Separate them, or resample the finer ones.",
    ),
    Rule("off_grid", "warning", "Times off the grid of the bars", _CLOCK),
    Rule("off_session", "warning", "Bars while the market is closed", _CLOCK),
    Rule("zone", "warning", "Times that look shifted", _CLOCK),
    Rule(
        "label",
        "warning",
        "Opening times read as closing times",
        "Say what the times name: --label open (or session, with the calendar).",
    ),
    Rule(
        "stale",
        "warning",
        "Stale prices",
        "Halted, or a dead feed? Leave rows out in which nothing traded (--repair drop_untraded).",
    ),
    Rule("outliers", "warning", "Single-row price spikes", _AT_SOURCE),
    Rule(
        "jumps",
        "warning",
        "Lasting level shifts",
        "Look for a split, a redenomination or another asset under the name.",
    ),
    Rule(
        "zero_volume",
        "warning",
        "Prices that move without volume",
        "Ask the source what its volume counts.",
    ),
    Rule("volume_spikes", "warning", "Volume far above its own level", _AT_SOURCE),
    Rule("volume_unknown", "info", "Unknown volume", "Limits on participation need it."),
    Rule(
        "ids",
        "warning",
        "Missing trade ids",
        "Fetch the missing trades again, if the venue numbers them without holes.",
    ),
)

RULES = {rule.name: rule for rule in _RULES}

_OF_ROWS = ("unsorted", "conflicting_duplicates", "duplicates", "missing_values", "nonpositive")

#: The rules that are checked by kind of data; bars of contracts have that of funding as well.
ASKED: dict[str, tuple[str, ...]] = {
    "bars": tuple(name for name in RULES if name not in ("ids", "funding")),
    "trades": (*_OF_ROWS, "gaps", "outliers", "splits", "jumps", "ids"),
    "funding": (
        *("unsorted", "conflicting_duplicates", "duplicates", "missing_values"),
        *("funding", "off_grid", "outliers"),
    ),
    "actions": _OF_ROWS,
}
