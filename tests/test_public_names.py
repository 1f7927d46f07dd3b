"""The public names: what runs, what type checkers see and what the documentation lists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import stubs

import alphalab as al
from alphalab.expr.indicators import HOME
from alphalab.expr.registry import REGISTRY

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "public.md"
FAMILIES = ("clock", "elementwise", "series", "cross")
# Those of other tests are functions of their own.
OPERATORS = [
    n
    for n, op in REGISTRY.items()
    if op.family in FAMILIES and isinstance(op.update, str) and not op.form_of
]
LANGUAGE = [*OPERATORS, *HOME, "constant", "on", "on_traded", "session_open"]


def documented(page: str) -> list[str]:
    """Return the names of the rows "| `name` | ..." of a page."""
    return re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE)


def typed() -> dict[str, str]:
    """Return what `alphalab/__init__.pyi` imports: names and their full paths."""
    tree = ast.parse(Path(str(al.__file__)).with_suffix(".pyi").read_text())
    lines = [line for line in tree.body if isinstance(line, ast.ImportFrom)]
    return {n.asname or n.name: f"{line.module}.{n.name}" for line in lines for n in line.names}


# ---- the list --------------------------------------------------------------------------------


def test_the_page_has_the_public_names() -> None:
    page = PAGE.read_text()
    assert sorted(documented(page)) == dir(al)
    inside = re.findall(r"^\| `al\.(\w+)\.(\w+)` \|", page, flags=re.MULTILINE)
    assert inside and all(hasattr(getattr(al, module), name) for module, name in inside)


def test_a_page_is_read_by_its_rows() -> None:
    page = "| name | what |\n|---|---|\n| `Bars` | a panel |\ntext `load` |\n| `load` | bars |\n"
    assert documented(page) == ["Bars", "load"]


# ---- what is there ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", dir(al))
def test_every_name_is_there(name: str) -> None:
    """No name is hidden by a module of the same name, once that is imported."""
    assert (type(getattr(al, name)).__name__ == "module") == (name in al._MODULES)


@pytest.mark.parametrize("name", LANGUAGE)
def test_an_operator_is_at_the_top_by_name_and_in_ops(name: str) -> None:
    assert getattr(al, name) is getattr(al.ops, name)
    assert name not in dir(al) and name in dir(al.ops)


def test_operators_are_methods_as_well() -> None:
    for same in (al.ts_mean(al.close, 20), al.ops.ts_mean(al.close, 20)):
        assert al.close.ts_mean(20).same_as(same)


def test_the_version_is_there() -> None:
    assert al.__version__ == "0.1.0"


MOVED = """
AlphalabError DataError ParameterError Schema QualitySettings Verdict TradeBars Imbalance trade_bars
ingest check on_change every_row drift calendar Expression Causality Certificate
"""


@pytest.mark.parametrize("name", [*MOVED.split(), "Operator", "REGISTRY", "inspect"])
def test_no_other_name_is_there(name: str) -> None:
    with pytest.raises(AttributeError, match=f"'alphalab' has no '{name}'"):
        getattr(al, name)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("ts_maen", "ts_mean"),
        ("backtst", "backtest"),
        ("ParameterError", "errors.ParameterError"),
        ("Schema", "data.Schema"),
        ("ingest", "data.ingest"),
    ],
)
def test_an_unknown_name_is_suggested(name: str, near: str) -> None:
    with pytest.raises(AttributeError, match=f"no '{name}': did you mean '{near}'"):
        getattr(al, name)


def test_a_private_name_imports_nothing() -> None:
    assert not hasattr(al, "__path_of_nothing__")


# ---- what type checkers see ------------------------------------------------------------------


def test_type_checkers_see_the_names_that_run() -> None:
    runs = {name: f"{home}.{name}" for name, home in al._HOME.items()}
    language = {name: f"{al._MODULES['ops']}.{name}" for name in dir(al.ops) if name.islower()}
    assert typed() == {**runs, **al._MODULES, **language}


def test_type_checkers_see_the_signatures_of_the_registry() -> None:
    """An operator that is `Any` lets every mistake in an expression pass."""
    assert stubs.OPS.read_text() == stubs.text(), "run python tests/stubs.py"


def test_a_stub_has_defaults_and_keywords() -> None:
    mean, clipped = (stubs.stub_of(REGISTRY[name]) for name in ("ts_mean", "fill_nan"))
    assert "n: int, *, min_periods: int | None = None) -> Expr" in mean
    assert "value: float = 0.0" in clipped
