"""An alpha is a causal dataflow: one compiled step backtests it, sweeps it and trades it.

Every public name is here, and its module is imported when the name is first used: `import alphalab`
stays cheap. Four modules hold the rest: `al.data` (ingestion, checks, trade bars), `al.errors`,
`al.ops` (the operators of the alpha language) and `al.orders` (orders of a compiled `decide`). The
operators work at the top as well (`al.ts_mean`, `al.where`, ...); ``alphalab ops`` lists them.

Examples
--------
>>> import alphalab as al
>>> al.Costs(fee_bps=10).fee_bps
10.0
>>> str(al.ts_mean(al.close, 20))
'ts_mean(close, 20)'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # What type checkers and editors see. `_PUBLIC` is what runs; a test holds the two together.
    from collections.abc import Callable

    from alphalab import data as data
    from alphalab import errors as errors
    from alphalab.artifact.loading import load_strategy as load_strategy
    from alphalab.cli.doctor import show_versions as show_versions
    from alphalab.config import Costs as Costs
    from alphalab.config import Entry as Entry
    from alphalab.config import Execution as Execution
    from alphalab.config import Exits as Exits
    from alphalab.config import FeeTier as FeeTier
    from alphalab.config import Financing as Financing
    from alphalab.config import Holding as Holding
    from alphalab.config import Limits as Limits
    from alphalab.config import Margin as Margin
    from alphalab.config import Rebalance as Rebalance
    from alphalab.config import RunSettings as RunSettings
    from alphalab.core.engine import Engine as Engine
    from alphalab.core.expr_strategy import ExprStrategy as ExprStrategy
    from alphalab.core.strategy import Strategy as Strategy
    from alphalab.data.exchanges.fetch import fetch as fetch
    from alphalab.data.load import load as load
    from alphalab.data.panel.bars import Bars as Bars
    from alphalab.data.store.scan import Scan as Scan
    from alphalab.data.store.scan import scan as scan
    from alphalab.data.store.store import Store as Store
    from alphalab.expr import functions as _functions
    from alphalab.expr.custom import op as op
    from alphalab.expr.custom import python_op as python_op
    from alphalab.expr.functions import bollinger as bollinger
    from alphalab.expr.functions import close as close
    from alphalab.expr.functions import column as column
    from alphalab.expr.functions import group as group
    from alphalab.expr.functions import high as high
    from alphalab.expr.functions import low as low
    from alphalab.expr.functions import macd as macd
    from alphalab.expr.functions import open as open
    from alphalab.expr.functions import per_symbol as per_symbol
    from alphalab.expr.functions import volume as volume
    from alphalab.expr.nodes import Expr as Expr
    from alphalab.expr.text import parse as parse
    from alphalab.kernels.market import orders as orders
    from alphalab.research.results.result import Result as Result
    from alphalab.research.results.summary import Summary as Summary
    from alphalab.research.run.backtest import backtest as backtest
    from alphalab.research.run.evaluate import evaluate as evaluate
    from alphalab.research.run.evaluate import features as features
    from alphalab.research.sweep.result import Sweep as Sweep
    from alphalab.research.sweep.run import sweep as sweep
    from alphalab.research.sweep.search import Search as Search
    from alphalab.research.validation.causality import check_causality as check_causality
    from alphalab.research.validation.gate import Validation as Validation
    from alphalab.research.validation.gate import validate as validate
    from alphalab.research.validation.policy import Policy as Policy
    from alphalab.research.validation.walk_forward import WalkForward as WalkForward
    from alphalab.research.validation.walk_forward import walk_forward as walk_forward
    from alphalab.research.validation.warm_up import certify_warmup as certify_warmup
    from alphalab.types import Instrument as Instrument
    from alphalab.types import InstrumentChange as InstrumentChange

    ops = _functions

__version__ = "0.1.0"

_PUBLIC = {
    "artifact.loading": "load_strategy",
    "cli.doctor": "show_versions",
    "config": (
        "Costs Entry Execution Exits FeeTier Financing Holding Limits Margin Rebalance RunSettings"
    ),
    "core.engine": "Engine",
    "core.expr_strategy": "ExprStrategy",
    "core.strategy": "Strategy",
    "data.exchanges.fetch": "fetch",
    "data.load": "load",
    "data.panel.bars": "Bars",
    "data.store.scan": "Scan scan",
    "data.store.store": "Store",
    "expr.custom": "op python_op",
    "expr.functions": "close column group high low open per_symbol volume",
    "expr.nodes": "Expr",
    "expr.text": "parse",
    "research.results.result": "Result",
    "research.results.summary": "Summary",
    "research.run.backtest": "backtest",
    "research.run.evaluate": "evaluate features",
    "research.sweep.result": "Sweep",
    "research.sweep.run": "sweep",
    "research.sweep.search": "Search",
    "research.validation.causality": "check_causality",
    "research.validation.gate": "Validation validate",
    "research.validation.policy": "Policy",
    "research.validation.walk_forward": "WalkForward walk_forward",
    "research.validation.warm_up": "certify_warmup",
    "types": "Instrument InstrumentChange",
}
_MODULES = {
    "data": "alphalab.data",
    "errors": "alphalab.errors",
    "ops": "alphalab.expr.functions",
    "orders": "alphalab.kernels.market.orders",
}
_HOME = {name: f"alphalab.{home}" for home, names in _PUBLIC.items() for name in names.split()}


def __getattr__(name: str) -> Callable[..., Expr]:
    """Import a public name where it lives; a name that is not in the table may be an operator.

    The return type is that of an operator: type checkers find every other name in the block above.
    """
    if name.startswith("_"):
        raise AttributeError(f"module 'alphalab' has no attribute {name!r}")
    value: Any
    if name in _MODULES:
        value = importlib.import_module(_MODULES[name])
    elif name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
    elif name in dir(ops := importlib.import_module(_MODULES["ops"])):
        value = getattr(ops, name)
    else:
        raise AttributeError(f"module 'alphalab' has no {name!r}{_near(name)}")
    globals()[name] = value
    return value  # type: ignore[no-any-return]


def __dir__() -> list[str]:
    return sorted({*_HOME, *_MODULES})


def _near(name: str) -> str:
    """Suggest names at the top, operators, and names of two modules, as `errors.DataError`."""
    import difflib

    from alphalab.expr.other_names import OTHER_NAMES, unknown_operator

    data, errors, ops = (importlib.import_module(_MODULES[m]) for m in ("data", "errors", "ops"))
    if name in OTHER_NAMES:
        return f": {unknown_operator(name, dir(ops))}"
    known = [*__dir__(), *dir(ops), *(f"data.{known}" for known in dir(data))]
    known += [f"errors.{error}" for error in dir(errors) if error.endswith("Error")]
    near = difflib.get_close_matches(name, known, n=3)
    return f": did you mean {' or '.join(map(repr, near))}?" if near else ""
