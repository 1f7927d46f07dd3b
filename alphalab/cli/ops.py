"""``alphalab ops``: the operators of the alpha language, from their registry."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag

if TYPE_CHECKING:
    from alphalab.expr.registry import Operator


def ops(
    name: Annotated[str, typer.Argument(help="Show this operator only, in full.")] = "",
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """List the operators of the alpha language with their memory."""
    from alphalab.errors import UnknownNameError

    out = Output(json=json, quiet=quiet)
    words = _words()
    if name and name not in words:
        raise UnknownNameError("operator", name, words)
    shown = [words[name]] if name else list(words.values())
    if json:
        out.object("ops", {"operators": shown})
    elif name:
        _in_full(out, shown[0])
    else:
        rows = [(w["signature"], w["family"], w["memory"], w["doc"]) for w in shown]
        out.table(rows, ("operator", "family", "memory", "gives"))


def _words() -> dict[str, dict[str, Any]]:
    """Describe the operators, then the functions composed of operators."""
    from alphalab.expr import functions, ops
    from alphalab.expr.indicators import HOME
    from alphalab.expr.registry import REGISTRY

    forms = {record.form_of for record in REGISTRY.values()}
    words = {
        record.name: _described(record, record.name in forms)
        for record in REGISTRY.values()
        if not record.form_of
    }
    for name in (*functions.__all__, *HOME):
        function = getattr(ops, name)
        if name not in REGISTRY and inspect.isfunction(function):
            words[name] = _composite(function)
    return words


def _described(record: Operator, takes_min_periods: bool = False) -> dict[str, Any]:
    # Sources and shapes take names as well, which a signature does not show.
    plain = record.family in ("source", "shape")
    return {
        "name": record.name,
        "family": record.family,
        "signature": record.name if plain else record.signature,
        "inputs": record.inputs,
        "params": record.params,
        "memory": record.memory,
        "nan": record.unknown,
        "doc": record.doc,
        "formula": {},
        "source": record.source,
        "min_periods": takes_min_periods,
    }


def _composite(function: Callable[..., Any]) -> dict[str, Any]:
    from alphalab.expr.registry import Param

    takes = inspect.signature(function).parameters.values()
    shown = [p.name if p.default is p.empty else f"{p.name}={_text(p.default)}" for p in takes]
    parts = "that of its parts"
    head, _, source = (inspect.getdoc(function) or "").partition("References\n----------\n")
    return {
        "name": function.__name__,
        "family": "composite",
        "signature": f"{function.__name__}({', '.join(shown)})",
        "inputs": tuple(p.name for p in takes if p.default in (p.empty, None)),
        "params": tuple(
            Param(p.name, isinstance(p.default, int), default=p.default)
            for p in takes
            if isinstance(p.default, int | float)
        ),
        "memory": parts,
        "nan": parts,
        "doc": head.splitlines()[0],
        "formula": _formulas(function),
        "source": " ".join(source.partition("\n\nExamples")[0].split()),
        "min_periods": False,
    }


def _text(default: Any) -> str:
    return f"{default:g}" if isinstance(default, int | float) else str(default)


def _formulas(function: Callable[..., Any]) -> dict[str, str]:
    """Return what a composite is made of, with its defaults: the text of each of its outputs."""
    from alphalab.expr.functions import column
    from alphalab.expr.nodes import Expr

    takes = inspect.signature(function).parameters.values()
    made: Any = function(*(column(p.name) for p in takes if p.default is p.empty))
    outputs = {function.__name__: made} if isinstance(made, Expr) else made._asdict()
    return {name: str(expr) for name, expr in outputs.items()}


def _in_full(out: Output, word: dict[str, Any]) -> None:
    out.text(word["signature"])
    out.text(word["doc"])
    out.text(f"Family: {word['family']}. Memory: {word['memory']}. NaN: {word['nan']}.")
    for output, text in word["formula"].items():
        out.text(f"{output} = {text}")
    if word["source"]:
        out.text(f"Source: {word['source']}")
    if word["min_periods"]:
        out.text("min_periods: integer >= 1, at most n; known values that are enough")
    for param in word["params"]:
        low = f" >= {param.low:g}" if isfinite(param.low) else ""
        high = f" <= {param.high:g}" if isfinite(param.high) else ""
        default = "" if param.default is None else f", {param.default:g} unless given"
        out.text(f"{param.name}: {'integer' if param.integer else 'number'}{low}{high}{default}")
