"""The rules of quality: what each is called, how grave it is, and what to do about a finding."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Severity: TypeAlias = Literal["error", "warning", "info"]
Level: TypeAlias = Literal["error", "warning", "info", "off"]

#: From the gravest to the least.
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


class Rule(NamedTuple):
    """One rule.

    Attributes
    ----------
    name : str
    severity : {"error", "warning", "info"}
        Unless the settings say otherwise.
    title : str
        What it looks for, for headings.
    fix : str
        What to do about a finding.
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
        "Rows that are there twice",
        "Keep one of them (--repair drop_duplicates).",
    ),
    Rule(
        "missing_values",
        "error",
        "Values that are not known",
        "Complete the rows, or leave them out (--repair drop_unknown).",
    ),
    Rule(
        "nonpositive",
        "error",
        "Prices that are not above 0",
        f"{_AT_SOURCE[:-1]} (--repair drop_nonpositive).",
    ),
    Rule(
        "inconsistent",
        "error",
        "High, low, open and close at odds",
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
        "Funding that is missing or doubled",
        "Complete the rates of the contract: a missing one is not a rate of 0.",
    ),
    Rule("gaps", "warning", "Bars that are missing", "Fetch the missing span again."),
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
        "Times that look like those of the open",
        "Say what the times name: --label open (or session, with the calendar).",
    ),
    Rule(
        "stale",
        "warning",
        "Prices that stand still",
        "Halted, or a dead feed? Leave rows out in which nothing traded (--repair drop_untraded).",
    ),
    Rule("outliers", "warning", "Prices that their neighbours contradict", _AT_SOURCE),
    Rule(
        "jumps",
        "warning",
        "Levels that shift at once and stay",
        "Look for a split, a redenomination or another asset under the name.",
    ),
    Rule(
        "zero_volume",
        "warning",
        "Prices that move without volume",
        "Ask the source what its volume counts.",
    ),
    Rule("volume_spikes", "warning", "Volume far above its own level", _AT_SOURCE),
    Rule("volume_unknown", "info", "Volume that is not known", "Limits on participation need it."),
    Rule(
        "ids",
        "warning",
        "Numbers of trades that are left out",
        "Fetch the missing trades again, if the venue numbers them without holes.",
    ),
)

RULES = {rule.name: rule for rule in _RULES}

_OF_ROWS = ("unsorted", "conflicting_duplicates", "duplicates", "missing_values", "nonpositive")

#: Which rules are asked of what is checked; of bars of contracts, that of funding as well.
ASKED: dict[str, tuple[str, ...]] = {
    "bars": tuple(name for name in RULES if name not in ("ids", "funding")),
    "trades": (*_OF_ROWS, "gaps", "outliers", "splits", "jumps", "ids"),
    "funding": (
        *("unsorted", "conflicting_duplicates", "duplicates", "missing_values"),
        *("funding", "off_grid", "outliers"),
    ),
    "actions": _OF_ROWS,
}
