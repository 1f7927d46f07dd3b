"""`Expr`, a node of the alpha language: immutable, with a canonical text."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from html import escape
from typing import Any, TypeAlias

from alphalab.errors import ExprError
from alphalab.expr import operators as _operators  # noqa: F401  (fills the registry)
from alphalab.expr.drawing import drawn
from alphalab.expr.indicators import HOME
from alphalab.expr.intervals import interval_ns
from alphalab.expr.numpy_calls import MIRRORED, no_values, operator_of, refused
from alphalab.expr.other_names import unknown_operator
from alphalab.expr.registry import REGISTRY, Operator, operator, partial_form
from alphalab.types import BAR_COLUMNS

Number: TypeAlias = int | float

#: Operators whose input is computed on other rows than those of the expression.
OWN_CLOCK = ("on", "on_traded")

#: Columns that hold what happened in a row.
EVENTS = ("split", "dividend", "funding", "delisting")

#: Longest text of an expression, in characters.
MAX_LENGTH = 100_000

# Precedence of the signs, as in Python; 8: a name, a number or a call.
_LEVELS = {"|": 2, "&": 3, "+": 4, "-": 4, "*": 5, "/": 5, "**": 7}
_COMPARE, _UNARY, _ATOM = 1, 6, 8


class Expr:
    """A causal expression: an operator, the expressions it reads and its numbers.

    Build expressions with operators, signs and the functions of the language, never directly. Every
    operator is also a method: ``al.close.ts_mean(10)``. ``==`` and ``!=`` compare values like the
    other signs; `same_as` compares formulas.

    Examples
    --------
    >>> from alphalab.expr.functions import close, ts_mean
    >>> signal = close > ts_mean(close, 10)
    >>> str(signal)
    'close > ts_mean(close, 10)'
    >>> signal.same_as(close > close.ts_mean(10))
    True
    >>> str(1 - 0.5 * (close == 1))
    '1.0 - 0.5 * (close == 1.0)'
    >>> signal.warmup
    9
    """

    __slots__ = ("args", "key", "op", "params", "warmup")

    op: str
    args: tuple[Expr, ...]
    params: tuple[Any, ...]
    key: bytes
    #: Rows at the start of the data before every window of the expression is full.
    warmup: int

    def __init__(self, op: str, args: tuple[Expr, ...], params: tuple[Any, ...]) -> None:
        record = operator(op)
        said = b"".join([repr((op, params)).encode(), *[arg.key for arg in args]])
        rows = params[1] if op == "python_op" else record.rows.at(record.n(params))
        warmup = max([arg.warmup for arg in args], default=0)
        put = object.__setattr__
        put(self, "op", op)
        put(self, "args", args)
        put(self, "params", params)
        put(self, "key", hashlib.blake2b(said, digest_size=16).digest())
        put(self, "warmup", rows - 1 + warmup)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"an expression cannot be changed: build a new one instead of setting {name!r}"
        )

    def __delattr__(self, name: str) -> None:
        self.__setattr__(name, None)

    def __reduce__(self) -> tuple[Any, ...]:
        return Expr, (self.op, self.args, self.params)

    def same_as(self, other: Expr) -> bool:
        """Return True if the other is the same formula."""
        return self.key == other.key

    # Of the object, since == is no answer; equal formulas have equal keys.
    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        raise ExprError(
            f"an expression has no single truth value: {self}",
            rule="an expression is a whole series, so if, and, or, not, in, min and max have no "
            "answer.",
            fix="Use & | ~ for and, or, not, al.where for if, (a < b) & (b < c) for a < b < c, "
            "al.minimum and al.maximum for min and max, and x.same_as(y) for equal formulas.",
        )

    def __str__(self) -> str:
        return to_text(self)

    def __repr__(self) -> str:
        return f"Expr({str(self)!r})"

    def _repr_html_(self) -> str:
        tree = "\n".join(drawn(self))
        return f"<div><code>{escape(f'{self!s:.400}')}</code><pre>{escape(tree)}</pre></div>"

    def __dir__(self) -> list[str]:
        return [
            *super().__dir__(),
            *(name for name, x in REGISTRY.items() if x.inputs and not x.form_of),
        ]

    def __getattr__(self, name: str) -> Callable[..., Expr]:
        if name.startswith("_") or name in Expr.__slots__:
            raise AttributeError(name)
        if name in HOME:
            raise AttributeError(
                f"{name!r} is a function of the language, not a method: al.{name}(...)"
            )
        if name not in REGISTRY or not REGISTRY[name].inputs:
            raise AttributeError(str(unknown_operator(name, REGISTRY)))
        return lambda *args, **kwargs: apply(name, self, *args, **kwargs)

    def of(self, symbol: str) -> Expr:
        """Return the series of one asset, as an input for all assets.

        Examples
        --------
        >>> from alphalab.expr.functions import close
        >>> str(close / close.of("SPY"))
        "close / of(close, 'SPY')"
        """
        if not isinstance(symbol, str) or not symbol:
            raise ExprError(f"of({symbol!r})", rule="of takes the symbol of one asset.")
        return Expr("of", (self,), (symbol,))

    def on(self, interval: str, offset: str = "") -> Expr:
        """Return the expression on bars of a coarser clock; see `alphalab.expr.functions.on`."""
        return on_clock(self, interval, offset)

    def walk(self, seen: set[bytes] | None = None, *, inside: bool = True) -> Iterator[Expr]:
        """Yield every distinct node of the expression, inputs before their readers.

        A node whose key is in `seen` is skipped with all its inputs; `seen` is updated. Without
        `inside`, a node with a clock of its own is yielded and its inputs are not.
        """
        seen = set() if seen is None else seen
        stack: list[tuple[Expr, bool]] = [(self, False)]
        while stack:
            node, ready = stack.pop()
            if ready:
                yield node
            elif node.key not in seen:
                seen.add(node.key)
                stack.append((node, True))
                if inside or node.op not in OWN_CLOCK:
                    stack.extend((arg, False) for arg in reversed(node.args))

    def __add__(self, other: Expr | Number) -> Expr:
        return apply("add", self, other)

    def __radd__(self, other: Number) -> Expr:
        return apply("add", other, self)

    def __sub__(self, other: Expr | Number) -> Expr:
        return apply("sub", self, other)

    def __rsub__(self, other: Number) -> Expr:
        return apply("sub", other, self)

    def __mul__(self, other: Expr | Number) -> Expr:
        return apply("mul", self, other)

    def __rmul__(self, other: Number) -> Expr:
        return apply("mul", other, self)

    def __truediv__(self, other: Expr | Number) -> Expr:
        return apply("div", self, other)

    def __rtruediv__(self, other: Number) -> Expr:
        return apply("div", other, self)

    def __pow__(self, other: Expr | Number) -> Expr:
        return apply("power", self, other)

    def __rpow__(self, other: Number) -> Expr:
        return apply("power", other, self)

    def __neg__(self) -> Expr:
        return apply("neg", self)

    def __abs__(self) -> Expr:
        return apply("abs", self)

    def __invert__(self) -> Expr:
        return apply("not_", self)

    def __and__(self, other: Expr | Number) -> Expr:
        return apply("and_", self, other)

    def __rand__(self, other: Number) -> Expr:
        return apply("and_", other, self)

    def __or__(self, other: Expr | Number) -> Expr:
        return apply("or_", self, other)

    def __ror__(self, other: Number) -> Expr:
        return apply("or_", other, self)

    def __gt__(self, other: Expr | Number) -> Expr:
        return apply("gt", self, other)

    def __ge__(self, other: Expr | Number) -> Expr:
        return apply("ge", self, other)

    def __lt__(self, other: Expr | Number) -> Expr:
        return apply("lt", self, other)

    def __le__(self, other: Expr | Number) -> Expr:
        return apply("le", self, other)

    def __eq__(self, other: Expr | Number) -> Expr:  # type: ignore[override]
        return apply("eq", self, other)

    def __ne__(self, other: Expr | Number) -> Expr:  # type: ignore[override]
        return apply("ne", self, other)

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **options: Any) -> Expr:
        """Return NumPy's function of this as an expression: ``np.log(close)``."""
        name = operator_of(ufunc, method, options)
        if name in MIRRORED and not isinstance(args[0], Expr):
            return apply(MIRRORED[name], *args[::-1])
        return apply(name, *args)

    def __array_function__(self, function: Any, *_: Any) -> Any:
        raise no_values(f"np.{function.__name__}", function.__name__)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise no_values("an array", "")

    def __getitem__(self, key: object) -> Expr:
        raise ExprError(
            f"{self}[{key!r}]",
            rule="an expression is a formula and has no rows to choose from.",
            fix="The value n rows ago is x.delay(n); that of one asset is x.of('SYMBOL').",
        )

    __iter__ = None  # or Python would try __getitem__ with 0, 1, ...
    __float__, __int__, __round__ = refused("float"), refused("int"), refused("round")
    __floordiv__ = __rfloordiv__ = refused("//")
    __mod__ = __rmod__ = refused("%")


