"""Models that are fitted forward know nothing that came after the rows they speak about."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from builders import panel
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import alphalab as al
from alphalab.errors import AlphalabError, DataError, ParameterError, StrategyError
from alphalab.research.models.forward import Forward, fit_forward

FEATURES = {"r1": "returns(close, 1)", "r3": "returns(close, 3)"}


def walk(n: int = 300, n_assets: int = 1, seed: int = 0) -> al.Bars:
    rng = np.random.default_rng(seed)
    return panel(100 * np.exp(rng.normal(0, 0.01, (n, n_assets)).cumsum(axis=0)))


BARS = walk()


def forward(model: Any = None, bars: al.Bars = BARS, **options: Any) -> Forward:
    given = {
        "features": FEATURES,
        "target": "returns(close, 5)",
        "horizon": 5,
        "every": 40,
        "train": 120,
        "min_rows": 50,
        "cache": None,
        "progress": False,
    }
    return fit_forward(Ridge() if model is None else model, bars, **(given | options))


class Remembers(BaseEstimator):  # type: ignore[misc]
    """Writes down what it was fitted on; its forecast is the number of the fit."""

    seen: list[tuple[np.ndarray, np.ndarray]] = []  # noqa: RUF012 - clones share it
    lock = threading.Lock()

    def fit(self, X: np.ndarray, y: np.ndarray) -> Remembers:
        self.seen.append((X.copy(), y.copy()))
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.full(len(X), float(len(self.seen)))


# --- what a fit knows ----------------------------------------------------------------------------


def test_a_fit_learns_from_labels_that_have_ended() -> None:
    Remembers.seen.clear()
    made = forward(Remembers(), embargo=2)
    values = al.features(FEATURES, BARS).to_numpy()
    label = al.evaluate("returns(close, 5)", BARS).to_numpy()[:, 0]
    assert len(Remembers.seen) == len(made.windows) == 4
    for (x, y), window in zip(Remembers.seen, made.windows, strict=True):
        rows = np.arange(window.first, window.last)
        rows = rows[rows >= 3]  # the features of three rows are unknown
        assert rows[-1] + 5 + 2 == window.row  # the last label ends two rows before the fit
        np.testing.assert_array_equal(x, values[rows])
        np.testing.assert_array_equal(y, label[rows + 5])


def test_values_are_those_of_scikit_learn_by_hand() -> None:
    made = forward(make_pipeline(StandardScaler(), Ridge(alpha=3.0)))
    x = al.features(FEATURES, BARS).to_numpy()
    y = al.evaluate("close / delay(close, 5) - 1", BARS).to_numpy()[:, 0]
    window = made.windows[1]
    rows = np.arange(window.first, window.last)
    model = make_pipeline(StandardScaler(), Ridge(alpha=3.0)).fit(x[rows], y[rows + 5])
    expected = model.predict(x[window.row : window.end])
    np.testing.assert_allclose(
        made.values["forecast"][window.row : window.end, 0], expected, rtol=1e-12
    )
    assert np.isnan(made.values["forecast"][: made.windows[0].row]).all()


@pytest.mark.parametrize("cut", [180, 201, 239, 299])
def test_later_rows_change_nothing(cut: int) -> None:
    whole = forward().values["forecast"]
    part = forward(bars=BARS.rows(0, cut)).values["forecast"]
    np.testing.assert_array_equal(part, whole[:cut])


def test_the_causality_check_runs_over_the_whole() -> None:
    class Follows(al.Strategy):
        def weights(self) -> al.Expr:
            return al.where(al.column("forecast") > 0, 1.0, 0.0)

    made = forward()
    assert not al.check_causality(Follows(), BARS, prepare=made.spec, n_cuts=2).leaks

    def scaled_by_all(bars: al.Bars) -> al.Bars:  # the comparison can fail
        column = forward(bars=bars).join(bars)["forecast"]
        return bars.with_columns({"forecast": column - np.nanmean(column)})

    assert al.check_causality(Follows(), BARS, prepare=scaled_by_all, n_cuts=2).leaks


class Smooths(Ridge):  # type: ignore[misc]
    """Its forecast is the mean of those around it."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.convolve(super().predict(X), np.full(3, 1 / 3), "same")[: len(X)]


