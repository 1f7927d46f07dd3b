"""Count a walk-forward in the trial ledger: one row for the variants that it chose from."""

from __future__ import annotations

from collections.abc import Sequence

from alphalab.artifact.ledger import is_counting
from alphalab.artifact.trials import sharpe_moments
from alphalab.data.panel.history import History
from alphalab.research.results.result import Result
from alphalab.research.run.count import record_trial, row_sharpes, with_note
from alphalab.research.sweep.count import of_columns, packed_sums
from alphalab.research.sweep.result import Sweep


def count_walk_forward(sweeps: Sequence[Sweep], history: History, result: Result) -> Result:
    """Count the variants that a walk-forward chose from, and return its result.

    The Sharpe ratios and segment sums in the ledger are those of the last choice. With the ledger
    off the result says so.
    """
    if not is_counting():
        return with_note(result)
    largest = max(sweeps, key=lambda sweep: int(sweep.ran.sum()))
    record_trial(
        run="walk_forward",
        **of_columns(largest, history) | {"segments": packed_sums(sweeps[-1])},
        n_columns=int(largest.ran.sum()),
        digest=result.digest,
        **sharpe_moments(row_sharpes(sweeps[-1].tallies)[sweeps[-1].ran]),
    )
    return result
