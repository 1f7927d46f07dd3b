"""WorldQuant's notation, read by pandas and NumPy alone: the naive twin of `alpha101.toml`.

A window is cut out and computed whole, a row is ranked by pandas, and NaN is handled as the
language documents it. Nothing here is shared with the parser, the registry or the kernels.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

FILE = Path(__file__).with_name("alpha101_paper.txt")


def formulas() -> dict[int, str]:
    """Return the formulas of the paper by their numbers."""
    lines = FILE.read_text().splitlines()[1:]
    return {int(number): text for number, text in (line.split(": ", 1) for line in lines)}


def python_of(text: str) -> str:
    """Return a formula as Python: ``c ? a : b`` is where(c, a, b), ``^`` a power, ``||`` an or.

    >>> python_of("(a < b) ? (c ^ 2) : d")
    'where((a < b), (c ** 2), d)'
    """
    marks = {mark: place for place, mark in _at_the_top(text, "?:")}
    if marks:
        first, second = marks["?"], marks[":"]
        parts = text[:first], text[first + 1 : second], text[second + 1 :]
        return f"where({', '.join(python_of(part).strip() for part in parts)})"
    out, start = "", 0
    for opened, closed in _brackets(text):
        out += text[start : opened + 1] + python_of(text[opened + 1 : closed])
        start = closed
    return (
        (out + text[start:]).replace("^", " ** " if "^ " not in text else "**").replace("||", "|")
    )


def _at_the_top(text: str, marks: str) -> list[tuple[int, str]]:
    depth, found = 0, []
    for place, mark in enumerate(text):
        depth += (mark == "(") - (mark == ")")
        if depth == 0 and mark in marks:
            found.append((place, mark))
    return found


def _brackets(text: str) -> list[tuple[int, int]]:
    depth, found, opened = 0, [], 0
    for place, mark in enumerate(text):
        if mark == "(":
            opened = place if depth == 0 else opened
            depth += 1
        elif mark == ")":
            depth -= 1
            if depth == 0:
                found.append((opened, place))
    return found


class Panel:
    """Values (T, N) with the signs of the paper; unknown is NaN, also in comparisons."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def _with(self, other: Panel | float, function: Callable[..., np.ndarray]) -> Panel:
        other = other.values if isinstance(other, Panel) else np.full(self.values.shape, other)
        with np.errstate(all="ignore"):
            return Panel(function(self.values, other))

    def __add__(self, other):
        return self._with(other, np.add)

    __radd__ = __add__

    def __sub__(self, other):
        return self._with(other, np.subtract)

    def __rsub__(self, other):
        return self._with(other, lambda x, y: y - x)

    def __mul__(self, other):
        return self._with(other, np.multiply)

    __rmul__ = __mul__

    def __truediv__(self, other):
        return self._with(other, np.divide)

    def __rtruediv__(self, other):
        return self._with(other, lambda x, y: y / x)

    def __pow__(self, other):
        return self._with(other, lambda x, y: np.where(np.isnan(x + y), np.nan, x**y))

    def __neg__(self):
        return Panel(-self.values)

    def __abs__(self):
        return Panel(np.abs(self.values))

    def _compared(self, other, function):
        return self._with(
            other, lambda x, y: np.where(np.isnan(x) | np.isnan(y), np.nan, function(x, y))
        )

    def __lt__(self, other):
        return self._compared(other, np.less)

    def __gt__(self, other):
        return self._compared(other, np.greater)

    def __eq__(self, other):
        return self._compared(other, np.equal)

    def __or__(self, other):
        def either(x, y):
            true = (x == 1) | (y == 1)
            return np.where(true, 1.0, np.where(np.isnan(x) | np.isnan(y), np.nan, 0.0))

        return self._with(other, either)


