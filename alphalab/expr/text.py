"""Expressions as canonical text, and back; parsing runs no code."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from alphalab.errors import ExprError, UnknownNameError
from alphalab.expr.functions import group, per_symbol
from alphalab.expr.nodes import Expr, apply, constant
from alphalab.expr.registry import REGISTRY
from alphalab.types import BAR_COLUMNS

MAX_LENGTH = 100_000

_BINARY: dict[str, type[ast.operator]] = {
    "add": ast.Add,
    "sub": ast.Sub,
    "mul": ast.Mult,
    "div": ast.Div,
    "power": ast.Pow,
    "and_": ast.BitAnd,
    "or_": ast.BitOr,
}
_COMPARE: dict[str, type[ast.cmpop]] = {"gt": ast.Gt, "ge": ast.GtE, "lt": ast.Lt, "le": ast.LtE}
_UNARY: dict[str, type[ast.unaryop]] = {"neg": ast.USub, "not_": ast.Invert}
_NAMES: dict[type, str] = {
    sign: name for table in (_BINARY, _COMPARE, _UNARY) for name, sign in table.items()
}


def to_text(expr: Expr) -> str:
    """Return the canonical text of an expression; `parse` gives the expression back."""
    trees: dict[bytes, ast.expr] = {}
    for node in expr.walk():
        trees[node.key] = _tree(node, [trees[arg.key] for arg in node.args])
    try:
        return ast.unparse(trees[expr.key])
    except RecursionError:
        raise ExprError(
            "expression nested too deeply to be written", rule="about 300 levels at most."
        ) from None


def _tree(node: Expr, args: list[ast.expr]) -> ast.expr:
    if node.op == "constant":
        return _number(node.params[0])
    if node.op == "column" and node.params[0] in BAR_COLUMNS:
        return ast.Name(node.params[0])
    if node.op in _BINARY:
        return ast.BinOp(args[0], _BINARY[node.op](), args[1])
    if node.op in _COMPARE:
        return ast.Compare(args[0], [_COMPARE[node.op]()], [args[1]])
    if node.op in _UNARY:
        return ast.UnaryOp(_UNARY[node.op](), args[0])
    if node.op == "per_symbol":
        keys: list[ast.expr | None] = [ast.Constant(symbol) for symbol in node.params]
        return ast.Call(ast.Name("per_symbol"), [ast.Dict(keys, args)], [])
    if node.op == "python_op":
        name, lookback = node.params
        return ast.Call(
            ast.Name("python_op"), [ast.Constant(name), *args, ast.Constant(lookback)], []
        )
    params = [ast.Constant(p) if isinstance(p, str) else _number(p) for p in node.params]
    return ast.Call(ast.Name(node.op), [*args, *params], [])


def _number(value: float) -> ast.expr:
    if value != value:
        return ast.Name("nan")
    if str(value).startswith("-"):
        return ast.UnaryOp(ast.USub(), _number(-value))
    return ast.Name("inf") if value == float("inf") else ast.Constant(value)


def parse(text: str) -> Expr:
    """Read an expression from text.

    Parameters
    ----------
    text : str
        Python syntax with the words of the registry: ``close``, ``column('x')``, numbers, ``nan``,
        ``inf``, signs, calls such as ``ts_mean(close, 10)`` or ``close.ts_mean(10)``. At most
        100,000 characters.

    Returns
    -------
    Expr
        ``parse(str(e)) == e`` for every expression.

    Raises
    ------
    ExprError
        Text that is no expression; the message points at the place.
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
            f"text that cannot be read: {error}", rule="about 300 nested levels at most."
        ) from None


class _Reader:
    """Turns a Python syntax tree into an expression, and refuses all the rest."""

    def __init__(self, text: str) -> None:
        self.text = text

    def refuse(self, tree: ast.expr, rule: str) -> ExprError:
        part = ast.get_source_segment(self.text, tree) or self.text
        return ExprError(f"{part:.200} (column {tree.col_offset + 1})", rule=rule)

    def expr(self, tree: ast.expr) -> Expr:
        match tree:
            case ast.Constant(value=int() | float() as value):
                return constant(value)
            case ast.Name(id=name):
                return self.name(tree, name)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.expr(operand)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.expr(operand)
            case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _NAMES:
                return apply(_NAMES[type(sign)], self.expr(operand))
            case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _NAMES:
                return apply(_NAMES[type(sign)], self.expr(left), self.expr(right))
            case ast.Compare(left=left, ops=[sign], comparators=[right]) if type(sign) in _NAMES:
                return apply(_NAMES[type(sign)], self.expr(left), self.expr(right))
            case ast.Call(func=ast.Name(id=name)):
                return self.call(tree, name, tree.args)
            case ast.Call(func=ast.Attribute(value=first, attr=name)):
                return self.call(tree, name, [first, *tree.args])
            case ast.Compare(ops=[ast.Eq() | ast.NotEq()]):
                raise self.refuse(tree, "equality is written eq(x, y) and ne(x, y).")
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
            "constant": lambda t, a: self.expr(a[0]),
            "of": self.of,
            "per_symbol": self.per_symbol,
            "python_op": self.python_op,
        }
        if name in special:
            return special[name](tree, args)
        if name not in REGISTRY or REGISTRY[name].infix:
            raise UnknownNameError(
                "operator", name, (n for n, o in REGISTRY.items() if not o.infix)
            )
        n_inputs = len(REGISTRY[name].inputs)
        values: list[Any] = [
            self.expr(a) if i < n_inputs else self.number(a) for i, a in enumerate(args)
        ]
        named: dict[str, Any] = {}
        for keyword in tree.keywords:
            if keyword.arg is None:
                raise self.refuse(tree, "arguments are written out, without **.")
            read = self.expr if keyword.arg in REGISTRY[name].inputs else self.number
            named[keyword.arg] = read(keyword.value)
        return apply(name, *values, **named)

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

    def per_symbol(self, tree: ast.Call, args: list[ast.expr]) -> Expr:
        match args:
            case [ast.Dict(keys=keys, values=values)]:
                symbols = [self.string(tree, [key] if key else []) for key in keys]
                return per_symbol(dict(zip(symbols, map(self.expr, values), strict=True)))
        raise self.refuse(tree, "it is called as per_symbol({'A': x, 'B': y}).")

    def python_op(self, tree: ast.Call, args: list[ast.expr]) -> Expr:
        from alphalab.expr.custom import python_expr

        if len(args) < 3:
            raise self.refuse(tree, "it is called as python_op('name', x, ..., lookback).")
        name = self.string(tree, args[:1])
        return python_expr(name, tuple(map(self.expr, args[1:-1])), int(self.number(args[-1])))
