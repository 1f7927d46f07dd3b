"""The causality check: nothing that leaves at a row may depend on rows after it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack

import numpy as np

from alphalab.core.strategy import Strategy
from alphalab.data.clock.times import Instant, iso
from alphalab.data.panel.bars import Bars
from alphalab.data.panel.history import History
from alphalab.errors import DataError, ParameterError
from alphalab.research.run.options import RunOptions, run_settings
from alphalab.research.validation.counter_example import Given
from alphalab.research.validation.free_code import free_code, held_leaks, same_bar_leaks
from alphalab.research.validation.leaks import Causality, Leak
from alphalab.research.validation.outputs import (
    Difference,
    Outputs,
    differences,
    outputs_of,
    source_of,
)
from alphalab.research.validation.perturb import HOWS, How, perturbed, perturbed_table

if TYPE_CHECKING:
    import pandas as pd

#: A strategy, or a function that makes one from bars, such as one that fits its parameters.
Maker: TypeAlias = Strategy | Callable[[Bars], Strategy]

_FEWEST_ROWS = 20
_ORDER = ("rows", "symbols", "signals", "targets", "orders", "fills", "account")


def check_causality(
    strategy: Maker,
    bars: Bars,
    *,
    prepare: Callable[..., Bars] | None = None,
    tables: Mapping[str, pd.DataFrame] | None = None,
    n_cuts: int = 16,
    seed: int = 0,
    start: Instant | None = None,
    watch: Callable[[str], None] | None = None,
    **options: Unpack[RunOptions],
) -> Causality:
    """Check that signals, targets, orders and fills do not depend on rows after them.

    The run is repeated on bars whose rows after a cut are dropped, unknown, shuffled, scaled or
    turned around; up to the cut everything must stay the same. Half of the cuts are spread over the
    rows, half are where targets change. A cut that reveals a leak is moved towards the start by
    bisection.

    What prepares the data can leak as well as what trades it, so give the raw bars and the function
    that prepares them: it is called again for every other future. The same holds for parameters
    that are fitted: give the function that makes the strategy. Numbers that were chosen by looking
    at the data before cannot be found here; that is what the statistics of overfitting are for.

    Parameters
    ----------
    strategy : Strategy, or callable
        A callable makes it: ``strategy(bars)``, called with the prepared bars.
    bars : Bars
        At least 20 rows that are traded.
    prepare : callable, optional
        ``prepare(bars, **tables)`` returns the bars that the strategy trades, such as with columns
        of its own.
    tables : mapping of str to pandas.DataFrame, optional
        Other data that `prepare` reads. A column ``known``, or ``time``, says when each row became
        known; it is changed together with the bars.
    n_cuts : int
        At least 2.
    seed : int
        Of the places of the cuts and of the shuffles.
    start : str, date, datetime or datetime64, optional
        The first row that is traded is the first one from here on, as in `alphalab.backtest`; all
        cuts are in rows that are traded.
    watch : callable, optional
        Called with a line of text before each cut.
    **options : RunOptions
        How it is run: the keywords of `alphalab.backtest`.

    Returns
    -------
    Causality

    Raises
    ------
    DataError
        Too few rows.
    ParameterError
        Fewer than 2 cuts, or tables without a function that reads them.
    AlphalabError
        A strategy that fails on the bars as they are.
    Exception
        What a user's function raises on the bars as they are, or under most of the other futures.

    Examples
    --------
    >>> import alphalab as al
    >>> bars = al.load("sp500", start="2015-01-01")
    >>> class Centred(al.Strategy):
    ...     def weights(self):
    ...         return al.where(al.close > al.column("middle"), 1.0, 0.0)
    >>> def prepare(bars):
    ...     padded = np.pad(bars.close[:, 0], 2, mode="edge")
    ...     middle = np.convolve(padded, np.full(5, 0.2), "valid")
    ...     return bars.with_columns({"middle": middle[:, None]})
    >>> print(check_causality(Centred(), bars, prepare=prepare).leaks[0])
    signals in row ... from column('middle'): ... becomes ... when rows after row ...
    """
    history = History.of(bars, start)
    if history.traded.n_rows < _FEWEST_ROWS:
        raise DataError(
            f"{history.traded.n_rows} rows",
            rule=f"the check needs at least {_FEWEST_ROWS} rows.",
        )
    if n_cuts < 2:
        raise ParameterError(f"n_cuts={n_cuts}", rule="at least 2 cuts are tried.")
    if tables and prepare is None:
        raise ParameterError("tables without prepare", rule="tables are what prepare reads.")
    check = _Check(strategy, history, prepare, dict(tables or {}), options, seed)
    base = check.base
    leaks = [*held_leaks(base), *check.again()]
    if run_settings(base.strategy, options).fill == "same_close":
        leaks += same_bar_leaks(base)
    cuts = _cuts(base, history, n_cuts, seed)
    if not any(leak.how == "again" for leak in leaks):
        leaks += check.futures(cuts, watch)
    first: dict[str, Leak] = {}
    for leak in leaks:
        if leak.output not in first or leak.row < first[leak.output].row:
            first[leak.output] = leak
    free = (*free_code(base.strategy), *check.callables)
    return Causality(
        tuple(first[name] for name in _ORDER if name in first),
        proved=not free and not leaks,
        free_code=free,
        cuts=cuts,
        n_runs=check.n_runs,
        n_warm=base.history.n_warm,
        untested=check.untested,
    )


class _Check:
    """Runs a strategy on other futures of the same bars, and compares."""

    def __init__(
        self,
        strategy: Maker,
        history: History,
        prepare: Callable[..., Bars] | None,
        tables: dict[str, Any],
        options: RunOptions,
        seed: int,
    ) -> None:
        self.strategy, self.history, self.prepare = strategy, history, prepare
        self.bars = history.bars
        self.tables, self.options, self.seed = tables, options, seed
        self.n_runs = 0
        self.failures: dict[str, list[Exception]] = {how: [] for how in HOWS}
        self.tried: dict[str, int] = dict.fromkeys(HOWS, 0)
        self.given = Given(
            makes_strategy=not isinstance(strategy, Strategy),
            prepares=prepare is not None,
            has_tables=bool(tables),
            options=options,
            seed=seed,
            start=history.traded.start if history.n_warm else "",
        )
        self.base = self._run(self.bars, tables)

    @property
    def callables(self) -> tuple[str, ...]:
        made = () if isinstance(self.strategy, Strategy) else ("the function that makes it",)
        return made if self.prepare is None else (*made, "the function that prepares the bars")

    @property
    def untested(self) -> dict[str, str]:
        return {
            how: f"at {len(errors)} of {self.tried[how]} cuts: {_said(errors[0])}"
            for how, errors in self.failures.items()
            if errors
        }

    def again(self) -> list[Leak]:
        """Return a leak if a second run on the same data gives something else."""
        second = self._run(self.bars, self.tables)
        found = next(differences(self.base, second, int(self.base.bars.time[-1])), None)
        if found is None:
            return []
        return [self._leak(found, second, "again", self.bars.n_rows - 1)]

    def futures(self, cuts: Iterable[int], watch: Callable[[str], None] | None) -> list[Leak]:
        """Return the first leaks that other futures reveal, found by bisection."""
        # The first row that is traded stays: without it nothing is.
        clean, failing, revealed = max(self.history.n_warm - 1, -1), None, dict[How, Outputs]()
        for cut in cuts:
            if watch is not None:
                watch(f"rows after {cut:,}")
            revealed = self._revealed(cut, HOWS)
            if revealed:
                failing = cut
                break
            clean = cut
        self._refuse_untested()
        if failing is None:
            return []
        while failing - clean > 1:
            middle = (clean + failing) // 2
            found = self._revealed(middle, tuple(revealed))
            if found:
                failing, revealed = middle, found
            else:
                clean = middle
        return [
            self._leak(difference, other, how, failing)
            for how, other in revealed.items()
            for difference in differences(self.base, other, int(self.bars.time[failing]))
        ]

    def _revealed(self, cut: int, hows: Iterable[How]) -> dict[How, Outputs]:
        """Return the futures after a cut that change something up to it."""
        until = int(self.bars.time[cut])
        found = {}
        for how in hows:
            self.tried[how] += 1
            try:
                tables = {
                    name: perturbed_table(table, until, how, self.seed)
                    for name, table in self.tables.items()
                }
                other = self._run(perturbed(self.bars, cut, how, self.seed), tables)
            except Exception as error:  # a user's function may fail in any way on an odd future
                self.failures[how].append(error)
                continue
            if next(differences(self.base, other, until), None) is not None:
                found[how] = other
        return found

    def _refuse_untested(self) -> None:
        """Raise what the code raised if it failed under most of the other futures."""
        failed = [error for errors in self.failures.values() for error in errors]
        if 2 * len(failed) > sum(self.tried.values()):
            failed[0].add_note(
                f"It failed on {len(failed)} of {sum(self.tried.values())} other futures: "
                "the check needs code that takes bars with other rows."
            )
            raise failed[0]

    def _run(self, bars: Bars, tables: Mapping[str, Any]) -> Outputs:
        self.n_runs += 1
        prepared = bars if self.prepare is None else self.prepare(bars, **tables)
        if not isinstance(prepared, Bars):
            raise ParameterError(
                f"prepare returned {type(prepared).__name__}", rule="prepare returns bars."
            )
        strategy = self.strategy if isinstance(self.strategy, Strategy) else self.strategy(prepared)
        start = np.datetime64(int(self.history.traded.time[0]), "ns") if self.given.start else None
        history = History.of(prepared, start)
        return outputs_of(strategy, history, run_settings(strategy, self.options))

    def _leak(self, found: Difference, other: Outputs, how: str, cut: int) -> Leak:
        changed = _parameters_changed(self.base.strategy, other.strategy)
        seen = found.output in ("rows", "symbols", "signals")
        row = found.row if seen else found.row + self.base.history.n_warm
        source = changed or source_of(self.base, other, row)
        if found.output in ("rows", "symbols"):
            source = "the function that prepares the bars"
        return Leak(
            output=found.output,
            row=found.row,
            time=iso(found.time),
            symbol=found.symbol,
            source=source or found.name,
            how=how,
            cut=cut,
            was=found.was,
            now=found.now,
            counter_example=self.given.counter_example(found.output, found.row, source, how, cut),
        )


def _cuts(base: Outputs, history: History, n_cuts: int, seed: int) -> tuple[int, ...]:
    """Return rows of the raw bars: some evenly spread with jitter, some where targets change."""
    bars, first = history.bars, history.n_warm
    last = bars.n_rows - 2
    rng = np.random.default_rng(seed)
    step = (last - first) / (n_cuts // 2 + 1)
    even = (np.arange(1, n_cuts // 2 + 1) + rng.uniform(-0.4, 0.4, n_cuts // 2)) * step + first
    targets = base.block.targets
    moved = (targets[1:] != targets[:-1]) & ~(np.isnan(targets[1:]) & np.isnan(targets[:-1]))
    times = base.history.traded.time[1:][moved.any(axis=1)]
    changes = np.searchsorted(bars.time, times, side="right") - 1
    chosen = (
        changes[np.linspace(0, changes.size - 1, n_cuts - n_cuts // 2).astype(np.int64)]
        if (changes.size)
        else changes
    )
    rows = np.concatenate([even.astype(np.int64), chosen, [last]])
    return tuple(int(row) for row in np.unique(np.clip(rows, first, last)))


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _parameters_changed(first: Strategy, second: Strategy) -> str:
    """Return how a strategy that was made from other bars differs; empty where it does not."""
    was = {name: str(expression) for name, expression in first.expressions().items()}
    now = {name: str(expression) for name, expression in second.expressions().items()}
    for name, text in was.items():
        if now.get(name) != text:
            return f"the strategy: {text} becomes {now.get(name, 'nothing')}"
    return ""
