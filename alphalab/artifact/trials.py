"""`Trial`: one row of the trial ledger; and `Family`: what many rows say of one hypothesis."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from alphalab.core.event_codec import Codec, Event, tag
from alphalab.core.journal_reader import Entry, Head
from alphalab.errors import JournalError
from alphalab.types import FloatArray

#: How the families begin that the user named.
NAMED = "name:"


class Trial(Event, frozen=True, tag=tag(1)):
    """One run: a backtest is one trial, a sweep as many as it has columns.

    Attributes
    ----------
    run : str
        ``backtest``, ``sweep``, ``search``, ``walk_forward`` or ``validate``.
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
        `Bars.id` and `RunSettings.id`.
    n_columns, n_rows : int
        Columns that were run, and rows of the data.
    periods_per_year : float
    sharpe_mean, sharpe_variance, sharpe_best : float
        Over the columns whose Sharpe ratio is defined, per row, not annualised; variance with ddof
        1. NaN: there are too few.
    n_sharpes : int
        How many these are.
    segments : bytes
        `packed` sums of the columns' returns; empty: not kept.
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
        return (self.strategy, key, self.data, self.settings, str(self.n_columns))

    def is_of(self, family: str) -> bool:
        """Return True if a family, or one of its members, is among what was tried."""
        if family == self.family:
            return True
        is_id = bool(self.members) and not family.startswith(NAMED)
        return is_id and member_ids([family]) in _chunks(self.members)


TRIAL_EVENTS = Codec("trials", Trial)


class Family(NamedTuple):
    """What a ledger knows of one hypothesis.

    Attributes
    ----------
    name : str
    n_runs, n_trials : int
        Rows of the ledger, and different columns that were tried. A run that was repeated on the
        same data with the same settings counts once.
    sharpe_mean, sharpe_variance : float
        Over all trials, per row, ddof 1; NaN: too few.
    head : Head
        Of the ledger when it was read.
    """

    name: str
    n_runs: int
    n_trials: int
    sharpe_mean: float
    sharpe_variance: float
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


def packed(sums: FloatArray) -> bytes:
    """Return segment sums as compressed bytes.

    Parameters
    ----------
    sums : ndarray of shape (3, S, M)
        Sum of returns, sum of their squares, and rows, of S segments and M columns. Kept as
        float32.

    Examples
    --------
    >>> unpacked(packed(np.ones((3, 2, 4)))).shape
    (3, 2, 4)
    """
    with np.errstate(over="ignore"):  # a return beyond a float32 is infinite, and no evidence
        values = np.asarray(sums, "<f4")
    shape = np.array(values.shape, "<u4")
    return shape.tobytes() + zlib.compress(values.tobytes(), 1)


def unpacked(data: bytes) -> FloatArray:
    """Return the segment sums that `packed` made bytes of, (3, S, M).

    Raises
    ------
    JournalError
        Bytes that it did not make.
    """
    try:
        shape = tuple(int(n) for n in np.frombuffer(data[:12], "<u4"))
        # One byte more than the shape says is enough to see that there is too much.
        stream = zlib.decompressobj()
        raw = stream.decompress(data[12:], 4 * int(np.prod(shape, dtype=np.int64)) + 1)
        if not stream.eof or len(shape) != 3:
            raise ValueError("they are cut, or longer than they say")
        return np.frombuffer(raw, "<f4").astype(np.float64).reshape(shape)
    except (zlib.error, ValueError) as error:
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
    tried = list(different.values())
    n_trials = sum(trial.n_columns for trial in tried)
    return Family(family, n_runs, n_trials, *_pooled(tried), head)


def families(trials: Sequence[tuple[Entry, Trial]]) -> list[Family]:
    """Return what is known of every family, in the order of their first runs."""
    names = dict.fromkeys(trial.family for _, trial in trials)
    return [family_of(trials, name) for name in names]


def _pooled(trials: list[Trial]) -> tuple[float, float]:
    """Return mean and variance (ddof 1) of all Sharpe ratios from those of each run."""
    some = [trial for trial in trials if trial.n_sharpes]
    n = sum(trial.n_sharpes for trial in some)
    if n == 0:
        return np.nan, np.nan
    mean = sum(trial.n_sharpes * trial.sharpe_mean for trial in some) / n
    squares = sum(
        (0.0 if trial.n_sharpes == 1 else (trial.n_sharpes - 1) * trial.sharpe_variance)
        + trial.n_sharpes * (trial.sharpe_mean - mean) ** 2
        for trial in some
    )
    return mean, squares / (n - 1) if n > 1 else np.nan
