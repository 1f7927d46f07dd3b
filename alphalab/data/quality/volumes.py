"""Rules about volume."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from alphalab.data.clock.times import iso
from alphalab.data.quality.series import Hit, Series, by_stretch, over_rows, scatter


def unknown(s: Series) -> Iterator[Hit]:
    """Find rows whose volume is not known."""
    rows = np.flatnonzero(np.isnan(s.volume))
    if rows.size:
        share = "no row has a volume"
        if rows.size < s.n:
            share = f"{rows.size:,} of {s.n:,} rows have no volume"
        yield Hit("volume_unknown", rows, share)


def without_volume(s: Series) -> Iterator[Hit]:
    """Find bars in which the price moves although nothing was traded."""
    if not s.enough or (s.volume > 0).all():
        return
    if not (s.volume > 0).any():
        if (s.volume == 0).all():
            yield Hit("zero_volume", np.zeros(0, np.int64), "the volume is 0 in every row", s.n)
        return
    moved = (s.high > s.low) | (s.returns != 0)
    rows = np.flatnonzero((s.volume == 0) & moved)
    if rows.size:
        at = int(rows[0])
        yield Hit(
            "zero_volume",
            rows,
            f"{rows.size:,} of {s.n:,} rows have a volume of 0 and a price that moves, the first "
            f"is row {s.number[at]} ({iso(s.time[at])})",
        )


def spikes(s: Series) -> Iterator[Hit]:
    """Find volumes far above the usual level of the series."""
    traded = np.flatnonzero((s.volume > 0) & np.isfinite(s.volume))
    if not s.enough or traded.size < s.settings.min_rows:
        return
    size, window = np.log(s.volume[traded]), s.settings.window
    # The highest median of neighbouring stretches, so that a busy period is no spike.
    median = by_stretch(size, window, 0.5)
    level = np.maximum(median, np.append(median[1:], -np.inf))
    level = over_rows(np.maximum(level, np.append(-np.inf, median[:-1])), size.size, window)
    above = size - level
    least = s.settings.volume_sigmas * scatter(size - over_rows(median, size.size, window), window)
    found = np.flatnonzero(above > np.maximum(least, np.log(s.settings.volume_times)))
    if found.size:
        top = int(found[np.argmax(above[found])])
        row = int(traded[top])
        rows_text = "row has" if found.size == 1 else "rows have"
        yield Hit(
            "volume_spikes",
            traded[found],
            f"{found.size:,} {rows_text} a volume far above what is usual; the largest is "
            f"{s.volume[row]:.10g} in row {s.number[row]} ({iso(s.time[row])}), "
            f"{np.exp(above[top]):,.0f} times as much",
        )
