"""Neighbours of the columns of a sweep, and the figures: they show the computed values."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import numpy as np
import optuna
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted import grid, planted

import alphalab as al
from alphalab.artifact.loading import load_strategy
from alphalab.research.sweep import heatmap as sweep_heatmap
from alphalab.research.sweep import robustness as sweep_robustness
from alphalab.research.sweep.result import Sweep
from alphalab.research.sweep.robustness import plateaus, robustness_of, space_of
from alphalab.research.sweep.space import MOST_CHOICES, Space, axis_of

#: The figures of a sweep.
heatmap, histogram, robustness = Sweep.heatmap, Sweep.histogram, Sweep.robustness

TEXTS = ("next_open", "next_close", "same_close", "other")
EVIL = "<b onclick='alert(1)'>x</b>"


def space(params: list[dict[str, Any]]) -> Space:
    axes = (axis_of(name, [one[name] for one in params]) for name in params[0])
    return Space(tuple(axes), len(params))


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def naive_step(a: dict[str, Any], b: dict[str, Any], values: dict[str, list[Any]]) -> bool:
    """Tell from the definition whether two columns of a grid are neighbours."""
    apart = [name for name in a if a[name] != b[name]]
    if len(apart) != 1:
        return False
    (name,) = apart
    if not all(map(is_number, values[name])):
        return len(values[name]) <= MOST_CHOICES
    return any({a[name], b[name]} == {low, high} for low, high in pairwise(sorted(values[name])))


@st.composite
def grids(draw: st.DrawFn) -> tuple[list[dict[str, Any]], dict[str, list[Any]]]:
    numbers = st.lists(st.integers(-50, 50), min_size=1, max_size=5, unique=True)
    fractions = st.lists(st.floats(0, 1), min_size=1, max_size=4, unique=True)
    words = st.lists(st.sampled_from([*TEXTS, None, True]), min_size=1, max_size=4, unique=True)
    values = {"n": draw(numbers), "x": draw(fractions), "word": draw(words)}
    return draw(st.permutations(grid(**values))), values


@given(grids())
def test_neighbours_in_a_grid_are_as_defined(case) -> None:
    params, values = case
    ours = space(params)
    assert ours.is_grid
    found = ours.neighbours(np.arange(len(params)))
    for i, row in enumerate(found.tolist()):
        beside = sorted(j for j in row if j >= 0)
        assert beside == [j for j in range(len(params)) if naive_step(params[i], params[j], values)]
        assert beside == np.flatnonzero(ours.steps_from(i) == 1).tolist()


@given(grids(), st.data())
def test_steps_in_a_grid_add_up(case, data) -> None:
    params, _ = case
    ours = space(params)
    i = data.draw(st.integers(0, len(params) - 1))
    steps = ours.steps_from(i)
    around = ours.neighbours(np.arange(len(params)))
    reached, distance = {i}, 0
    while reached:  # breadth first, over the neighbours
        assert set(np.flatnonzero(steps == distance).tolist()) == reached
        onward = {j for k in reached for j in around[k].tolist() if j >= 0}
        distance += 1
        reached = {j for j in onward if steps[j] == distance}
    assert distance == steps.max() + 1


def naive_nearest(params: list[dict[str, Any]], i: int) -> list[int]:
    """Columns by distance from one, nearest first, as the documentation says."""

    def apart(one: dict[str, Any]) -> float:
        total = 0.0
        for name, value in one.items():
            values = sorted({p[name] for p in params}, key=str if isinstance(value, str) else None)
            ranks = {v: k / max(1, len(values) - 1) for k, v in enumerate(values)}
            here = params[i][name]
            total += (
                float(value != here) if isinstance(value, str) else abs(ranks[value] - ranks[here])
            )
        return round(total, 9)

    others = [(apart(one), j) for j, one in enumerate(params) if one != params[i]]
    return [j for _, j in sorted(others)]


@given(st.integers(0, 2**32 - 1), st.integers(2, 25))
def test_neighbours_in_a_list_are_the_nearest(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    params = [
        {"n": int(rng.integers(4)), "x": float(rng.integers(9)) / 7, "word": str(rng.choice(TEXTS))}
        for _ in range(n)
    ]
    ours = space(params)
    if ours.is_grid:
        return
    k = ours.n_nearest
    found = ours.neighbours(np.arange(n))
    for i in range(n):
        nearest = naive_nearest(params, i)
        assert [j for j in found[i].tolist() if j >= 0] == nearest[:k]
        steps = ours.steps_from(i)
        assert np.flatnonzero(steps == 1).tolist() == sorted(nearest[:k])
        assert np.flatnonzero(steps == 2).tolist() == sorted(nearest[k : 2 * k])


def test_copies_are_no_neighbours() -> None:
    ours = space([{"n": 5}, {"n": 5}, {"n": 9}, {"n": 7}])
    assert not ours.is_grid
    assert ours.steps_from(0).tolist() == [0, 0, 1, 1]
    assert sorted(ours.neighbours(np.array([0]))[0].tolist()) == [2, 3]


def test_many_texts_are_separate_things() -> None:
    many = [f"close > {k}" for k in range(MOST_CHOICES + 1)]
    ours = space(grid(expression=many, fee=[0, 5, 10]))
    assert ours.steps_from(1).tolist()[:6] == [1, 0, 1, -1, -1, -1]
    alone = space(grid(expression=many))
    assert alone.n_nearest == 0 and (alone.neighbours(np.arange(3)) == -1).all()
    listed = space(grid(expression=many, fee=[0, 5, 10])[:-1])
    assert not listed.is_grid
    assert set(listed.neighbours(np.array([1]))[0].tolist()) == {0, 2}


#: 5 x 5: a needle of 3.0 at (1, 1), and a plateau of 2.0 around (3, 3).
NEEDLE = np.zeros((5, 5))
NEEDLE[1, 1] = 3.0
NEEDLE[2:, 2:] = 2.0
NEEDLE[3, 3] = 2.5


def needle(**options: Any) -> Sweep:
    return planted(grid(a=range(5), b=range(5)), NEEDLE.ravel(), **options)


def test_a_needle_is_told_from_a_plateau() -> None:
    found = robustness_of(needle())
    assert (found.best, found.value, found.median) == (6, 3.0, 0.0)
    near, far = found.rings
    assert near == (4, 0, 0.0, 0.0, 0.0, 0.0)
    assert (far.n, far.lowest, far.highest) == (6, 0.0, 2.0)
    assert (found.above_median, found.positive) == (0.0, 0.0)
    assert found.steadiest == 18 and found.plateau[18] == 2.0
    assert found.plateau[6] == 0.0


def test_columns_without_a_value_are_left_out_and_counted() -> None:
    sweep = needle(invalid={5: "because", 7: "because"}, not_run=[18])
    found = robustness_of(sweep)
    assert found.best == 6
    assert (found.n, found.n_left_out) == (22, 3)
    assert found.rings[0] == (2, 2, 0.0, 0.0, 0.0, 0.0)
    assert np.isnan(found.plateau[[5, 7, 18]]).all()
    sweep = needle(invalid=dict.fromkeys((1, 5, 7), "because"))
    assert robustness_of(sweep).rings[0].n == 1
    assert np.isnan(robustness_of(sweep).plateau[6]), "one neighbour is no neighbourhood"


def test_smaller_is_better_for_a_drawdown() -> None:
    flipped = needle(max_drawdown=1 - NEEDLE.ravel() / 4, metric="max_drawdown")
    found, mirror = robustness_of(flipped), robustness_of(needle())
    assert (found.best, found.steadiest) == (mirror.best, mirror.steadiest)
    assert found.above_median == mirror.above_median
    other = np.where(np.arange(25) == 24, 0.1, 0.5)
    assert robustness_of(needle(max_drawdown=other), "max_drawdown").best == 24


@given(st.integers(0, 2**32 - 1))
def test_plateaus_are_medians(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ours = space(grid(a=range(4), b=range(3), c=["x", "y", "z"]))
    values = rng.normal(size=36)
    values[rng.random(36) < 0.4] = np.nan
    found = plateaus(ours, values, np.arange(36))
    for i in range(36):
        beside = values[ours.steps_from(i) == 1]
        beside = beside[np.isfinite(beside)]
        if np.isnan(values[i]) or beside.size < 2:
            assert np.isnan(found[i])
        else:
            assert found[i] == pytest.approx(np.median([values[i], *beside]), rel=1e-12)


def test_large_sweeps_take_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    ours = space(grid(a=range(10), b=range(100), c=list(np.linspace(0, 1, 50)), d=["x", "y"]))
    values = rng.normal(size=ours.n_columns)
    order = np.argsort(-values)
    started = time.thread_time()
    assert np.isfinite(plateaus(ours, values, order)).all()
    assert time.thread_time() - started < 2.0
    # A list of as many would be compared pair by pair: only the best are.
    listed = space([{"x": x, "y": y} for x, y in rng.random((3_000, 2)).tolist()])
    values, order = values[:3_000], np.argsort(-values[:3_000])
    monkeypatch.setattr(sweep_robustness, "MOST_PAIRS", 300_000)
    known = np.flatnonzero(np.isfinite(plateaus(listed, values, order)))
    assert set(known.tolist()) == set(order[:100].tolist())


@pytest.fixture(scope="module")
def two() -> Sweep:
    space = {"fast": range(10, 50, 10), "slow": range(20, 70, 10)}
    return al.sweep(load_strategy("sma_cross"), al.load("sp500"), space)


def trace(figure: go.Figure, kind: str, name: str | None = None) -> Any:
    (found,) = (t for t in figure.data if t.type == kind and name in (None, t.name))
    return found


def test_a_heat_map_shows_the_table(two: Sweep) -> None:
    invalid, known = (t for t in heatmap(two).data if t.type == "heatmap")
    assert list(known.x) == ["10", "20", "30", "40"]
    assert list(known.y) == ["20", "30", "40", "50", "60"]
    table = two.table.pivot(index="slow", columns="fast", values="sharpe")
    np.testing.assert_array_equal(known.z, table.to_numpy())
    assert known.zmin == -known.zmax, "gains and losses meet in the middle"
    status = two.table.pivot(index="slow", columns="fast", values="status").to_numpy()
    np.testing.assert_array_equal(np.isfinite(invalid.z), status == "invalid")
    assert invalid.name == "Invalid" and invalid.showlegend
    assert "1 &lt;= fast &lt; slow" in invalid.hovertext[0][3]
    assert f"column {two.best}:" in "".join(known.hovertext.ravel())
    best = two.table.loc[two.best]
    mark = next(t for t in heatmap(two).data if str(t.name).startswith("Best"))
    assert (*mark.x, *mark.y) == (str(best["fast"]), str(best["slow"]))
    turned = heatmap(two, x="slow")
    assert turned.layout.xaxis.title.text == "slow" and turned.layout.yaxis.title.text == "fast"
    assert heatmap(two, y="fast").layout.xaxis.title.text == "slow"


def test_other_metrics_have_other_colours(two: Sweep) -> None:
    known = [t for t in heatmap(two, metric="max_drawdown").data if t.type == "heatmap"][-1]
    np.testing.assert_array_equal(
        np.sort(known.z[np.isfinite(known.z)]),
        np.sort(two.metrics["max_drawdown"][two.ran]),
    )
    assert known.reversescale and known.zmin > 0


def test_over_other_names_a_cell_is_a_median() -> None:
    sweep = planted(grid(a=[1, 2], b=[1, 2], c=[1, 2, 3]), [1, 2, 9, 4, 4, 4, 0, 0, 0, 5, 6, 7.0])
    figure = heatmap(sweep)
    assert "the median over all values of c" in figure.layout.title.text
    (known,) = (t for t in figure.data if t.type == "heatmap")
    assert known.z.tolist() == [[2, 0], [4, 6]]
    assert "1.00 to 9.00" in known.hovertext[0][0] and "3 of 3 columns" in known.hovertext[0][0]


def test_long_axes_are_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_heatmap, "MOST_LEVELS", 4)
    sweep = planted(grid(a=range(10), b=[1, 2]), np.arange(20.0))
    figure = heatmap(sweep)
    (known,) = (t for t in figure.data if t.type == "heatmap")
    assert list(known.x) == ["0 to 2", "3 to 4", "5 to 7", "8 to 9"]
    assert known.z.tolist() == [[2, 7, 12, 17], [3, 8, 13, 18]]
    assert "The 10 values of a share 4 cells" in figure.layout.title.text
    words = planted(grid(a=[f"w{k}" for k in range(10)], b=[1, 2]), np.arange(20.0))
    (known,) = (t for t in heatmap(words).data if t.type == "heatmap")
    assert list(known.x) == ["w6", "w7", "w8", "w9"]
    assert "the best 4 are shown" in heatmap(words).layout.title.text


def test_one_name_is_a_line_or_bars() -> None:
    sweep = planted(grid(n=[30, 10, 20]), [0.3, 0.1, 0.2], invalid={2: "too many"})
    figure = heatmap(sweep)
    line = figure.data[0]
    assert line.mode == "lines+markers" and list(line.x) == [10, 20, 30]
    np.testing.assert_array_equal(line.y, [0.1, np.nan, 0.3])
    words = planted(grid(w=["a", "b", "c"]), [0.3, 0.5, 0.4], not_run=[0])
    bars = trace(heatmap(words), "bar")
    assert list(bars.y) == ["c", "b"] and list(bars.x) == [0.4, 0.5]


def test_every_column_is_counted_once(two: Sweep) -> None:
    n = int(two.ran.sum())
    figure = histogram(two)
    assert sum(trace(figure, "bar").y) == n
    assert f"Sharpe ratio of {n} columns" in figure.layout.title.text
    lines = [shape.x0 for shape in figure.layout.shapes]
    assert lines == [np.nanmedian(two.metrics["sharpe"]), np.nanmax(two.metrics["sharpe"])]
    boxes = robustness(two).data
    assert [int(box.name.split("<br>")[1]) for box in boxes] == [len(box.y) for box in boxes]
    drawn = np.sort(np.concatenate([box.y for box in boxes]))
    np.testing.assert_array_equal(drawn, np.sort(two.metrics["sharpe"][two.ran]))


def test_boxes_hold_the_columns_at_each_distance(two: Sweep) -> None:
    figure = robustness(two)
    best, beside, *_ = figure.data
    near = robustness_of(two).rings[0]
    assert list(best.y) == [two.metrics["sharpe"][two.best]]
    assert (np.median(beside.y), max(beside.y)) == (near.median, near.highest)
    assert len(beside.text) == near.n and "Sharpe ratio" in beside.text[0]
    assert f"fast {two.variants[two.best].params['fast']}" in figure.layout.title.text
    crowd = robustness(planted(grid(a=range(20), b=range(20)), np.arange(400.0))).data[-1]
    assert crowd.boxpoints is False and crowd.text is None and len(crowd.y) > 60


def test_a_study_has_a_trial_for_every_column(two: Sweep) -> None:
    study = two.to_study()
    states = [trial.state.name for trial in study.trials]
    assert [state == "COMPLETE" for state in states] == np.isfinite(two.metrics["sharpe"]).tolist()
    assert [trial.params for trial in study.trials] == [v.params for v in two.variants]
    assert study.best_trial.number == two.best
    assert two.to_study("max_drawdown").best_trial.number == two.best_by("max_drawdown")
    assert len(optuna.visualization.plot_slice(study).data) == 2
    assert optuna.visualization.plot_parallel_coordinate(study).data


def test_a_study_holds_words_and_mixed_values() -> None:
    params = grid(a=[1, 2], b=[0.5, 2.0], c=["x", None, True], d=[al.Costs(fee_bps=1), None])
    study = planted(params, np.arange(24.0), invalid={0: "because"}).to_study()
    assert study.trials[1].params == {"a": 1, "b": 0.5, "c": "x", "d": None}
    assert study.trials[2].params["d"].startswith("Costs(fee_bps=1")
    assert study.trials[0].state.name == "FAIL" and study.best_trial.number == 23


FIGURES = (heatmap, histogram, robustness)
SPACES = {
    "one column": grid(n=[1]),
    "two words": grid(word=["a", "b"]),
    "five names": grid(a=[1, 2, 3], b=[0.1, 0.2], c=["x", "y"], d=[None, 0.5], e=[True, False]),
    "seven names": grid(**{f"name_{k}": [1, 2] for k in range(7)}),
    "a list": [{"a": 3, "b": 0.5}, {"a": 7, "b": 0.1}, {"a": 3, "b": 0.25}, {"a": 9, "b": 0.2}],
    "copies": [{"a": 3}, {"a": 3}, {"a": 5}],
    "all copies": [{"a": 3}, {"a": 3}],
    "expressions": grid(expression=[f"close > ts_mean(close, {k}) {'x' * 50}" for k in range(40)]),
    "markup": grid(**{EVIL: [EVIL, f"{EVIL}2"], "n": [1, 2]}),
}


@pytest.mark.parametrize("make", FIGURES)
@pytest.mark.parametrize("name", SPACES)
def test_every_space_can_be_drawn(make, name: str) -> None:
    params = SPACES[name]
    values = np.random.default_rng(2).normal(size=len(params))
    sweeps = [planted(params, values), planted(params, values * 0)]
    if len(params) > 2:
        sweeps.append(planted(params, values, invalid={0: EVIL}, not_run=[1]))
        sweeps.append(planted(params, np.where(np.arange(values.size) == 1, 1.0, np.nan)))
    for sweep in sweeps:
        figure = make(sweep)
        assert figure.data and figure.layout.title.text
        assert "<b onclick" not in figure.to_json().replace("\\u003c", "<")


def test_what_cannot_be_drawn_is_said(two: Sweep) -> None:
    with pytest.raises(al.errors.UnknownNameError, match="swept name 'fats': did you mean 'fast'"):
        heatmap(two, x="fats")
    with pytest.raises(al.errors.ParameterError, match="two different names"):
        heatmap(two, x="fast", y="fast")
    for make in FIGURES:
        with pytest.raises(
            al.errors.UnknownNameError, match="metric 'sharp': did you mean 'sharpe'"
        ):
            make(two, metric="sharp")
        with pytest.raises(al.errors.StateError, match="none of the 2 columns has run"):
            make(planted(grid(n=[1, 2]), [1, 2], invalid={0: "a"}, not_run=[1]))
        with pytest.raises(
            al.errors.StateError, match="sharpe is not defined in any of the 2 columns"
        ):
            make(planted(grid(n=[1, 2]), [np.nan, np.inf]))


def test_a_space_knows_its_columns(two: Sweep) -> None:
    ours = space_of(two)
    assert ours.shape == (4, 5) and ours.is_grid and ours.n_columns == 20
