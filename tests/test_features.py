"""Several expressions at once, as tables."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

import alphalab as al
from alphalab.data.samples.synthetic import synthetic
from alphalab.errors import ExprError, ParameterError

BARS = synthetic(300, 3, gap_frac=0.05)
WANTED = {"momentum": al.close.returns(20), "rank": "cs_rank(volume)", "one": 1}


def test_a_mapping_is_evaluated_together() -> None:
    table = al.evaluate(WANTED, BARS)
    assert table.columns.names == ["name", "symbol"]
    for name, expr in WANTED.items():
        alone = al.evaluate(al.constant(1) if name == "one" else expr, BARS)
        np.testing.assert_array_equal(table[name].to_numpy(), alone.to_numpy())
        assert list(table[name].columns) == list(BARS.symbols)


def test_features_are_rows_of_time_and_symbol() -> None:
    table, wide = al.features(WANTED, BARS), al.evaluate(WANTED, BARS)
    assert table.shape == (900, 3) and list(table.columns) == list(WANTED)
    for symbol in BARS.symbols:
        mine = table.xs(symbol, level="symbol")
        np.testing.assert_array_equal(mine["momentum"], wide["momentum", symbol])
        assert mine.index.equals(wide.index)


def test_scikit_learn_takes_them() -> None:
    table = al.features({**WANTED, "next": al.close.returns(1)}, BARS).dropna()
    fitted = LinearRegression().fit(table[["momentum", "rank"]], table["next"])
    assert np.isfinite(fitted.coef_).all()


def test_what_is_no_mapping_is_refused() -> None:
    with pytest.raises(ExprError, match="by their names"):
        al.features([al.close], BARS)  # type: ignore[arg-type]
    with pytest.raises(ExprError, match="by their names"):
        al.features({}, BARS)
    with pytest.raises(ParameterError, match=r"al\.features\(expressions, bars\)"):
        al.features(BARS, WANTED)  # type: ignore[arg-type]
