"""Possible sources of look-ahead in a run: each gives a warning."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import alphalab as al
from alphalab.artifact.loading import load_strategy

BARS = al.load("synthetic:rows=120,symbols=2,seed=4,bar=1d,gaps=0")
CLOSES = BARS.close
FUTURE = {i: float(x) for i, x in enumerate(CLOSES[:, 0])}
WEIGHTS = (0.2, 0.3, 0.5)
SMALL = np.array([0.5, 0.5])


def warned(strategy: al.Strategy, bars: al.Bars = BARS) -> list[str]:
    warnings = al.backtest(strategy, bars, quality="accept").warnings
    return [x for x in warnings if "known in every row" in x or "known before the time" in x]


def held(function: Callable[..., object], name: str) -> al.Strategy:
    expression = al.python_op(function, [al.close], lookback=3, name=name)

    class Held(al.Strategy):
        def weights(self) -> al.Expr:
            return al.where(expression > 0, 0.5, 0.0)

    return Held()


# --- what is a door ------------------------------------------------------------------------------


def test_a_python_function_that_closes_over_a_dict() -> None:
    future = dict(FUTURE)
    (said,) = warned(held(lambda x: x[-1] * 0.0 + future[5], "closes_over"))
    assert said.startswith("python_op 'closes_over' reads future (dict, 120 numbers)")
    assert "with_columns" in said and "with_observations" in said


def test_a_python_function_that_reads_a_global_array() -> None:
    (said,) = warned(held(lambda x: CLOSES[len(x)], "reads_global"))
    assert said.startswith("python_op 'reads_global' reads CLOSES (ndarray, 240 numbers)")


def helper(row: int) -> float:
    return FUTURE[row]


def test_through_a_helper_a_default_and_a_comprehension() -> None:
    assert "FUTURE (dict" in warned(held(lambda x: x[-1] * helper(3), "by_helper"))[0]
    assert "table (ndarray" in warned(held(lambda x, table=CLOSES: table[3], "by_default"))[0]
    (said,) = warned(held(lambda x: np.array([CLOSES[3, j] for j in range(2)]), "inside"))
    assert "CLOSES" in said


def test_a_decide_that_reads_a_global_array_by_the_row() -> None:
    class Knows(al.Strategy):
        def signals(self) -> dict[str, al.Expr]:
            return {"close": al.close}

        @staticmethod
        def decide(table, account, memory):  # type: ignore[no-untyped-def]
            up = CLOSES[min(account.row + 1, 119)] > table[0]
            return np.where(up, 0.4, 0.0)

    (said,) = warned(Knows())
    assert said.startswith("Knows.decide reads CLOSES (ndarray, 240 numbers)")


def test_a_compiled_operator_that_reads_a_global_array() -> None:
    @al.op(state="1")
    def knows_ahead(state, params, x):  # type: ignore[no-untyped-def]
        state[0] += 1.0
        return CLOSES[int(state[0]) % 120, 0]

    class Knows(al.Strategy):
        def weights(self) -> al.Expr:
            return al.where(knows_ahead(al.close) > 0, 0.4, 0.0)

    (said,) = warned(Knows())
    assert said.startswith("operator 'knows_ahead' reads CLOSES (ndarray, 240 numbers)")


def test_a_table_in_a_module_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "tables_of_mine.py").write_text("FUTURE = list(range(100))\n")
    path = tmp_path / "strategy.py"
    path.write_text(
        textwrap.dedent("""
        import alphalab as al
        import tables_of_mine

        def peek(x):
            return x[-1] * tables_of_mine.FUTURE[7]

        class Peek(al.Strategy):
            def weights(self):
                return al.where(al.python_op(peek, [al.close], 2) > 0, 0.3, 0.0)
        """)
    )
    (said,) = warned(load_strategy(str(path))())
    assert "tables_of_mine.FUTURE (list, 100 numbers)" in said


def observed(known: str) -> al.Bars:
    about, start = pd.to_datetime(["2020-02-10"]), pd.to_datetime(known)
    return BARS.with_observations(
        pd.DataFrame({"name": "score", "time": about, "known": start, "value": [1.0]})
    )


class Score(al.Strategy):
    def weights(self) -> al.Expr:
        return al.where(al.column("score") > 0, 0.5, 0.0)


def test_an_observation_known_before_the_time_it_is_about() -> None:
    (said,) = warned(Score(), observed("2020-02-09"))
    assert said.startswith("Column score: 1 observation is known before the time")
    part = observed("2020-02-09").rows(0, 100)  # a part of the bars is no way round it
    assert warned(Score(), part) == [said]


# --- what is none --------------------------------------------------------------------------------


def test_an_observation_known_in_time_or_not_read() -> None:
    assert warned(Score(), observed("2020-02-10")) == []
    assert warned(held(lambda x: x[-1], "last"), observed("2020-02-09")) == []


def test_a_few_numbers_and_what_is_installed() -> None:
    small = SMALL

    def plain(x: np.ndarray) -> np.ndarray:
        return np.nanmean(x, axis=0) * WEIGHTS[0] + small * np.pi

    assert warned(held(plain, "plain")) == []


@pytest.mark.parametrize("path", sorted(Path("strategies").glob("*.py")), ids=lambda p: p.stem)
def test_the_strategies_that_come_with_it_are_not_warned_of(path: Path) -> None:
    from alphalab.research.run.look_ahead import tables_read

    strategy = load_strategy(str(path))()
    assert list(tables_read(strategy, strategy.expressions())) == []
