"""What a causality check finds: leaks, and what was tested."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Leak:
    """One output that depends on rows after it.

    Attributes
    ----------
    output : str
        ``rows``, ``symbols``, ``signals``, ``targets``, ``orders``, ``fills`` or ``account``.
    row, time : int, str
        The first leaking row that was found, and when it closes. Rows, symbols and signals are
        counted from the first row that was seen, all others from the first one that was traded.
    symbol : str
        Empty where it is not one asset's.
    source : str
        The node, column or function that it comes from.
    how : str
        What reveals it: a way to change the future, ``held data``, ``same bar`` or ``again`` (a
        second run on the same data).
    cut : int
        Last row that stayed as it was.
    was, now : float
        The value with the real future, and with the other one.
    counter_example : str
        Python that shows it, given ``strategy``, ``bars`` and, where used, ``prepare``, ``tables``.
    """

    output: str
    row: int
    time: str
    symbol: str
    source: str
    how: str
    cut: int
    was: float
    now: float
    counter_example: str

    def __str__(self) -> str:
        """Say it in a sentence."""
        where = f"row {self.row} ({self.time}{', ' + self.symbol if self.symbol else ''})"
        if self.how == "held data":
            return f"{self.output} from {where}: {self.source}"
        if self.how == "same bar":
            return f"{self.output} in {where}: a trade at a price that its decision has seen"
        if self.how == "again":
            return f"{self.output} in {where}: {self.source or 'it'} is not the same when run again"
        source = f" from {self.source}" if self.source else ""
        return (
            f"{self.output} in {where}{source}: {self.was:g} becomes {self.now:g} when rows after "
            f"row {self.cut} are changed ({self.how})"
        )


@dataclass(frozen=True)
class Causality:
    """What a causality check found.

    Attributes
    ----------
    leaks : tuple of Leak
        The first leak of each kind of output, in the order of the step. Empty: none was found.
    proved : bool
        True if the language proves it: nothing but built-in operators decides.
    free_code : tuple of str
        What is not built in and was therefore only tested.
    cuts : tuple of int
        Rows after which the future was changed.
    n_runs : int
    n_warm : int
        Rows that were seen and not traded.
    untested : mapping of str to str
        Ways to change the future under which the code failed, with how often and its error.
    """

    leaks: tuple[Leak, ...]
    proved: bool
    free_code: tuple[str, ...]
    cuts: tuple[int, ...]
    n_runs: int
    n_warm: int
    untested: Mapping[str, str]

    @property
    def ok(self) -> bool:
        """True if no leak was found."""
        return not self.leaks

    def __str__(self) -> str:
        """Say what was found, one leak a line."""
        if self.leaks:
            return "\n".join(map(str, self.leaks))
        tested = f"tested at {len(self.cuts)} cuts with {self.n_runs} runs"
        if self.n_warm:
            tested += f"; {self.n_warm:,} rows before the first one were seen, not traded"
        if self.proved:
            return f"Causal: proved by construction, and {tested}."
        return f"No leak found: {tested}; not proved, because of {', '.join(self.free_code)}."

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "ok": self.ok,
            "proved": self.proved,
            "free_code": list(self.free_code),
            "n_cuts": len(self.cuts),
            "n_runs": self.n_runs,
            "n_warm": self.n_warm,
            "untested": dict(self.untested),
            "leaks": [vars(leak) for leak in self.leaks],
        }
