"""An alpha is a causal dataflow: one compiled step backtests it, sweeps it and trades it.

Every public name is here, and its module is imported when the name is first used: `import alphalab`
stays cheap. The operators of the alpha language (`al.ts_mean`, `al.where`, ...) come from their
registry; ``alphalab ops`` lists them.

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
    from alphalab.cli.doctor import show_versions as show_versions
    from alphalab.config import Costs as Costs
    from alphalab.config import Entry as Entry
    from alphalab.config import Execution as Execution
    from alphalab.config import Exits as Exits
    from alphalab.config import FeeTier as FeeTier
    from alphalab.config import Financing as Financing
    from alphalab.config import Limits as Limits
    from alphalab.config import Margin as Margin
    from alphalab.config import Rebalance as Rebalance
    from alphalab.config import RunSettings as RunSettings
    from alphalab.config import calendar as calendar
    from alphalab.config import drift as drift
    from alphalab.config import every_row as every_row
    from alphalab.config import on_change as on_change
    from alphalab.core.engine import Engine as Engine
    from alphalab.core.expression import Expression as Expression
    from alphalab.core.strategy import Strategy as Strategy
    from alphalab.data.exchanges.fetch import fetch as fetch
    from alphalab.data.formats.schema import Schema as Schema
    from alphalab.data.ingestion.ingest import ingest as ingest
    from alphalab.data.load import load as load
    from alphalab.data.panel.bars import Bars as Bars
    from alphalab.data.quality.check import check as check
    from alphalab.data.quality.findings import Verdict as Verdict
    from alphalab.data.quality.settings import QualitySettings as QualitySettings
    from alphalab.data.store.scan import Scan as Scan
    from alphalab.data.store.scan import scan as scan
    from alphalab.data.store.store import Store as Store
    from alphalab.data.trades.bar_maker import Imbalance as Imbalance
    from alphalab.data.trades.bar_maker import TradeBars as TradeBars
    from alphalab.data.trades.trade_bars import trade_bars as trade_bars
    from alphalab.errors import AlphalabError as AlphalabError
    from alphalab.errors import DataError as DataError
    from alphalab.errors import ExprError as ExprError
    from alphalab.errors import InputError as InputError
    from alphalab.errors import MissingExtraError as MissingExtraError
    from alphalab.errors import ParameterError as ParameterError
    from alphalab.errors import RefusedError as RefusedError
    from alphalab.errors import StateError as StateError
    from alphalab.errors import StrategyError as StrategyError
    from alphalab.errors import UnknownNameError as UnknownNameError
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
    from alphalab.research.sweep.result import Sweep as Sweep
    from alphalab.research.sweep.run import sweep as sweep
    from alphalab.research.sweep.search import Search as Search
    from alphalab.research.validation.causality import check_causality as check_causality
    from alphalab.research.validation.gate import Validation as Validation
    from alphalab.research.validation.gate import validate as validate
    from alphalab.research.validation.leaks import Causality as Causality
    from alphalab.research.validation.policy import Policy as Policy
    from alphalab.research.validation.walk_forward import WalkForward as WalkForward
    from alphalab.research.validation.walk_forward import walk_forward as walk_forward
    from alphalab.research.validation.warm_up import Certificate as Certificate
    from alphalab.research.validation.warm_up import certify_warmup as certify_warmup
    from alphalab.types import Instrument as Instrument
    from alphalab.types import InstrumentChange as InstrumentChange

__version__ = "0.1.0"

_PUBLIC = {
    "cli.doctor": "show_versions",
    "config": (
        "Costs Entry Execution Exits FeeTier Financing Limits Margin Rebalance RunSettings"
        " calendar drift every_row on_change"
    ),
    "core.engine": "Engine",
    "core.expression": "Expression",
    "core.strategy": "Strategy",
    "data.trades.bar_maker": "Imbalance TradeBars",
    "data.panel.bars": "Bars",
    "data.exchanges.fetch": "fetch",
    "data.load": "load",
    "data.quality.check": "check",
    "data.quality.findings": "Verdict",
    "data.quality.settings": "QualitySettings",
    "data.ingestion.ingest": "ingest",
    "data.formats.schema": "Schema",
    "data.store.scan": "Scan scan",
    "data.store.store": "Store",
    "data.trades.trade_bars": "trade_bars",
    "errors": (
        "AlphalabError DataError ExprError InputError MissingExtraError ParameterError"
        " RefusedError StateError StrategyError UnknownNameError"
    ),
    "expr.custom": "op python_op",
    "expr.functions": "bollinger close column group high low macd open per_symbol volume",
    "expr.nodes": "Expr",
    "expr.text": "parse",
    "research.run.backtest": "backtest",
    "research.run.evaluate": "evaluate",
    "research.results.result": "Result",
    "research.sweep.search": "Search",
    "research.results.summary": "Summary",
    "research.sweep.run": "sweep",
    "research.sweep.result": "Sweep",
    "research.validation.causality": "check_causality",
    "research.validation.gate": "Validation validate",
    "research.validation.leaks": "Causality",
    "research.validation.policy": "Policy",
    "research.validation.walk_forward": "WalkForward walk_forward",
    "research.validation.warm_up": "Certificate certify_warmup",
    "types": "Instrument InstrumentChange",
}
_MODULES = {"orders": "alphalab.kernels.market.orders"}
_HOME = {name: f"alphalab.{home}" for home, names in _PUBLIC.items() for name in names.split()}
_OPERATORS = "alphalab.expr.functions"


def __getattr__(name: str) -> Any:
    """Import a public name where it lives; whatever is not in the table may be an operator."""
    if name.startswith("_"):
        raise AttributeError(f"module 'alphalab' has no attribute {name!r}")
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    try:
        value = getattr(importlib.import_module(_HOME.get(name, _OPERATORS)), name)
    except AttributeError:
        if name in _HOME:
            raise
        raise AttributeError(f"module 'alphalab' has no {name!r}{_near(name)}") from None
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*_HOME, *_MODULES, "__version__", *dir(importlib.import_module(_OPERATORS))})


def _near(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, __dir__(), n=3)
    return f": did you mean {' or '.join(map(repr, near))}?" if near else ""
