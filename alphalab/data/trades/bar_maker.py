"""`TradeBars`: bars of trades as they arrive, with the state of the unfinished bar."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alphalab.data.clock.times import datetimes_to_ns, iso, parse_duration
from alphalab.errors import DataError, ParameterError, StateError, UnknownNameError
from alphalab.settings import Positive, Rows, Settings
from alphalab.types import FloatArray, IntArray

BarsBy: TypeAlias = Literal[
    "time", "tick", "volume", "dollar", "tick_imbalance", "volume_imbalance", "dollar_imbalance"
]

_KINDS: tuple[str, ...] = get_args(BarsBy)  # in the order of their codes
_BLOCK = 65_536
_NEVER = np.iinfo(np.int64).min


class Imbalance(Settings, frozen=True):
    """Settings of imbalance bars.

    Parameters
    ----------
    span_bars : int
        Bars over which the mean number of trades is taken, exponentially.
    span_trades : int
        Trades over which the mean imbalance of a trade is taken: of the first ones evenly, then
        exponentially.
    expected : float, optional
        Imbalance of a trade that the first bar expects: a sign from -1 to 1, signed units or signed
        value. Not given: the first bar ends after `size` trades, and the second expects what they
        showed.
    least, most : float
        Trades that a bar has: fewer do not end it, as many do. Expectations feed upon themselves:
        where buying and selling are even, bars shrink to single trades, and long bars make longer
        ones be expected.

    Examples
    --------
    >>> Imbalance(span_bars=50, most=10_000).least
    1.0
    """

    span_bars: Rows = 20
    span_trades: Rows = 1_000
    expected: float | None = None
    least: Positive = 1.0
    most: Positive = 1e9

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.least > self.most:
            raise ParameterError(
                f"Imbalance: least={self.least:g}, most={self.most:g}",
                rule="least is not above most.",
            )


class TradeBars:
    """Makes bars of trades as they arrive; any partition into blocks makes the same bars.

    Parameters
    ----------
    by, size, offset, imbalance
        As in `trade_bars`.

    Examples
    --------
    >>> bars = TradeBars("tick", 2)
    >>> bars.push([1, 1, 1], [10.0, 11.0, 12.0], [1.0, 1.0, 1.0]).size
    0
    >>> bars.push([5], [11.0], [2.0])[["time", "n", "open", "close"]].tolist()
    [(1, 3, 10.0, 12.0)]
    >>> bars.n_waiting
    1
    """

    def __init__(
        self,
        by: BarsBy = "time",
        size: str | float = "1m",
        *,
        offset: str | None = None,
        imbalance: Imbalance | None = None,
    ) -> None:
        from alphalab.kernels.trade_bars import BAR_RULE, BAR_SO_FAR

        number, step, shift = _checked(by, size, offset, imbalance)
        given = imbalance or Imbalance()
        self._rule = np.zeros(1, BAR_RULE)
        self._bar = np.zeros(1, BAR_SO_FAR)
        self._rule[0] = (
            *(_KINDS.index(by), number, step, shift),
            *(given.span_bars, given.span_trades, given.least, given.most),
        )
        self._bar["time"] = self._bar["until"] = _NEVER
        self._bar["expected"], self._bar["enough"] = number, np.nan
        if given.expected is not None:
            self._bar["mean"], self._bar["n_signed"] = given.expected, given.span_trades
            self._bar["enough"] = number * abs(given.expected)

    def push(
        self,
        time: ArrayLike,
        price: ArrayLike,
        amount: ArrayLike,
        side: ArrayLike | None = None,
        *,
        until: int | None = None,
    ) -> NDArray[Any]:
        """Add trades and return the bars that they finish.

        Parameters
        ----------
        time : array of shape (R,), int64 or datetime64
            ns UTC, not decreasing, also from call to call.
        price, amount : array of shape (R,)
            Finite and above 0.
        side : array of shape (R,), optional
            1 where the buyer took, -1 where the seller did, 0 unknown.
        until : int, optional
            ns UTC: after these, no trade before it is to come. So a bar of time ends where nobody
            trades; without it, a bar is finished when a trade of a later time comes.

        Returns
        -------
        ndarray of `alphalab.kernels.trade_bars.FINISHED`
            Time, n, open, high, low, close, volume, bought and value of each bar that is finished.

        Raises
        ------
        DataError
            A trade that is earlier than the one before, or a value outside its range.
        """
        from alphalab.kernels._jit import silent
        from alphalab.kernels.trade_bars import FINISHED, run

        times = _times(time)
        prices, amounts = (np.ascontiguousarray(x, np.float64) for x in (price, amount))
        sides = np.zeros(len(times)) if side is None else np.ascontiguousarray(side, np.float64)
        if times.size:
            self._check(times, prices, amounts, sides)
        out, found = np.empty(min(len(times), _BLOCK) + 1, FINISHED), []
        for i0 in range(0, max(len(times), 1), _BLOCK):
            columns = [x[i0 : i0 + _BLOCK] for x in (times, prices, amounts, sides)]
            now = _NEVER if until is None or i0 + _BLOCK < len(times) else int(until)
            with silent():
                count = run()(self._rule, self._bar, *columns, now, out)
            found.append(out[:count].copy())
        return np.concatenate(found)

    @property
    def n_waiting(self) -> int:
        """Number of trades in the unfinished bar."""
        return int(self._bar["n"][0])

    def snapshot(self) -> bytes:
        """Return the state, to continue in another process."""
        return self._rule.tobytes() + self._bar.tobytes()

    def restore(self, state: bytes) -> None:
        """Continue from a snapshot.

        Raises
        ------
        StateError
            It is not one of bars of this kind and size.
        """
        rule = self._rule.tobytes()
        if len(state) != len(rule) + self._bar.nbytes or not state.startswith(rule):
            raise StateError(
                "the snapshot is not one of these bars",
                rule="a snapshot is restored into bars of the same kind and size.",
            )
        self._bar = np.frombuffer(state[len(rule) :], self._bar.dtype).copy()

    def _check(
        self, time: IntArray, price: FloatArray, amount: FloatArray, side: FloatArray
    ) -> None:
        shapes = {x.shape for x in (time, price, amount, side)}
        if len(shapes) > 1 or time.ndim != 1:
            raise DataError(
                f"trades of shapes {sorted(shapes)}", rule="trades have one value each of a kind."
            )
        before = np.concatenate((np.maximum(self._bar["time"], self._bar["until"]), time[:-1]))
        for bad, what, rule in (
            (time < before, "it comes after {before}", "trades come in the order of their times."),
            (~((price > 0) & (price < np.inf)), "price={price}", "a price is finite and above 0."),
            (~((amount > 0) & (amount < np.inf)), "amount={amount}", "an amount is above 0."),
            (~np.isin(side, (-1.0, 0.0, 1.0)), "side={side}", "a side is 1, -1 or 0."),
        ):
            if bad.any():
                row = int(np.argmax(bad))
                said = what.format(
                    time=iso(time[row]), before=iso(before[row]),
                    price=price[row], amount=amount[row], side=side[row],
                )  # fmt: skip
                raise DataError(f"trade {row} ({iso(time[row])}): {said}", rule=rule)


def _times(given: ArrayLike) -> IntArray:
    """Return times in ns UTC."""
    time = np.asarray(given)
    if time.dtype.kind == "M":
        time = datetimes_to_ns(time)
    elif time.dtype.kind not in "iu" and time.size:
        raise DataError(
            f"times of type {time.dtype}", rule="times are int64 nanoseconds UTC, or datetime64."
        )
    return np.ascontiguousarray(time, np.int64)


def _checked(
    by: str, size: str | float, offset: str | None, imbalance: Imbalance | None
) -> tuple[float, int, int]:
    """Return the size, and step and shift of windows of time, ns."""
    if by not in _KINDS:
        raise UnknownNameError("kind of bars", by, _KINDS)
    if imbalance is not None and not by.endswith("_imbalance"):
        raise ParameterError(f"imbalance for {by} bars", rule="it is for imbalance bars.")
    if by == "time":
        if not isinstance(size, str):
            raise ParameterError(
                f"size={size!r} of time bars", rule="it is a length of time, such as '1m'."
            )
        step, shift = parse_duration(size), 0 if offset is None else parse_duration(offset)
        if shift >= step:
            raise ParameterError(
                f"offset={offset!r} for size={size!r}", rule="an offset is shorter than the size."
            )
        return 0.0, step, shift
    if offset is not None:
        raise ParameterError(f"offset for {by} bars", rule="an offset is for time bars.")
    whole = by not in ("volume", "dollar")
    if isinstance(size, str) or not 0 < size < np.inf or (whole and size < 1):
        raise ParameterError(
            f"size={size!r} of {by} bars",
            rule=f"it is a number {'of trades, at least 1' if whole else 'above 0'}.",
        )
    return float(size), 1, 0
