"""`Operator`, the record of an operator, and the registry of all operators.

Parser, printer, plan, documentation, warm-up analysis and tests all read the registry; there is no
other list of operators.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from alphalab.errors import ExprError
from alphalab.expr.other_names import unknown_operator

#: Largest n of an operator, rows: twenty years of minutes, 80 MB of state per asset.
MAX_ROWS = 10_000_000

Family = Literal["source", "clock", "elementwise", "series", "cross", "shape"]

#: NaN rules as text. Unknown means NaN, in windows also infinite.
CELL = "unknown where an input is unknown"
WINDOW = "unknown until the window is full and while it holds an unknown value"
SKIP = "an unknown row gives unknown and is skipped"
CROSS = "unknown assets are left out and stay unknown"


class Linear(msgspec.Struct, frozen=True):
    """A count that depends on an operator's n: ``per_n * n + fixed``.

    Examples
    --------
    >>> Linear.parse("2*n + 11").at(20)
    51
    >>> str(Linear.parse("n + 1"))
    'n + 1'
    """

    fixed: int = 0
    per_n: int = 0

    @classmethod
    def parse(cls, text: str) -> Linear:
        """Read ``"5"``, ``"n"``, ``"n + 1"`` or ``"2*n + 11"``."""
        match = re.fullmatch(r"(?:(\d+\*)?(n))?(?:(?:^|\s*\+\s*)(\d+))?", text.strip())
        if not match or not text.strip():
            raise ExprError(
                f"count {text!r}", rule="a count reads '5', 'n', 'n + 1' or '2*n + 11'."
            )
        factor, n, fixed = match.groups()
        return cls(int(fixed or 0), int((factor or "1*")[:-1]) if n else 0)

    def at(self, n: int) -> int:
        """Return the count for this n."""
        return self.fixed + self.per_n * n

    def __str__(self) -> str:
        factor = {0: "", 1: "n"}.get(self.per_n, f"{self.per_n}*n")
        return " + ".join(
            part for part in (factor, str(self.fixed) if self.fixed or not factor else "") if part
        )


class Param(msgspec.Struct, frozen=True):
    """One number of an operator: a count of rows (`integer`) or any number, within [low, high]."""

    name: str
    integer: bool = False
    low: float = float("-inf")
    high: float = float("inf")
    default: float | None = None

    def check(self, owner: str, value: Any) -> float | int:
        """Return the value as int or float; raise `ExprError` if it is out of range."""
        if value is None and self.default is not None:
            value = self.default
        given = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
        wanted = "an integer" if self.integer else "a number"
        high = min(self.high, MAX_ROWS) if self.integer else self.high
        number = isinstance(given, int | float) and not isinstance(given, bool)
        try:
            size = float(given) if number else math.nan
        except OverflowError:  # an integer beyond float64
            size = math.nan
        if not self.low <= size <= high or (self.integer and size % 1 != 0.0):
            bounds = "" if self.low == -math.inf else f" of at least {self.low:g}"
            bounds += f" and at most {high:g}" if self.high < math.inf or size > high else ""
            raise ExprError(
                f"{owner}: {self.name}={value!r}", rule=f"{self.name} is {wanted}{bounds}."
            )
        return int(given) if self.integer else float(given)


class Operator(msgspec.Struct, frozen=True, kw_only=True):
    """The record of one operator of the alpha language.

    Parameters
    ----------
    name : str
        Its name in expressions.
    family : str
        ``elementwise`` (one cell), ``series`` (one asset through time), ``cross`` (one row across
        assets), ``source`` (reads a column or a constant), ``clock`` (reads the time of the row)
        or ``shape`` (moves series between assets, calls Python).
    doc : str
        What it returns, in one line.
    inputs, params : tuple
        Names of its input series, then its numbers.
    rows : Linear
        Rows needed for the first value.
    recursive : bool
        True if rows older than `rows` affect the value.
    span : Linear, optional
        Span of an exponential mean: the newest row has the weight 2 / (span + 1), and the weight of
        older rows shrinks by that share with each row.
    state : Linear
        Number of float64 values of state per asset.
    unknown : str
        Its NaN rule, as text.
    infix : str
        Its Python sign, if it has one.
    source : str
        Where the formula was published, if it has an author.
    form_of : str
        The operator that it is a form of, with ``min_periods`` as its last number; it is written
        and called by that name.
    update : str or callable
        ``module:function`` in `alphalab.kernels.operators`, or a user's function.
    """

    name: str
    family: Family
    doc: str
    inputs: tuple[str, ...] = ()
    params: tuple[Param, ...] = ()
    rows: Linear = Linear(1)
    recursive: bool = False
    span: Linear | None = None
    state: Linear = Linear()
    unknown: str = CELL
    infix: str = ""
    source: str = ""
    form_of: str = ""
    update: str | Callable[..., Any] = ""

    @property
    def signature(self) -> str:
        """The call, such as ``ts_mean(x, n)``."""
        if self.form_of:
            return f"{self.form_of}({', '.join(self.inputs)}, n, min_periods=None)"
        if self.infix:
            return f"{self.infix}x" if len(self.inputs) == 1 else f"x {self.infix} y"
        numbers = [p.name if p.default is None else f"{p.name}={p.default:g}" for p in self.params]
        return f"{self.name}({', '.join([*self.inputs, *numbers])})"

    @property
    def memory(self) -> str:
        """The rows it remembers, as text."""
        if self.recursive:
            return f"all rows, known after {self.rows}" if self.rows.per_n else "all rows"
        return "this row" if self.rows == Linear(1) else f"{self.rows} rows"

    @property
    def loop(self) -> str:
        """The loop that calls its update; a built-in series update takes whole rows of assets."""
        built_in = isinstance(self.update, str)
        return "rows" if self.family == "series" and built_in else self.family

    @property
    def counts_rows(self) -> bool:
        """True if its first number is n, the count of rows that `rows` and `state` depend on."""
        return bool(self.params) and self.params[0].integer

    @property
    def has_clock(self) -> bool:
        """True if its state begins with a clock: rows seen, and the next slot of a ring of n."""
        return self.loop == "rows" and not self.recursive

    def rows_to_forget(self, params: tuple[Any, ...], share: float) -> float:
        """Return the rows after which older rows have a weight of less than `share`.

        Infinite for a recursive operator without a span: `latch` remembers until an event.

        Examples
        --------
        >>> operator("ema").rows_to_forget((20,), 0.01)
        67
        >>> operator("ts_mean").rows_to_forget((20,), 0.01)
        20
        """
        n = self.n(params)
        if not self.recursive:
            return self.rows.at(n)
        if self.span is None:
            return math.inf
        kept = 1.0 - 2.0 / (self.span.at(n) + 1.0)
        decay = math.ceil(math.log(share) / math.log(kept)) if kept > 0.0 else 0
        return self.rows.at(n) + decay

    def n(self, params: tuple[Any, ...]) -> int:
        """Return the n that `rows` and `state` depend on, 0 without one."""
        return int(params[0]) if self.counts_rows else 0


REGISTRY: dict[str, Operator] = {}


def partial_form(name: str) -> str:
    """Return the name in the registry of the form of an operator that takes ``min_periods``."""
    return f"{name}_min_periods"


def register(operator: Operator) -> Operator:
    """Add an operator to the language."""
    REGISTRY[operator.name] = operator
    return operator


def operator(name: str) -> Operator:
    """Return the operator of this name; the error for an unknown name suggests near ones."""
    if name not in REGISTRY:
        raise unknown_operator(name, REGISTRY)
    return REGISTRY[name]
