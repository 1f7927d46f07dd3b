"""The report of a sweep: one HTML page that needs no other file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from html import escape
from typing import Any, NamedTuple

import numpy as np

from alphalab.data.quality.findings import counted
from alphalab.errors import DataError, ParameterError, StateError
from alphalab.research.pages import page
from alphalab.research.pages.page import quiet, section, signed, table, tile
from alphalab.research.results import plots
from alphalab.research.results.assumptions import assumptions, ledger_text
from alphalab.research.results.figures import DEFLATED
from alphalab.research.results.provenance import identity_text, quality_text
from alphalab.research.results.record import Run
from alphalab.research.sweep.heatmap import heatmap
from alphalab.research.sweep.outcome import Outcome
from alphalab.research.sweep.plot_parts import (
    SIGNED,
    metric_figure,
    params_text,
    value_text,
)
from alphalab.research.sweep.plots import histogram, robustness
from alphalab.research.sweep.robustness import Ring, Robustness, robustness_of, space_of, values_of
from alphalab.research.sweep.space import axis_of

#: Rows of the table of the best columns.
TOP = 20
#: Most broken rules in the table of invalid combinations.
MOST_REASONS = 20
#: Metrics of the table of the best columns, after the metric of the sweep.
SHOWN = (
    "total_return",
    "annual_return",
    "sharpe",
    "sortino",
    "max_drawdown",
    "calmar",
    "n_round_trips",
    "turnover",
)
_MOST_VALUES = 12
_COLOURED = ("total_return", "annual_return")
_CELL_WIDTH, _LONG = 60, 24  # characters
_PROPER = ("Sharpe", "Sortino", "Calmar")


class Found(NamedTuple):
    """A sweep with a best column, its neighbours, and the best column in full."""

    outcome: Outcome
    robust: Robustness
    run: Run  # the best column in full


def render(outcome: Outcome) -> str:
    """Return the report of a sweep as HTML."""
    found = _found(outcome)
    counts = outcome.counts
    parts = [f"{counts['ok']:,} ran"]
    parts += [f"{counts[word]:,} {word}" for word in ("invalid", "not run") if counts[word]]
    return page.Page(
        title=f"{outcome.strategy}, {_combinations(outcome)}",
        heading=outcome.strategy,
        detail=f"{_combinations(outcome)} of {', '.join(outcome.names)}: {', '.join(parts)}",
        about=page.about(outcome.bars),
        remarks=_remarks(outcome, found),
        tiles=_tiles(outcome, found),
        sections=_sections(outcome, found),
        assumptions=_assumptions(outcome, found),
        footer=f"alphalab · digest of the best {found.run.digest}" if found else "alphalab",
    ).html()


def _found(outcome: Outcome) -> Found | None:
    """Return the best column with its neighbours; None if no column has the metric."""
    try:
        robust = robustness_of(outcome)
    except StateError:
        return None
    return Found(outcome, robust, outcome.result(robust.best))


def _combinations(outcome: Outcome) -> str:
    return counted(len(outcome.variants), "combination")


def _remarks(outcome: Outcome, found: Found | None) -> Iterator[str]:
    if found is None:
        yield _nothing(outcome)
    yield from (f"{warning[0].upper()}{warning[1:]}." for warning in outcome.warnings)
    if found is not None:
        yield from (f"The best column: {warning}" for warning in found.run.warnings)


def _nothing(outcome: Outcome) -> str:
    try:
        values_of(outcome, outcome.metric)
    except StateError as error:
        return f"{error.what[0].upper()}{error.what[1:]}. {error.fix}"
    return ""


def _tiles(outcome: Outcome, found: Found | None) -> Iterator[str]:
    yield tile("Combinations", f"{len(outcome.variants):,}")
    for status, n in outcome.counts.items():
        yield tile("Ran" if status == "ok" else status.capitalize(), f"{n:,}")
    if found is None:
        return
    yield from _trials(outcome, found)
    robust, shown = found.robust, metric_figure(outcome.metric)
    yield tile(f"{shown.label} of the best", shown.text(robust.value))
    yield tile("Median of its neighbours", shown.text(robust.rings[0].median))
    yield tile("Median of all", shown.text(robust.median))
    others = ("total_return", "sharpe", "max_drawdown", "n_round_trips")
    for name in [name for name in others if name != outcome.metric][:3]:
        figure = metric_figure(name)
        text = figure.text(float(outcome.metrics[name][robust.best]))
        yield tile(f"{figure.label} of the best", text)


def _trials(outcome: Outcome, found: Found) -> Iterator[str]:
    """Yield tiles on what choosing the best has done."""
    deflated = float(outcome.deflated[found.robust.best])
    if np.isfinite(deflated):
        trials = outcome.selection.clusters.n_effective
        yield tile("Independent trials", f"{trials:,}")
        yield tile(f"{DEFLATED.label} of the best", DEFLATED.text(deflated))
    if found.robust.n > 1:
        try:
            yield tile("Probability of overfitting", f"{outcome.selection.pbo().probability:.0%}")
        except (DataError, ParameterError):  # too few rows or columns, or segments that do not fit
            yield tile("Probability of overfitting", "n/a")


def _sections(outcome: Outcome, found: Found | None) -> Iterator[str]:
    if found is not None:
        robust = found.robust
        if robust.n > 1:
            yield section("The best and its neighbours", _words(found), _beside_note(outcome))
        few = f"The best {min(TOP, robust.n)}" if robust.n > 1 else "The only column with a value"
        yield section(few, *_top(found))
        if robust.n > 1:
            yield from _charts(found)
        yield page.chart("The best column in full", plots.overview(found.run))
    yield section("Combinations that are invalid", *_reasons(outcome))


def _charts(found: Found) -> Iterator[str]:
    outcome = found.outcome
    yield page.chart("Heat map", *heatmap(outcome))
    if found.robust.rings[0].n:
        yield page.chart("Distance from the best", *robustness(outcome))
    yield page.chart("All columns", *histogram(outcome))


def _words(found: Found) -> str:
    """Return the sentences on the neighbours of the best, as HTML."""
    lines = sentences(found.outcome, found.robust)
    return "".join(f'<p class="words">{escape(line)}</p>' for line in lines)


def sentences(outcome: Outcome, robust: Robustness) -> Iterator[str]:
    """Yield sentences that compare the best column with its neighbours.

    Parameters
    ----------
    outcome : Outcome
    robust : Robustness
        From `alphalab.research.sweep.robustness.robustness_of`.
    """
    shown, (near, far) = metric_figure(robust.metric), robust.rings
    text = shown.text
    yield (
        f"The best has {_inside(shown.label)} {text(robust.value)} "
        f"({params_text(outcome, robust.best)}); the median of all {robust.n:,} is "
        f"{text(robust.median)}."
    )
    if not near.n:
        yield "No column beside it has a value, so nothing here tells skill from luck."
        return
    beside = _ring("Its neighbour has", f"Its {near.n:,} neighbours have", near, text)
    if far.n:
        two = "two steps away"
        beside += "; "
        beside += _ring(f"the one {two} has", f"the {far.n:,} columns {two} have", far, text)
    yield f"{beside}."
    if near.n == robust.n - 1:
        return  # there are no others to compare them with
    better, positive = (round(share * near.n) for share in (robust.above_median, robust.positive))
    above = f"; {positive:,} of {near.n:,} are above 0" if robust.metric in SIGNED else ""
    yield (
        f"{better:,} of {near.n:,} neighbours are better than the median of all, where chance "
        f"alone would have about half{above}."
    )
    if 2 * better <= near.n:
        yield "The neighbours are no better than the rest: the best may be luck."
    if robust.steadiest is not None:
        yield _steadiest(outcome, robust, robust.steadiest)


def _steadiest(outcome: Outcome, robust: Robustness, column: int) -> str:
    """Return the sentence on the column that is best together with its neighbours."""
    said = metric_figure(robust.metric).text
    own, steady = (said(float(robust.plateau[c])) for c in (robust.best, column))
    if column == robust.best:
        return f"It is also the best by neighbourhood: with its neighbours its median is {own}."
    value = said(float(outcome.metrics[robust.metric][column]))
    return (
        f"The best by neighbourhood is column {column} ({params_text(outcome, column)}): {value} "
        f"itself, and {steady} as the median with its neighbours, against {own} for the best."
    )


def _ring(one: str, many: str, ring: Ring, text: Callable[[float], str]) -> str:
    """Return the values of the columns at one distance, as text."""
    more = f" ({ring.n_left_out:,} more without a value)" if ring.n_left_out else ""
    if ring.n == 1:
        return f"{one} {text(ring.median)}{more}"
    span = f"{text(ring.lowest)} to {text(ring.highest)}"
    return f"{many} {span}, median {text(ring.median)}{more}"


def _beside_note(outcome: Outcome) -> str:
    space = space_of(outcome)
    if not space.n_nearest:
        return "The swept values have no order, so no column has neighbours."
    if space.is_grid:
        return (
            "Neighbours differ from it in one name, by one step of the grid; by any other value "
            "if the values of that name have no order."
        )
    return (
        f"There is no grid: its neighbours are the {space.n_nearest} columns nearest to it, by the "
        "sum of the differences in rank over the names."
    )


def _top(found: Found) -> tuple[str, str]:
    """Return the table of the best columns, and its note."""
    outcome, robust = found.outcome, found.robust
    best = [
        c
        for c in outcome.ranked(robust.metric)[:TOP].tolist()
        if np.isfinite(outcome.metrics[robust.metric][c])
    ]
    metrics = list(dict.fromkeys((robust.metric, *SHOWN)))
    head = ["Column", *map(escape, outcome.names), *(metric_figure(name).label for name in metrics)]
    beside = len(outcome.names) + 2 + metrics.index("sharpe")
    head.insert(beside, DEFLATED.label)
    rows = []
    for column in best:
        values = [_value(outcome.variants[column].params[name]) for name in outcome.names]
        figures = [_figure(name, float(outcome.metrics[name][column])) for name in metrics]
        rows.append([str(column), *values, *figures])
        rows[-1].insert(beside, DEFLATED.text(float(outcome.deflated[column])))
    note = f"By {_inside(metric_figure(robust.metric).label)}."
    if robust.steadiest is not None:
        note += (
            " With neighbours: the median of the column's value and its neighbours' values, if two "
            "or more neighbours have one."
        )
        at = len(outcome.names) + 2
        head.insert(at, "With neighbours")
        for line, column in zip(rows, best, strict=True):
            line.insert(at, _figure(robust.metric, float(robust.plateau[column])))
    head.append("Digest")
    for line, column in zip(rows, best, strict=True):
        line.append(f"<code>{outcome.digest(column)[:8]}</code>")
    return table(head, rows, text=1 + len(outcome.names)), note


def _value(value: Any) -> str:
    text = value_text(value)
    shown = escape(_shortened(text))
    return f'<div class="long">{shown}</div>' if len(text) > _LONG else shown


def _figure(metric: str, value: float) -> str:
    text = metric_figure(metric).text(value)
    return signed(value, text) if metric in _COLOURED else text


def _reasons(outcome: Outcome) -> tuple[str, str]:
    """Return the broken rules with their counts, each with the reason of its first column."""
    invalid = [variant for variant in outcome.variants if variant.column is None]
    if not invalid:
        return quiet("None."), ""
    counts = Counter(variant.rule for variant in invalid)
    firsts = {variant.rule: variant.reason for variant in reversed(invalid)}
    rows = [(escape(firsts[rule]), f"{n:,}") for rule, n in counts.most_common(MOST_REASONS)]
    note = f"{len(invalid):,} of {len(outcome.variants):,}; of each broken rule the first is shown."
    if len(counts) > MOST_REASONS:
        note += f" {len(counts) - MOST_REASONS:,} rarer rules are left out."
    return table(("Reason", "Columns"), rows), note


def _assumptions(outcome: Outcome, found: Found | None) -> dict[str, str]:
    """Return the swept values, and the assumptions of the best column."""
    texts = {
        "Swept": "; ".join(_swept(outcome, name) for name in outcome.names),
        "Best by": metric_figure(outcome.metric).label,
        **ledger_text(outcome.ledger),
    }
    bars = outcome.bars
    if found is None:
        return texts | {
            "Data": identity_text(bars),
            "Data quality": quality_text(outcome.quality),
            "Period": f"{bars.n_rows:,} rows, {bars.start} to {bars.end}",
        }
    params = ", ".join(f"{name} = {value!r}" for name, value in found.run.params.items())
    best = found.robust.best
    texts["The best"] = (
        f"Column {best}: {params_text(outcome, best)}. Its parameters are {params or 'none'}."
        " The following holds for this column; the others differ in the swept values."
    )
    return texts | assumptions(found.run)


def _swept(outcome: Outcome, name: str) -> str:
    axis = axis_of(name, [variant.params[name] for variant in outcome.variants])
    texts = [_shortened(value_text(value)) for value in axis.values]
    if len(texts) > _MOST_VALUES:
        few = _MOST_VALUES // 2 if axis.ordered else 2
        texts = [*texts[:few], "...", *texts[-few:]]
    return f"{name}: {', '.join(texts)} ({counted(len(axis.values), 'value')})"


def _inside(label: str) -> str:
    """Return a label as it is written inside a sentence."""
    return label if label.startswith(_PROPER) else label[0].lower() + label[1:]


def _shortened(text: str) -> str:
    return text if len(text) <= _CELL_WIDTH else f"{text[: _CELL_WIDTH - 1]}…"