def on_clock(x: Expr, interval: str, offset: str = "") -> Expr:
    """Return x on bars of a coarser clock.

    Raises
    ------
    ExprError
        An interval that is no length of time, or a column that counts events of the fine rows.
    """
    interval_ns(interval)
    if offset:
        interval_ns(offset)
    for node in x.walk():
        if node.op == "column" and node.params[0] in EVENTS:
            raise ExprError(
                f"on({interval!r}, ...) reads {node}",
                rule="splits, dividends, funding and delistings belong to the rows of the bars.",
                fix="Use bars.with_timeframe(...) for columns of coarser bars.",
            )
    return Expr("on", (x,), (interval, offset))


def _check_traded(x: Expr) -> None:
    """Refuse what needs other assets of the same row, or all of them at once."""
    for node in x.walk():
        family = REGISTRY[node.op].family
        if family == "cross" or (family == "shape") or node.op == "group":
            raise ExprError(
                f"on_traded(...) reads {node!s:.80}",
                rule="inside it each asset has rows of its own: there is no row across assets.",
                fix="Put on_traded around the part about one asset, such as "
                "al.cs_rank(al.on_traded(x)).",
            )


def constant(value: Number) -> Expr:
    """Return a number as an expression.

    Examples
    --------
    >>> str(constant(2) ** -1)
    '2.0 ** -1.0'
    """
    try:
        return Expr("constant", (), (float(value),))
    except OverflowError:
        raise ExprError("an integer beyond float64", rule="a constant is a float64.") from None