class ScalesByWhatItIsGiven(Ridge):  # type: ignore[misc]
    def predict(self, X: np.ndarray) -> np.ndarray:
        return super().predict((X - X.mean(axis=0)) / (X.std(axis=0) + 1e-9))


@pytest.mark.parametrize("model", [Smooths(), ScalesByWhatItIsGiven()])
def test_a_model_that_looks_at_later_rows_is_refused(model: Any) -> None:
    with pytest.raises(StrategyError, match="changes when later rows are dropped"):
        forward(model)


# --- columns and observations --------------------------------------------------------------------


def test_a_value_becomes_known_after_the_latency() -> None:
    at_once, later = forward(), forward(latency="1h")
    first = at_once.windows[0].row
    now, then = at_once.join()["forecast"], later.join()["forecast"]
    assert np.isnan(then[first, 0]) and not np.isnan(now[first, 0])
    np.testing.assert_array_equal(then[1:], now[:-1])  # rows are a day apart


def test_observations_join_as_the_values_do() -> None:
    made = forward(latency="30m")
    table = made.observations
    joined = BARS.with_observations(table.drop(columns="fit"))["forecast"]
    np.testing.assert_array_equal(joined, made.join()["forecast"])
    assert table["fit"].is_monotonic_increasing and table["fit"].nunique() == 4
    assert ((table["known"] - table["time"]) == pd.Timedelta("30min")).all()


def test_an_unknown_feature_gives_no_value() -> None:
    close = BARS.close.copy()
    close[250] = np.nan
    made = forward(bars=panel(close))
    unknown = np.isnan(made.values["forecast"][:, 0])
    assert np.flatnonzero(unknown[160:]).tolist() == [90, 91, 93]  # r1 of two rows, r3 of 250, 253
    assert np.isnan(made.join()["forecast"][250, 0])


def test_one_model_for_all_symbols_or_one_for_each() -> None:
    bars = walk(n_assets=3, seed=1)
    together, apart = forward(bars=bars), forward(bars=bars, per_symbol=True)
    assert together.fits["n_rows"].tolist()[1:] == [360] * 3
    alone = forward(bars=bars.select([bars.symbols[1]]))
    np.testing.assert_array_equal(apart.values["forecast"][:, 1], alone.values["forecast"][:, 0])
    assert not np.array_equal(together.values["forecast"], apart.values["forecast"], equal_nan=True)


def test_several_outputs_are_several_columns() -> None:
    up = "where(returns(close, 5) > 0, 1, 0)"
    made = forward(LogisticRegression(), target=up, output="predict_proba", name="p")
    assert sorted(made.values) == ["p_0", "p_1"]
    known = made.values["p_1"][200:, 0]
    np.testing.assert_allclose(known + made.values["p_0"][200:, 0], 1.0)
    parts = forward(PCA(1), target=None, horizon=0, output="transform", name="pc")
    assert list(parts.values) == ["pc_0"]


def test_the_same_seed_gives_the_same_fits_in_any_number_of_processes() -> None:
    model = RandomForestRegressor(5, max_depth=2)
    one, two = forward(model, seed=3), forward(model, seed=3, n_jobs=2)
    np.testing.assert_array_equal(one.values["forecast"], two.values["forecast"])
    assert one.fits.equals(two.fits)
    other = forward(model, seed=4)
    assert (one.fits["model"] != other.fits["model"]).all()


def test_calendar_lengths() -> None:
    made = forward(every="1M", train="3M")
    fitted = made.fits["fitted"]
    assert fitted.dt.strftime("%Y-%m").is_unique
    assert (made.fits["train_start"] > fitted - pd.DateOffset(months=3)).all()
    assert forward(every="1w", train="all", min_rows=2).fits["n_rows"].is_monotonic_increasing


# --- fits that are kept --------------------------------------------------------------------------


