"""`Trial`: one row of the trial ledger; and `Family`: what many rows say of one hypothesis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from alphalab.core.event_codec import Codec, Event, tag
from alphalab.core.journal_reader import Entry, Head
from alphalab.errors import JournalError
from alphalab.types import FloatArray, IntArray

#: How the families begin that the user named.
NAMED = "name:"
_MOST_BYTES = 2**31  # of segment sums: 64 segments of four million columns


class Trial(Event, frozen=True, tag=tag(1)):
    """One run: a backtest is one trial, a sweep as many as it has columns.

    Attributes
    ----------
    run : str
        ``backtest``, ``sweep``, ``search``, ``walk_forward``, ``validate`` or ``train``.
    family : str
        `alphalab.artifact.identity.family_id`, or ``name:NAME`` where the user named one. Of
        expressions of several families: a hash of their ids.
    members : bytes
        `member_ids` of the families that a name or a hash stands for; empty: `family` is an id.
    strategy : str
        Name of the class.
    strategy_id : str
        Of a backtest `alphalab.artifact.identity.strategy_id`; of others empty.
    parameters : str
        Canonical JSON of the parameters, or of what was varied.
    data, settings : str
        `Bars.id` of all rows that were seen, and `RunSettings.id`.
    n_columns, n_rows : int
        Columns that were run (of a training its stages), and rows that were traded.
    periods_per_year : float
    sharpe_mean, sharpe_variance, sharpe_best : float
        Over the columns whose Sharpe ratio is defined, per row, not annualised; variance with ddof
        1. NaN: there are too few.
    n_sharpes : int
        How many these are.
    segments : bytes
        `packed` sums of the returns of the columns that kept their equity above zero; empty: the
        rows were too few, or a scan did not keep them.
    digest : str
        Of the result; of a sweep that of its best column.
    """

    run: str
    family: str
    members: bytes
    strategy: str
    strategy_id: str
    parameters: str
    data: str
    settings: str
    n_columns: int
    n_rows: int
    periods_per_year: float
    sharpe_mean: float
    sharpe_variance: float
    sharpe_best: float
    n_sharpes: int
    segments: bytes
    digest: str

    @property
    def identity(self) -> tuple[str, ...]:
        """What tells two trials apart: the same run repeated is one trial."""
        key = self.strategy_id or self.parameters
        return (self.strategy, key, self.data, self.settings, f"{self.n_columns} {self.n_rows}")

    def is_of(self, family: str) -> bool:
        """Return True if a family, or one of its members, is among what was tried."""
        if family == self.family:
            return True
        is_id = bool(self.members) and not family.startswith(NAMED)
        return is_id and member_ids([family]) in _chunks(self.members)


TRIAL_EVENTS = Codec("trials", Trial)


class Family(NamedTuple):
    """What a ledger holds of one hypothesis.

    Attributes
    ----------
    name : str
    n_runs : int
        Rows of the ledger.
    tried : tuple of Trial
        Its different runs: one that was repeated on the same data with the same settings is there
        once.
    head : Head
        Of the ledger when it was read.
    """

    name: str
    n_runs: int
    tried: tuple[Trial, ...]
    head: Head


def member_ids(families: Iterable[str]) -> bytes:
    """Return the first 8 bytes of each of some families' ids, sorted, without repeats.

    Examples
    --------
    >>> member_ids(["ff" * 32, "0a" * 32, "ff" * 32]).hex()
    '0a0a0a0a0a0a0a0affffffffffffffff'
    """
    return b"".join(sorted({bytes.fromhex(name[:16]) for name in families}))


def _chunks(members: bytes) -> set[bytes]:
    return {members[i : i + 8] for i in range(0, len(members), 8)}


def sharpe_moments(sharpes: FloatArray) -> dict[str, float | int]:
    """Return the fields of a `Trial` on Sharpe ratios per row, NaN left out.

    Examples
    --------
    >>> sharpe_moments(np.array([0.5, np.nan, 0.25]))["sharpe_mean"]
    0.375
    """
    known = np.asarray(sharpes, np.float64)
    known = known[np.isfinite(known)]
    return {
        "sharpe_mean": float(known.mean()) if known.size else np.nan,
        "sharpe_variance": float(known.var(ddof=1)) if known.size > 1 else np.nan,
        "sharpe_best": float(known.max()) if known.size else np.nan,
        "n_sharpes": int(known.size),
    }


class PackedSums(NamedTuple):
    """Segment sums as a ledger keeps them: rounded to float32.

    Attributes
    ----------
    total, squares : ndarray of shape (S, M)
        float32: sums of the returns of M columns, and of their squares, in S segments.
    rows : ndarray of shape (S,)
        int64: rows of each segment.
    """

    total: Any
    squares: Any
    rows: IntArray


def packed(total: FloatArray, squares: FloatArray, rows: IntArray) -> bytes:
    """Return segment sums as compressed bytes: their shape, then Zstandard.

    Parameters
    ----------
    total, squares : ndarray of shape (S, M)
    rows : ndarray of shape (S,)

    Examples
    --------
    >>> unpacked(packed(np.ones((2, 4)), np.ones((2, 4)), np.array([5, 5]))).total.shape
    (2, 4)
    """
    import pyarrow as pa

    with np.errstate(over="ignore"):  # a return beyond a float32 is infinite, and no evidence
        sums = np.stack([total, squares]).astype("<f4")
    raw = np.asarray(rows, "<i8").tobytes() + sums.tobytes()
    compressed: bytes = pa.compress(raw, codec="zstd", asbytes=True)
    return np.array(total.shape, "<u4").tobytes() + compressed


def unpacked(data: bytes) -> PackedSums:
    """Return the segment sums that `packed` made bytes of.

    Raises
    ------
    JournalError
        Bytes that it did not make.
    """
    import pyarrow as pa

    try:
        n_segments, n_columns = (int(n) for n in np.frombuffer(data[:8], "<u4"))
        size = 8 * n_segments * (1 + n_columns)
        if size > _MOST_BYTES:
            raise ValueError(f"they say that they have {size:,} bytes")
        raw = pa.decompress(data[8:], decompressed_size=size, codec="zstd", asbytes=True)
        rows = np.frombuffer(raw, "<i8", n_segments)
        sums = np.frombuffer(raw, "<f4", offset=rows.nbytes).reshape(2, n_segments, n_columns)
        return PackedSums(sums[0], sums[1], rows)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise JournalError(f"segment sums that cannot be read: {error}") from None


def family_of(trials: Iterable[tuple[Entry, Trial]], family: str, *more: str) -> Family:
    """Return what is known of one family, together with `more` families, under its name.

    A run over several families counts for each of them, and once if they are asked for together.
    """
    head, n_runs = Head(0, b""), 0
    different: dict[tuple[str, ...], Trial] = {}
    for entry, trial in trials:
        head = Head(entry.seq, entry.hash)
        if any(trial.is_of(name) for name in (family, *more)):
            different[trial.identity] = trial
            n_runs += 1
    return Family(family, n_runs, tuple(different.values()), head)


def families(trials: Sequence[tuple[Entry, Trial]]) -> list[Family]:
    """Return what is known of every family, in the order of their first runs."""
    names = dict.fromkeys(trial.family for _, trial in trials)
    return [family_of(trials, name) for name in names]
