"""The identity of bars: a hash of what they hold."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec
import numpy as np

if TYPE_CHECKING:
    from alphalab.data.panel.bars import Bars


def identity_of(bars: Bars) -> str:
    """Return what `Bars.id` says."""
    names = sorted(bars.columns)
    digest = hashlib.blake2b(digest_size=16)
    digest.update(msgspec.json.encode([bars.n_rows, bars.symbols, names]))
    digest.update(msgspec.json.encode(bars.instruments, order="sorted"))
    for change in bars.instrument_changes:
        digest.update(msgspec.json.encode(change, order="sorted"))
    digest.update(bars.time.astype("<i8", copy=False).tobytes())
    for name in names:
        values = bars.columns[name]
        # NaN has many bit patterns, and processors differ in the one they make.
        digest.update(np.where(np.isnan(values), np.nan, values).astype("<f8", copy=False).data)
    return digest.hexdigest()