def written(folder: Path) -> dict[str, int]:
    """When each kept fit was written, ns."""
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_what_was_interrupted_goes_on(tmp_path: Path) -> None:
    whole = forward(Ridge(), cache=tmp_path)
    before = written(tmp_path)
    assert len(before) == 4
    again = forward(Ridge(), cache=tmp_path)
    assert written(tmp_path) == before  # nothing was fitted again
    np.testing.assert_array_equal(again.values["forecast"], whole.values["forecast"])
    assert again.fits.equals(whole.fits)
    first, second, *others = sorted(before)
    (tmp_path / first).unlink()
    (tmp_path / second).write_bytes(b"cut")
    mended = forward(Ridge(), cache=tmp_path)
    np.testing.assert_array_equal(mended.values["forecast"], whole.values["forecast"])
    after = written(tmp_path)
    assert [name for name in before if after[name] != before[name]] == [
        name for name in before if name in (first, second)
    ]
    assert len(others) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"horizon": 6},
        {"embargo": 1},
        {"features": {"r1": "returns(close, 2)"}},
        {"target": "returns(close, 4)"},
        {"bars": walk(seed=2)},
        {"train": 130},
    ],
)
def test_another_fit_is_never_taken_for_one_that_was_kept(tmp_path: Path, change: Any) -> None:
    forward(Ridge(), cache=tmp_path)
    n = len(written(tmp_path))
    made = forward(Ridge(), cache=tmp_path, **change)
    assert len(written(tmp_path)) == n + len(made.windows)


CODE = """
from sklearn.base import BaseEstimator, TransformerMixin


def factor():
    return {factor}


class Mine(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return {method} * factor() * X
"""


@pytest.mark.parametrize("edit", [{"factor": 2}, {"method": 2}])
def test_edited_code_of_a_step_is_fitted_again(tmp_path: Path, edit: dict[str, int]) -> None:
    """Also where the class is a step of a pipeline, and where the edit is in what it calls."""
    kept, keys = tmp_path / "kept", []
    for numbers in ({"factor": 1, "method": 1}, {"factor": 1, "method": 1} | edit):
        scope: dict[str, Any] = {"__name__": __name__}
        exec(CODE.format(**numbers), scope)
        forward(make_pipeline(scope["Mine"](), Ridge()), cache=kept)
        keys.append(len(written(kept)))
    assert keys == [4, 8]


def test_a_model_that_cannot_be_hashed_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="Use cache=None"):
        forward(Remembers(), cache=tmp_path)  # its class holds a lock
    assert forward(Remembers(), cache=None).values


# --- bad input -----------------------------------------------------------------------------------


class Raises(Ridge):  # type: ignore[misc]
    def fit(self, X: Any, y: Any) -> Any:
        raise ValueError("no luck")


class Says(Ridge):  # type: ignore[misc]
    def __init__(self, said: Any = None) -> None:
        super().__init__()
        self.said = said

    def predict(self, X: Any) -> Any:
        return np.full(self.said or len(X), np.nan if self.said is None else 0.0)


REFUSED: list[tuple[dict[str, Any], type[AlphalabError], str]] = [
    ({"model": Ridge}, ParameterError, "an instance"),
    ({"model": object()}, ParameterError, "interface of scikit-learn"),
    ({"features": {}}, ParameterError, "at least one"),
    ({"features": {"x": "cloze"}}, AlphalabError, "close"),
    ({"horizon": 0}, ParameterError, "at least 1"),
    ({"embargo": -1}, ParameterError, "at least 0"),
    ({"every": "1 month"}, ParameterError, "such as '5d', '1M'"),
    ({"train": 0}, ParameterError, "or 'all'"),
    ({"train": 1_000}, DataError, "too few for one fit"),
    ({"min_rows": 121}, DataError, "min_rows=121"),
    ({"embargo": 250}, DataError, "too few for one fit"),
    ({"output": "foresee"}, ParameterError, "no such method"),
    ({"model": Raises()}, StrategyError, "ValueError: no luck"),
    ({"model": Says()}, StrategyError, "returned NaN"),
    ({"model": Says(3)}, StrategyError, r"shape \(3,\)"),
    ({"latency": "soon"}, DataError, "length of time"),
]


@pytest.mark.parametrize(("change", "error", "text"), REFUSED)
def test_what_is_refused(change: dict[str, Any], error: type[AlphalabError], text: str) -> None:
    with pytest.raises(error, match=text):
        forward(**change).join()


def test_bars_that_do_not_fit() -> None:
    made = forward()
    with pytest.raises(DataError, match="of the same symbols"):
        made.join(walk(n_assets=2))
    with pytest.raises(DataError, match="have a column 'forecast'"):
        made.join(made.join())