def as_expr(value: Any, owner: str) -> Expr:
    """Return an expression unchanged, or a number as a constant; refuse everything else."""
    if isinstance(value, Expr):
        return value
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()
    if isinstance(value, bool):
        raise ExprError(
            f"{owner}: got the Python truth value {value}",
            rule="an operator reads expressions and numbers.",
            fix="Write 1 or 0 for a constant.",
        )
    if isinstance(value, int | float):
        return constant(value)
    raise ExprError(
        f"{owner}: got {value!r:.80} ({type(value).__name__})",
        rule="an operator reads expressions and numbers.",
        fix="A series of your own enters as a named column: "
        "bars.with_columns({'x': ...}) and al.column('x').",
    )


def apply(name: str, *args: Any, **kwargs: Any) -> Expr:
    """Return an operator applied to its inputs and numbers; arguments may be named.

    Raises
    ------
    ExprError
        A wrong number of arguments, an unknown argument, a number outside its range.

    Examples
    --------
    >>> from alphalab.expr.functions import close
    >>> apply("ts_mean", close, n=0)
    Traceback (most recent call last):
        ...
    alphalab.errors.ExprError: ts_mean: n=0
      Rule: n is an integer of at least 1.
    """
    if "min_periods" in kwargs:
        return _with_min_periods(name, args, kwargs)
    record = operator(name)
    n_inputs = len(record.inputs)
    if kwargs or len(args) != n_inputs + len(record.params):
        args = _bound(record, args, kwargs)
    inputs = tuple([as_expr(x, name) for x in args[:n_inputs]])
    numbers = zip(record.params, args[n_inputs:], strict=True)
    params = tuple([param.check(name, x) for param, x in numbers])
    if name == "clip" and params[0] > params[1]:
        raise ExprError(f"clip: low={params[0]:g}, high={params[1]:g}", rule="low is at most high.")
    if name == "neg" and inputs[0].op == "constant":
        return constant(-inputs[0].params[0])
    if name == "on_traded":
        _check_traded(inputs[0])
    if record.inputs[1:] == ("group",) and inputs[1].op != "group":
        raise ExprError(f"{name}: group={inputs[1]}", rule="its second input is group('label').")
    return Expr(name, inputs, params)


