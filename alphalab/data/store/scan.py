"""`Scan`: bars that stay in their store and are read in blocks, ahead of who uses them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from alphalab.data import arrow
from alphalab.data.times import Instant, iso, nanoseconds, rows_per_year
from alphalab.errors import DataError, UnknownNameError
from alphalab.types import FloatArray, Instrument, IntArray

if TYPE_CHECKING:
    from pyarrow.dataset import Dataset

    from alphalab.data.store.store import Store

#: Rows of the table that a block holds, about: ten megabytes of prices and volume.
BLOCK_ROWS = 262_144

_AHEAD = 2  # blocks that are read while one is used
_MICROSECOND = 1_000  # ns: the store's unit


class Block(NamedTuple):
    """The next rows of a scan: times, (R,), and columns by name, (R, N)."""

    time: IntArray
    columns: Mapping[str, FloatArray]


class Files(NamedTuple):
    """What the files of a table say about themselves, an entry for each file.

    Attributes
    ----------
    rows : ndarray of int64
    first, last : ndarray of int64
        Times, ns UTC.
    """

    rows: IntArray
    first: IntArray
    last: IntArray


def windows(files: Files, start: int, end: int, rows: int) -> list[tuple[int, int]]:
    """Return spans of time that follow each other and hold about so many rows each.

    Inside a file rows are taken as evenly spread: where they are not, a block is larger or smaller.

    Parameters
    ----------
    files : Files
    start, end : int
        First and last time of all spans, ns UTC.
    rows : int
        Rows of a span.

    Returns
    -------
    list of (int, int)
        First and last time of each.

    Examples
    --------
    >>> files = Files(np.array([10, 10]), np.array([1, 11]), np.array([10, 20]))
    >>> windows(files, 1, 20, rows=10)
    [(1, 10), (11, 20)]
    """
    points = np.unique(np.concatenate([files.first - 1, files.last]))
    so_far = np.zeros(len(points))
    for n, first, last in zip(*files, strict=True):
        so_far += n * np.clip((points - (first - 1)) / (last - first + 1), 0.0, 1.0)
    full = np.arange(rows, files.rows.sum(), rows)
    cuts = np.interp(full, so_far, points).astype(np.int64)
    cuts = np.unique(np.append(cuts[(cuts >= start) & (cuts < end)], end))
    return [(before + 1, cut) for before, cut in pairwise([start - 1, *cuts.tolist()])]


class Scan:
    pass