class Words:
    """The functions of the paper over given columns, each by its name in lower case.

    With `noise` the arithmetic of every window is off by 1e-13 of the size of its values. A cell
    that changes with it has no true value: a rank decides between numbers that are equal in truth.
    """

    #: Stands for an exact 0, which no noise changes, until the formula is computed.
    EXACT = 1e-300

    def __init__(
        self,
        columns: Mapping[str, np.ndarray],
        groups: Mapping[str, np.ndarray],
        traded: np.ndarray,
        noise: np.random.Generator | None = None,
    ) -> None:
        self.noise = noise
        self.columns = columns
        self.groups = groups
        self.traded = traded

    def __call__(self, formula: str) -> np.ndarray:
        """Return the values of a formula of the paper."""
        text = re.sub(r"IndClass\.(\w+)", r"'\1'", formula)
        text = re.sub(r"[A-Za-z_]\w*(?=\()", lambda name: name.group().lower(), python_of(text))
        names = {name: Panel(values) for name, values in self.columns.items()}
        names |= {name: getattr(self, f"_{name}") for name in FUNCTIONS}
        names |= {
            f"adv{n}": self._sum(Panel(self.traded), int(n)) / float(n)
            for n in re.findall(r"adv(\d+)", text)
        }
        close = self.columns["close"]
        names["returns"] = Panel(
            np.vstack((np.full((1, close.shape[1]), np.nan), close[1:] / close[:-1] - 1))
        )
        return eval(text, {"__builtins__": {}}, names | {"abs": abs}).values

    def _chosen(self, function: Callable[..., np.ndarray], n: float, *inputs: Panel) -> Panel:
        """Apply a function to windows (T - n + 1, N, n); one with an unknown value is unknown."""
        n = int(n)
        out = np.full(inputs[0].values.shape, np.nan)
        if n <= len(out):
            cut = [sliding_window_view(x.values, n, axis=0) for x in inputs]
            known = np.all([np.isfinite(x).all(axis=2) for x in cut], axis=0)
            with np.errstate(all="ignore"):
                out[n - 1 :] = np.where(known, function(*cut), np.nan)
        return Panel(out)

    def _window(
        self,
        function: Callable[..., np.ndarray],
        n: float,
        *inputs: Panel,
        size: Callable[[np.ndarray], np.ndarray] = lambda w: np.abs(w).max(axis=2),
    ) -> Panel:
        """Apply arithmetic to windows: its last digits are a matter of rounding."""
        out = self._chosen(function, n, *inputs).values
        if self.noise is not None:
            sizes = [self._chosen(size, n, x).values for x in inputs]
            off = 1e-13 * self.noise.normal(size=out.shape) * np.prod(sizes, axis=0)
            out = np.where(out == self.EXACT, out, out + off)
        return Panel(out)

    def _where(self, condition, x, y):
        x, y = (v.values if isinstance(v, Panel) else v for v in (x, y))
        chosen = np.where(condition.values != 0, x, y)
        return Panel(np.where(np.isnan(condition.values), np.nan, chosen))

    def _rank(self, x):
        known = np.where(np.isfinite(x.values), x.values, np.nan)
        return Panel(pd.DataFrame(known).rank(axis=1, pct=True).to_numpy())

    def _scale(self, x):
        known = np.where(np.isfinite(x.values), x.values, np.nan)
        return Panel(known / np.nansum(np.abs(known), axis=1, keepdims=True))

    def _indneutralize(self, x, group):
        known = pd.DataFrame(np.where(np.isfinite(x.values), x.values, np.nan))
        means = known.T.groupby(self.groups[group]).transform("mean").T
        return Panel((known - means).to_numpy())

    def _delay(self, x, n):
        return Panel(pd.DataFrame(x.values).shift(int(n)).to_numpy())

    def _delta(self, x, n):
        return x - self._delay(x, n)

    def _sum(self, x, n):
        return self._window(lambda w: w.sum(axis=2), n, x)

    def _product(self, x, n):
        return self._window(lambda w: w.prod(axis=2), n, x)

    def _stddev(self, x, n):
        return self._window(lambda w: np.std(w - w[..., :1], axis=2, ddof=1), n, x)

    def _ts_min(self, x, n):
        return self._chosen(lambda w: w.min(axis=2), n, x)

    def _ts_max(self, x, n):
        return self._chosen(lambda w: w.max(axis=2), n, x)

    def _min(self, x, y):
        return x._with(y, np.minimum) if isinstance(y, Panel) else self._ts_min(x, y)

    def _max(self, x, y):
        return x._with(y, np.maximum) if isinstance(y, Panel) else self._ts_max(x, y)

    def _ts_argmax(self, x, n):
        """Return the day of the window, 1 to n; of equal ones the last."""
        return self._chosen(lambda w: int(n) - np.argmax(w[..., ::-1], axis=2), n, x)

    def _ts_argmin(self, x, n):
        return self._chosen(lambda w: int(n) - np.argmin(w[..., ::-1], axis=2), n, x)

    def _ts_rank(self, x, n):
        def of(w):
            last = w[..., -1:]
            places = (w < last).sum(axis=2) + (w <= last).sum(axis=2) + 1
            return places / 2 / int(n)

        return self._chosen(of, n, x)

    def _decay_linear(self, x, n):
        weights = np.arange(1, int(n) + 1)
        return self._window(lambda w: (w * weights).sum(axis=2) / weights.sum(), n, x)

    def _covariance(self, x, y, n):
        def of(a, b):
            a, b = (w - w[..., :1] for w in (a, b))
            a, b = (w - w.mean(axis=2, keepdims=True) for w in (a, b))
            return (a * b).sum(axis=2) / (int(n) - 1)

        return self._window(of, n, x, y)

    def _correlation(self, x, y, n):
        """Return the correlation, and 0 where one of both has not moved."""

        def of(a, b):
            still = (np.ptp(a, axis=2) == 0) | (np.ptp(b, axis=2) == 0)
            a, b = (w - w[..., :1] for w in (a, b))
            a, b = (w - w.mean(axis=2, keepdims=True) for w in (a, b))
            r = (a * b).sum(axis=2) / np.sqrt((a * a).sum(axis=2)) / np.sqrt((b * b).sum(axis=2))
            return np.where(still, self.EXACT, r)

        return self._window(of, n, x, y, size=lambda w: np.ones(w.shape[:2]))

    def _sign(self, x):
        return Panel(np.sign(x.values))

    def _log(self, x):
        with np.errstate(all="ignore"):
            return Panel(np.log(x.values))

    def _signedpower(self, x, y):
        return self._sign(x) * abs(x) ** y


FUNCTIONS = [name[1:] for name in vars(Words) if re.fullmatch(r"_[a-z]\w*", name)]
FUNCTIONS = [name for name in FUNCTIONS if name not in ("chosen", "window")]