def _with_min_periods(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Expr:
    least, plain = kwargs["min_periods"], {k: v for k, v in kwargs.items() if k != "min_periods"}
    if least is None:
        return apply(name, *args, **plain)
    if (form := partial_form(name)) not in REGISTRY:
        taking = [record.form_of for record in REGISTRY.values() if record.form_of]
        raise ExprError(
            f"{operator(name).name}: argument 'min_periods'",
            rule=f"{', '.join(taking)} take min_periods.",
            fix="x.ffill() and al.on_traded(x) close gaps for every window.",
        )
    inputs = _bound(operator(name), args, plain)
    expr = apply(form, *inputs, least)
    n, least = expr.params
    if least > n:
        raise ExprError(f"{name}: min_periods={least} of n={n}", rule="min_periods is at most n.")
    return expr


def _bound(record: Operator, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """Return the arguments of an operator in its order, with defaults."""
    names = [*record.inputs, *(p.name for p in record.params)]
    values: dict[str, Any] = {p.name: p.default for p in record.params if p.default is not None}
    if len(args) > len(names):
        raise ExprError(
            f"{record.name}: {len(args)} arguments", rule=f"it is called as {record.signature}."
        )
    given = dict(zip(names, args, strict=False))
    for key, value in kwargs.items():
        if key not in names or key in given:
            raise ExprError(
                f"{record.name}: argument {key!r}", rule=f"it is called as {record.signature}."
            )
        given[key] = value
    values.update(given)
    if missing := [name for name in names if name not in values]:
        raise ExprError(
            f"{record.name}: {', '.join(missing)} missing",
            rule=f"it is called as {record.signature}.",
        )
    return tuple(values[name] for name in names)


def to_text(expr: Expr) -> str:
    """Return the canonical text of an expression; `parse` gives the expression back."""
    written: dict[bytes, tuple[str, int]] = {}
    for node in expr.walk():
        text, level = _written(node, [written[arg.key] for arg in node.args])
        if len(text) > MAX_LENGTH:
            raise ExprError(
                f"expression whose text has more than {MAX_LENGTH} characters",
                rule="a part that is used twice is written twice.",
                fix="Build it from fewer parts.",
            )
        written[node.key] = text, level
    return written[expr.key][0]


def _written(node: Expr, args: list[tuple[str, int]]) -> tuple[str, int]:
    """Return the text and the precedence of a node, given those of its inputs."""
    if node.op == "constant":
        text = repr(node.params[0])
        return text, _UNARY if text.startswith("-") else _ATOM
    if node.op == "column" and node.params[0] in BAR_COLUMNS:
        return node.params[0], _ATOM
    sign = REGISTRY[node.op].infix
    if sign and len(args) == 1:
        return sign + _bracketed(args[0], _UNARY), _UNARY
    if sign:
        level = _LEVELS.get(sign, _COMPARE)
        # Powers group from the right, comparisons do not group, other signs group from the left.
        left, right = (_ATOM, _UNARY) if sign == "**" else (level + (level == _COMPARE), level + 1)
        return f"{_bracketed(args[0], left)} {sign} {_bracketed(args[1], right)}", level
    inputs = [text for text, _ in args]
    if node.op == "per_symbol":
        pairs = zip(node.params, inputs, strict=True)
        return (
            f"per_symbol({{{', '.join(f'{symbol!r}: {text}' for symbol, text in pairs)}}})",
            _ATOM,
        )
    params = [repr(p) for p in node.params]
    record = REGISTRY[node.op]
    if record.form_of:
        params[-1] = f"min_periods={params[-1]}"
    if node.op == "on":
        shown = [params[0], *inputs, *(params[1:] if node.params[1] else [])]
        return f"on({', '.join(shown)})", _ATOM
    if node.op == "python_op":
        params, inputs = params[1:2], [params[0], *inputs]
    return f"{record.form_of or node.op}({', '.join([*inputs, *params])})", _ATOM


def _bracketed(part: tuple[str, int], level: int) -> str:
    text, own = part
    return text if own >= level else f"({text})"
