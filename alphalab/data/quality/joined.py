"""`joined`: the verdicts of blocks combined into one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from alphalab.data.quality.findings import MOST_TIMES, Finding, Verdict, ordered


def joined(verdicts: Iterable[Verdict]) -> Verdict:
    """Return one verdict of successive blocks of rows of the same symbols.

    Parameters
    ----------
    verdicts : iterable of Verdict
        In the order of time, at least one. They are looked at one by one: memory does not grow with
        their number.

    Returns
    -------
    Verdict
        One finding for each rule and symbol: its count is the sum, its message that of the first
        block, and says of how many it is. Rows are counted as often as blocks have them.

    Examples
    --------
    >>> from alphalab.data.quality.bars import check_bars
    >>> from alphalab.data.quality.settings import QualitySettings
    >>> from alphalab.data.samples.synthetic import synthetic
    >>> bars = synthetic(2_000, 1)
    >>> blocks = bars.rows(0, 1_000), bars.rows(999, 2_000)
    >>> parts = [check_bars(block, QualitySettings(), exact=False) for block in blocks]
    >>> print(joined(parts).findings[0])
    gaps (SYN): in 2 blocks, 29 in all; the first: 19 of 1,019 bars are missing in 4 gaps; ...
    """
    whole: Verdict | None = None
    findings: dict[tuple[str, str], Finding] = {}
    blocks: Counter[tuple[str, str]] = Counter()
    for verdict in verdicts:
        whole = verdict if whole is None else _wider(whole, verdict)
        for finding in verdict.findings:
            key = finding.rule, finding.symbol
            blocks[key] += 1
            findings[key] = _sum(findings[key], finding) if key in findings else finding
    assert whole is not None  # there is a block
    said = [
        replace(
            finding,
            message=f"in {blocks[key]:,} blocks, {finding.count:,} in all; the first: "
            f"{finding.message}",
        )
        if blocks[key] > 1
        else finding
        for key, finding in findings.items()
    ]
    return replace(whole, findings=ordered(said))


def _wider(whole: Verdict, next_: Verdict) -> Verdict:
    return replace(
        whole,
        n_rows=whole.n_rows + next_.n_rows,
        start=min((t for t in (whole.start, next_.start) if t is not None), default=None),
        end=max((t for t in (whole.end, next_.end) if t is not None), default=None),
        skipped=next_.skipped | whole.skipped,
    )


def _sum(first: Finding, second: Finding) -> Finding:
    return replace(
        first,
        count=first.count + second.count,
        first=first.first if first.first is not None else second.first,
        last=second.last if second.last is not None else first.last,
        at=np.concatenate((first.at, second.at))[:MOST_TIMES],
    )
