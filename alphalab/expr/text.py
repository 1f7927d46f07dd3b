"""Parsing: from text to an expression, without running any code."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import Any

from alphalab.errors import ExprError, UnknownNameError
from alphalab.expr import ops
from alphalab.expr.custom import python_expr
from alphalab.expr.functions import group, per_symbol
from alphalab.expr.indicators import HOME
from alphalab.expr.nodes import MAX_LENGTH, Expr, apply, constant, on_clock
from alphalab.expr.other_names import unknown_operator
from alphalab.expr.policy_rows import policy_expr
from alphalab.expr.registry import REGISTRY
from alphalab.types import BAR_COLUMNS

_SIGNS: dict[type, str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.Pow: "power",
    ast.BitAnd: "and_",
    ast.BitOr: "or_",
    ast.Gt: "gt",
    ast.GtE: "ge",
    ast.Lt: "lt",
    ast.LtE: "le",
    ast.Eq: "eq",
    ast.NotEq: "ne",
    ast.USub: "neg",
    ast.Invert: "not_",
}


def parse(text: str) -> Expr:
    """Read an expression from text.

    Parameters
    ----------
    text : str
        Python syntax with the words of the registry: ``close``, ``column('x')``, numbers, ``nan``,
        ``inf``, signs, calls such as ``ts_mean(close, 10)`` or ``close.ts_mean(10)``, and
        indicators such as ``adx(high, low, close)`` or ``macd(close).line``. At most 100,000
        characters.

    Returns
    -------
    Expr
        ``parse(str(e)).same_as(e)`` for every expression of at most 100 nested levels. A name of a
        Python function means the latest one that `python_op` has registered under it.

    Raises
    ------
    ExprError
        Text that is not an expression; the message shows the place.
    UnknownNameError
        An operator or column that does not exist; near names are suggested.

    Examples
    --------
    >>> parse("where(close > ts_mean(close, 10), 1, 0)")
    Expr('where(close > ts_mean(close, 10), 1.0, 0.0)')
    """
    if len(text) > MAX_LENGTH:
        raise ExprError(f"text of {len(text)} characters", rule=f"at most {MAX_LENGTH} characters.")
    try:
        tree = ast.parse(text.strip(), mode="eval")
        return _Reader(text.strip()).expr(tree.body)
    except SyntaxError as error:
        line = (error.text or text).rstrip("\n")
        pointer = " " * max((error.offset or 1) - 1, 0) + "^"
        raise ExprError(f"not an expression: {error.msg}\n    {line}\n    {pointer}") from None
    except (RecursionError, MemoryError, ValueError) as error:
        if isinstance(error, ExprError | UnknownNameError):
            raise
        raise ExprError(
            f"text that cannot be read: {error}", rule="about 100 nested levels at most."
        ) from None


class _Reader:
    """Turns a Python syntax tree into an expression; refuses all other syntax."""

    def __init__(self, text: str) -> None:
        self.text = text

    def refuse(self, tree: ast.expr, rule: str) -> ExprError:
        part = ast.get_source_segment(self.text, tree) or self.text
        lines = self.text.splitlines()
        column = len(lines[tree.lineno - 1].encode()[: tree.col_offset].decode()) + 1
        line = f"line {tree.lineno}, " if len(lines) > 1 else ""
        return ExprError(f"{part:.200} ({line}column {column})", rule=rule)

    def expr(self, tree: ast.expr) -> Expr:
        match tree:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return constant(value)
            case ast.Name(id=name):
                return self.name(tree, name)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.expr(operand)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.expr(operand)
            case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _SIGNS:
                return apply(_SIGNS[type(sign)], self.expr(operand))
            case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _SIGNS:
                return apply(_SIGNS[type(sign)], self.expr(left), self.expr(right))
            case ast.Compare(left=left, ops=[sign], comparators=[right]) if type(sign) in _SIGNS:
                return apply(_SIGNS[type(sign)], self.expr(left), self.expr(right))
            case ast.Call(func=ast.Name(id=name)) if name in HOME:
                return self.indicator(tree, name)
            case ast.Call(func=ast.Name(id=name)):
                return self.call(tree, name, tree.args)
            case ast.Call(func=ast.Attribute(value=first, attr=name)):
                return self.call(tree, name, [first, *tree.args])
            case ast.Attribute(value=ast.Call(func=ast.Name(id=name)) as call, attr=output) if (
                name in HOME
            ):
                return self.indicator(call, name, output)
            case ast.Compare() | ast.BoolOp():
                raise self.refuse(
                    tree, "conditions are joined by & | ~, each comparison in brackets."
                )
        raise self.refuse(tree, "an expression is made of numbers, columns, signs and operators.")

    def name(self, tree: ast.expr, name: str) -> Expr:
        if name in BAR_COLUMNS:
            return Expr("column", (), (name,))
        if name in ("nan", "inf"):
            return constant(float(name))
        known = [*BAR_COLUMNS, "nan", "inf"]
        raise UnknownNameError(
            "name", name, known, fix=f"A column of your own is column({name!r})."
        )

    def call(self, tree: ast.Call, name: str, args: list[ast.expr]) -> Expr:
        special: dict[str, Callable[[ast.Call, list[ast.expr]], Expr]] = {
            "column": lambda t, a: Expr("column", (), (self.string(t, a),)),
            "group": lambda t, a: group(self.string(t, a)),
            "constant": lambda t, a: constant(self.number(a[0] if len(a) == 1 else t)),
            "of": self.of,
            "per_symbol": self.per_symbol,
            "on": self.on,
            "policy": self.policy,
            "python_op": self.python_op,
        }
        if name in special:
            if tree.keywords:
                raise self.refuse(tree, f"{name} takes no named arguments.")
            return special[name](tree, args)
        if name not in REGISTRY:
            raise unknown_operator(name, REGISTRY)
        n_inputs = len(REGISTRY[name].inputs)
        values: list[Any] = [
            self.expr(a) if i < n_inputs else self.number(a) for i, a in enumerate(args)
        ]
        named: dict[str, Any] = {}
        for keyword in tree.keywords:
            if keyword.arg is None:
                raise self.refuse(tree, "arguments are written out, without **.")
            if keyword.arg in named:
                raise self.refuse(tree, f"{keyword.arg} is given once.")
            read = self.expr if keyword.arg in REGISTRY[name].inputs else self.number
            named[keyword.arg] = read(keyword.value)
        return apply(name, *values, **named)

    def indicator(self, tree: ast.Call, name: str, output: str = "") -> Expr:
        """Read an indicator, such as ``adx(high, low, close, 14)`` or ``macd(close).line``."""
        function = getattr(ops, name)
        takes = inspect.signature(function)
        try:
            given = takes.bind(*tree.args, **{str(k.arg): k.value for k in tree.keywords})
        except TypeError:
            raise self.refuse(tree, f"`alphalab ops {name}` shows how it is called.") from None
        inputs = [n for n, p in takes.parameters.items() if p.default in (p.empty, None)]
        values = {
            key: self.expr(part) if key in inputs else self.number(part)
            for key, part in given.arguments.items()
        }
        made: Any = function(**values)
        outputs = getattr(made, "_fields", ("",))
        if output not in outputs:
            known = ", ".join(f"{name}(...).{one}" for one in outputs if one)
            raise self.refuse(tree, f"it gives {known or 'one value, without a name'}.")
        return getattr(made, output) if output else made  # type: ignore[no-any-return]

    def number(self, tree: ast.expr) -> float:
        match tree:
            case ast.Constant(value=int() | float() as value):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.number(operand)
            case ast.Name(id="inf"):
                return float("inf")
        raise self.refuse(tree, "this argument is a plain number.")

    def string(self, tree: ast.expr, args: list[ast.expr]) -> str:
        if (
            len(args) == 1
            and isinstance(args[0], ast.Constant)
            and isinstance(args[0].value, str)
            and args[0].value
        ):
            return args[0].value
        raise self.refuse(tree, "it takes one name in quotes.")

    def of(self, tree: ast.Call, args: list[ast.expr]) -> Expr:
        if len(args) != 2:
            raise self.refuse(tree, "it is called as of(x, 'SYMBOL').")
        return self.expr(args[0]).of(self.string(tree, args[1:]))

    def on(self, tree: ast.Call, args: list[ast.expr]) -> Expr:
        if not 2 <= len(args) <= 3:
            raise self.refuse(tree, "it is called as on('1h', x) or on('7d', x, '4d').")
        texts = [self.string(tree, [arg]) for arg in (args[0], *args[2:])]
        return on_clock(self.expr(args[1]), *texts)

    def per_symbol(self, tree: ast.Call, args: list[ast.expr]) -> Expr:
        match args:
            case [ast.Dict(keys=keys, values=values)]:
                symbols = [self.string(tree, [key] if key else []) for key in keys]
                if len(set(symbols)) < len(symbols):
                    raise self.refuse(tree, "each symbol is named once.")
                return per_symbol(dict(zip(symbols, map(self.expr, values), strict=True)))
        raise self.refuse(tree, "it is called as per_symbol({'A': x, 'B': y}).")

    def policy(self, tree: ast.Call, args: list[ast.expr]) -> Expr:
        if len(args) < 3:
            raise self.refuse(tree, "it is called as policy('sha256', x, ..., window).")
        sha256 = self.string(tree, args[:1])
        return policy_expr(sha256, tuple(map(self.expr, args[1:-1])), self.number(args[-1]))

    def python_op(self, tree: ast.Call, args: list[ast.expr]) -> Expr:
        if len(args) < 3:
            raise self.refuse(tree, "it is called as python_op('name', x, ..., lookback).")
        name = self.string(tree, args[:1])
        return python_expr(name, tuple(map(self.expr, args[1:-1])), self.number(args[-1]))
