"""Writes the types of the functions of the alpha language: ``python tests/stubs.py``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import alphalab as al
from alphalab.expr import functions, ops
from alphalab.expr.indicators import HOME
from alphalab.expr.registry import REGISTRY, Operator, partial_form

OPS = Path(al.__file__).parent / "expr" / "ops.pyi"

HEAD = '''\
"""Types of `alphalab.expr.ops`, written by ``python tests/stubs.py`` from the registry."""

'''


def stub_of(record: Operator) -> str:
    """Return the typed signature of an operator."""
    takes = [f"{name}: Expr | Number" for name in record.inputs]
    for param in record.params:
        default = "" if param.default is None else f" = {_number(param.default, param.integer)}"
        takes.append(f"{param.name}: {'int' if param.integer else 'float'}{default}")
    if partial_form(record.name) in REGISTRY:
        takes.append("*, min_periods: int | None = None")
    line = f"def {record.name}({', '.join(takes)}) -> Expr: ..."
    return (
        line if len(line) <= 100 else f"def {record.name}(\n    {', '.join(takes)}\n) -> Expr: ..."
    )


def _number(value: float, integer: bool) -> str:
    if integer:
        return str(int(value))
    return "..." if value == float("inf") else repr(value)


def imported() -> Iterator[str]:
    """Yield the functions and indicators as imports: their types stand where they are defined."""
    homes = {name: f"indicators.{home}" for name, home in HOME.items()}
    homes |= dict.fromkeys(functions.__all__, "functions")
    for home in sorted(set(homes.values())):
        for name in sorted(name for name in homes if homes[name] == home):
            yield f"from alphalab.expr.{home} import {name} as {name}"
    yield "from alphalab.expr.nodes import Expr, Number"


def text() -> str:
    """Return the whole stub; operators of other tests are left out."""
    own = [
        record
        for record in REGISTRY.values()
        if record.name in dir(ops) and record.name not in functions.__all__
    ]
    lines = [*imported(), "", *(stub_of(record) for record in own), ""]
    return HEAD + "\n".join(lines)


if __name__ == "__main__":
    OPS.write_text(text())
