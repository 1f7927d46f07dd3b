"""What a `decide` takes by name, and the class that defines it."""

from __future__ import annotations

from typing import Any

import joblib
import numpy as np
import pytest

import alphalab as al
from alphalab.core import decide as compilation
from alphalab.data.samples.synthetic import synthetic
from alphalab.errors import StrategyError
from alphalab.kernels._jit import DISABLED

nojit = pytest.mark.nojit

BARS = synthetic(200, 2)


class Named(al.Strategy):
    """Hold a share above an average."""

    n: int = 5
    share: float = 0.4
    inverted: bool = False
    note: str = "text is no number"

    def signals(self) -> dict[str, al.Expr | float]:
        return {"mean": al.close.ts_mean(self.n), "price": al.close}

    @staticmethod
    def decide(signals, params, account):  # type: ignore[no-untyped-def]
        targets = np.full(signals.price.size, np.nan)
        if account.row % params.n == 0:
            for j in range(targets.size):
                above = signals.price[j] > signals.mean[j]
                targets[j] = params.share if above != params.inverted else 0.0
        return targets


class Tabled(Named):
    """The same rule over the table of signals and parameters."""

    def signals(self) -> dict[str, al.Expr | float]:
        numbers = {"n": self.n, "share": self.share, "inverted": float(self.inverted)}
        return super().signals() | numbers

    @staticmethod
    def decide(table, account):  # type: ignore[no-untyped-def]
        targets = np.full(table.shape[1], np.nan)
        if account.row % int(table[2, 0]) == 0:
            for j in range(targets.size):
                above = table[1, j] > table[0, j]
                targets[j] = table[3, j] if above != (table[4, j] == 1.0) else 0.0
        return targets


CASES = [{}, {"n": 3}, {"share": 0.1, "n": 7}, {"inverted": True}]


@nojit
@pytest.mark.parametrize("params", CASES)
def test_names_and_numbers_of_a_table_are_the_same(params: dict[str, Any]) -> None:
    named, table = (al.backtest(cls(**params), BARS) for cls in (Named, Tabled))
    assert named.fills.shape[0] > 5
    assert named.digest == table.digest
    assert named.digest == al.backtest(Named(**params), BARS, block_rows=1).digest
    assert set(named.signals.columns.get_level_values(0)) == {"mean", "price"}


def test_all_parameters_share_one_compilation() -> None:
    al.backtest(Named(), BARS)
    before = compilation._compiled.cache_info().misses
    for params in CASES:
        al.backtest(Named(**params), BARS)
    sweep = al.sweep(Named, BARS, {"n": [3, 5, 9], "share": [0.1, 0.2]})
    assert len(sweep.table) == 6
    assert compilation._compiled.cache_info().misses == before


def test_parameters_travel_to_other_processes() -> None:
    grid = {"n": [3, 5], "share": [0.1, 0.2], "inverted": [False, True]}
    here = al.sweep(Named, BARS, grid).table
    with joblib.parallel_config(backend="loky", n_jobs=2):
        there = al.sweep(Named, BARS, grid).table
    assert here.equals(there) and here["total_return"].nunique() == 8


@nojit
def test_a_subclass_may_replace_the_logic() -> None:
    class Weighted(al.Strategy):
        def weights(self) -> al.Expr:
            return al.constant(0.2)

    class Deciding(Weighted):
        def signals(self) -> dict[str, al.Expr | float]:
            return {"price": al.close}

        @staticmethod
        def decide(signals):  # type: ignore[no-untyped-def]
            return 0.0 * signals.price + 0.1

    class Again(Deciding):
        def weights(self) -> al.Expr:
            return al.constant(0.2)

    weighted, deciding, again = (
        al.backtest(cls(), BARS).record.targets[-1, 0] for cls in (Weighted, Deciding, Again)
    )
    assert (weighted, deciding, again) == (0.2, 0.1, 0.2)


@nojit
def test_one_class_has_one_of_the_two() -> None:
    class Both(Named):
        def weights(self) -> al.Expr:
            return al.constant(0.2)

        @staticmethod
        def decide(signals):  # type: ignore[no-untyped-def]
            return 0.0 * signals.price

    with pytest.raises(StrategyError, match="one of the two"):
        al.backtest(Both(), BARS)


@nojit
def test_arguments_and_attributes_are_checked_when_the_class_is_made() -> None:
    with pytest.raises(StrategyError, match="'prices' is none of its arguments"):

        class Wrong(Named):
            @staticmethod
            def decide(prices):  # type: ignore[no-untyped-def]
                return prices

    with pytest.raises(StrategyError, match=r"Write max_orders = \.\.\."):

        class Typed(Named):
            max_orders: int = 3


@nojit
def test_a_signal_has_a_name_of_python() -> None:
    class Spaced(Named):
        def signals(self) -> dict[str, al.Expr | float]:
            return {"upper band": al.close}

    with pytest.raises(StrategyError, match="its key is a Python name"):
        al.backtest(Spaced(), BARS)


class Misspelt(Named):
    """Reads a signal that it has not."""

    @staticmethod
    def decide(signals, params):  # type: ignore[no-untyped-def]
        return params.share * signals.pric


@pytest.mark.skipif(DISABLED, reason="only the compiler sees it before the first row")
def test_a_name_that_is_not_there_is_said_with_those_that_are() -> None:
    with pytest.raises(StrategyError) as error:
        al.backtest(Misspelt(), BARS)
    line = Misspelt.decide.__code__.co_firstlineno + 2
    assert f"in line {line}" in str(error.value)
    assert "signals has mean, price; params has n, share, inverted" in str(error.value)
