"""The figures of a validation as plain data, for ``validation.json``."""

from __future__ import annotations

from typing import Any

import numpy as np

from alphalab.research.results import metrics
from alphalab.research.results.sharpe_ratio import min_backtest_years, min_track_record
from alphalab.research.validation.evidence import Evidence
from alphalab.research.validation.verdict import Trials


def figures_of(evidence: Evidence, trials: Trials) -> dict[str, Any]:
    """Return every figure by name; Sharpe ratios are annualised, what is unknown is None."""
    e, root = evidence, float(np.sqrt(evidence.year))
    found: dict[str, Any] = {
        "strategy": e.result.strategy,
        "params": e.result.params,
        "n_warm": e.history.n_warm,
        "trials": {
            "n": trials.n,
            "n_all": trials.n_all,
            "counted": trials.counted,
            "ledger": trials.ledger,
            "variance_per_year": trials.variance * e.year,
            "sharpe_by_chance": trials.by_chance * root,
            "min_backtest_years": min_backtest_years(trials.n),
        },
        "sharpe": {
            "value": metrics.sharpe(e.result.row_returns, e.year),
            "interval": list(e.interval[1:3]),
            "level": e.interval.level,
            "skew": e.moments.skew,
            "kurtosis": e.moments.kurtosis,
            "min_track_record_years": min_track_record(e.moments) / e.year,
            "years": e.result.bars.n_rows / e.year,
        },
        "causality": e.causality.to_dict(),
        "warm_up": e.warm_up if isinstance(e.warm_up, str) else e.warm_up.to_dict(),
        "superiority": e.superiority._asdict(),
        "stress": [outcome._asdict() for outcome in e.stress],
        "years": [period._asdict() for period in e.years],
        "regimes": [period._asdict() for period in e.regimes],
        "capacity": e.capacity if isinstance(e.capacity, str) else e.capacity._asdict(),
        "shuffled_drawdown": e.trade_order
        if isinstance(e.trade_order, str)
        else {
            "drawdown": e.trade_order.drawdown,
            "median": e.trade_order.quantile(0.5),
            "worst_in_twenty": e.trade_order.quantile(0.95),
        },
    }
    if e.pbo is not None and e.paths is not None and e.clusters is not None:
        slope, intercept = e.pbo.degradation
        found["overfitting"] = {
            "columns": list(e.labels),
            "n_effective": e.clusters.n_effective,
            "pbo": e.pbo.probability,
            "probability_of_loss": e.pbo.probability_of_loss,
            "degradation": {"slope": slope, "intercept": intercept * root},
            "paths": e.paths.tolist(),
        }
    return found
