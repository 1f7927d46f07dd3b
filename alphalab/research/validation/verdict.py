"""From evidence to checks: each figure against the limit of the policy."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from alphalab.artifact.ledger import ledger_path
from alphalab.artifact.validation_record import Check
from alphalab.research.results import metrics
from alphalab.research.results.overfitting import Clusters
from alphalab.research.results.sharpe_ratio import probabilistic_sharpe, sharpe_by_chance
from alphalab.research.run.family_trials import Counted
from alphalab.research.validation.evidence import Evidence
from alphalab.research.validation.policy import CHECKS, Policy


class Trials(NamedTuple):
    """How many trials led to the strategy.

    Attributes
    ----------
    n : float
        Independent trials, at least 1: clusters of those of the ledger, or of the parameter
        neighbours.
    variance : float
        Variance of their Sharpe ratios, between the clusters, per row.
    column_variance : float
        Variance of the Sharpe ratios of all trials, those of one cluster included, per row.
    counted : bool
        True if the trial ledger counted them. If not, they are the parameter neighbours that the
        validation itself ran, and what was tried before is not known.
    head : str
        Head of the ledger; empty where it did not count.
    n_all : int
        All different trials in the ledger; 0 where it did not count.
    ledger : str
        Its file.
    """

    n: float
    variance: float
    column_variance: float = 0.0
    counted: bool = False
    head: str = ""
    n_all: int = 0
    ledger: str = ""

    @classmethod
    def of_family(cls, family: Counted) -> Trials:
        """Return the trials that the ledger knows of a family.

        A variance is NaN while fewer than two trials have a Sharpe ratio. It is then 0: there was
        nothing to choose from.
        """
        between, of_columns = (
            0.0 if math.isnan(x) else x for x in (family.sharpe_variance, family.column_variance)
        )
        return cls(
            float(family.n_effective),
            between,
            of_columns,
            counted=True,
            head=str(family.head),
            n_all=family.n_trials,
            ledger=str(ledger_path() or ""),
        )

    @classmethod
    def of_neighbours(cls, evidence: Evidence) -> Trials:
        """Return the trials that the validation itself ran."""
        found = evidence.clusters
        return cls(1.0, 0.0) if found is None else cls.of_clusters(found)

    @classmethod
    def of_clusters(cls, found: Clusters) -> Trials:
        """Return the trials of columns that no ledger counted."""
        return cls(float(found.n_effective), found.variance, found.column_variance)

    @property
    def by_chance(self) -> float:
        """Sharpe ratio per row that the best of them is expected to show without skill."""
        return sharpe_by_chance(self.n, self.variance, self.column_variance)

    @property
    def text(self) -> str:
        """How they were counted, in words."""
        independent = f"{self.n:,.0f} independent trial{'' if self.n == 1 else 's'}"
        if not self.counted:
            return f"{independent}, not counted: parameter neighbours alone"
        return f"{independent} of {self.n_all:,} in the trial ledger"


class _Figure(NamedTuple):
    """A figure, or none with a reason; `counts` says whether a missing one fails."""

    value: float | None
    note: str = ""
    missing_fails: bool = True


def checks_of(evidence: Evidence, policy: Policy, trials: Trials) -> tuple[Check, ...]:
    """Return the checks of a policy, in its order."""
    figures = dict(_figures(evidence, trials))
    return tuple(_check(name, figures[name], policy) for name in CHECKS)


def _check(name: str, figure: _Figure, policy: Policy) -> Check:
    kind, rule = CHECKS[name], policy.rule(name)
    sign = ">=" if kind.side == "least" else "<="
    value = figure.value if figure.value is not None and math.isfinite(figure.value) else None
    if rule.skipped:
        passed, said = True, f"skipped by the policy: {rule.why}"
    elif value is None:
        infinite = figure.value is not None and math.isinf(figure.value)
        good = infinite and ((figure.value or 0) > 0) == (kind.side == "least")
        passed = good or not (figure.missing_fails or infinite)
        said = f"{kind.label}: {figure.note or 'not defined'}"
    else:
        passed = value >= rule.limit if kind.side == "least" else value <= rule.limit
        note = f" ({figure.note})" if figure.note else ""
        said = f"{kind.label} {value:.4g}{note}, demanded {sign} {rule.limit:g}."
        said = said if passed else f"{said} {rule.why}"
    return Check(name=name, figure=value, threshold=rule.limit, passed=passed, reason=said)


def _figures(e: Evidence, trials: Trials) -> Iterator[tuple[str, _Figure]]:
    """Yield the figure of every check."""
    base = metrics.sharpe(e.result.row_returns, e.year)
    n_rows = e.result.bars.n_rows
    leaks = e.causality.leaks
    yield "causality", _Figure(float(len(leaks)), str(leaks[0]) if leaks else "")
    if isinstance(e.warm_up, str):
        yield "warm_up", _Figure(None, e.warm_up)
    else:
        yield "warm_up", _Figure(e.warm_up.rows / n_rows, f"{e.warm_up.rows:,} rows")
    yield "round_trips", _Figure(float(e.result.metrics["n_round_trips"]))
    yield "cost", _Figure(e.cost_bps)
    yield "probabilistic_sharpe", _Figure(probabilistic_sharpe(e.moments))
    chance = trials.by_chance * math.sqrt(e.year)
    yield (
        "deflated_sharpe",
        _Figure(
            probabilistic_sharpe(e.moments, trials.by_chance),
            f"{trials.text}; chance alone shows an annual Sharpe ratio of {chance:.2f}",
        ),
    )
    yield "superiority", _Figure(e.superiority.p_consistent)
    yield from _of_neighbours(e, base)
    for name, kind in (("double_costs", "costs"), ("delay", "delay"), ("fill_path", "path")):
        yield name, _kept(e, kind, base, first=name != "fill_path")
    starts = [x.sharpe > 0 for x in e.stress if x.kind == "start"]
    yield (
        "later_starts",
        _Figure(float(np.mean(starts)), f"{sum(starts)} of {len(starts)}")
        if starts
        else _Figure(None, "too few rows to start later"),
    )
    yield "neighbours", _median_neighbour(e, base)
    gains = [year.total_return > 0 for year in e.years]
    yield "years", _Figure(float(np.mean(gains)), f"{sum(gains)} of {len(gains)}")
    known = [x for x in e.regimes if math.isfinite(x.sharpe)]
    if known:
        worst = min(known, key=lambda x: x.sharpe)
        yield "regimes", _Figure(worst.sharpe, worst.label)
    else:
        yield "regimes", _Figure(None)
    if isinstance(e.trade_order, str):
        yield "shuffled_drawdown", _Figure(None, e.trade_order)
    else:
        yield "shuffled_drawdown", _Figure(e.trade_order.quantile(0.95))
    if isinstance(e.capacity, str):
        yield "capacity", _Figure(None, e.capacity, missing_fails=False)
    else:
        cash = e.result.settings.cash
        yield "capacity", _Figure(e.capacity.cash / cash, f"{e.capacity.cash:,.0f}")


_ALONE = "the strategy has no numeric parameter to move: nothing was chosen"


def _of_neighbours(e: Evidence, base: float) -> Iterator[tuple[str, _Figure]]:
    """Yield the figures that need columns to choose between."""
    alone = _Figure(None, _ALONE, missing_fails=False)
    if e.pbo is None or e.paths is None or e.clusters is None:
        yield from (("loss_out_of_sample", alone), ("pbo", alone), ("worst_paths", alone))
        return
    yield "loss_out_of_sample", _Figure(e.pbo.probability_of_loss)
    if e.clusters.n_effective > 1:
        yield "pbo", _Figure(e.pbo.probability, f"{e.clusters.n_effective} clusters")
    else:
        note = f"all {len(e.labels)} columns are one cluster: whichever is best, it is the same bet"
        yield "pbo", _Figure(None, note, missing_fails=False)
    yield "worst_paths", _Figure(float(np.quantile(e.paths, 0.05)))


def _kept(e: Evidence, kind: str, base: float, *, first: bool) -> _Figure:
    """Return the share of the Sharpe ratio that the first, or the worst, case of a kind keeps."""
    found = [x for x in e.stress if x.kind == kind]
    if not found:
        return _Figure(None, "fills at this price know no delay", missing_fails=False)
    case = found[0] if first else min(found, key=lambda x: x.sharpe)
    return _Figure(_share(case.sharpe, base), f"{case.label}: {case.sharpe:.2f} of {base:.2f}")


def _median_neighbour(e: Evidence, base: float) -> _Figure:
    found = [x.sharpe for x in e.stress if x.kind == "parameter"]
    if not found:
        return _Figure(None, _ALONE, missing_fails=False)
    # One without a Sharpe ratio has lost everything, or did not trade.
    known = np.nan_to_num(found, nan=-np.inf)
    return _Figure(_share(float(np.median(known)), base), f"{len(found)} neighbours")


def _share(kept: float, base: float) -> float:
    """Return the share of a Sharpe ratio that is kept; of one that is not above 0 nothing is."""
    return kept / base if base > 0 and math.isfinite(kept) else 0.0
