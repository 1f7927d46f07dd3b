"""An alpha is a causal dataflow: one compiled step backtests it, sweeps it and trades it.

Every public name is here, and its module is imported when the name is first used: `import alphalab`
stays cheap; `__init__.pyi` has their types. Six modules hold the rest: `al.data` (ingestion,
checks, trade bars), `al.errors`, `al.factors` (factors of the literature), `al.models` (models
that are fitted forward), `al.ops` (the functions of the alpha language) and `al.orders` (orders of
a compiled `decide`). Operators and indicators work at the top as well (`al.ts_mean`, `al.where`,
`al.adx`, ...); ``alphalab ops`` lists them.

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
from typing import Any

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
    "research.factors.report": "FactorReport factor_report",
    "research.factors.worlds": "null planted",
    "research.models.forward": "fit_forward",
    "research.portfolio.allocation": "Allocation allocate",
    "research.portfolio.ensemble": "Ensemble Votes",
    "research.results.comparison": "Comparison compare",
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
    "factors": "alphalab.research.factors",
    "models": "alphalab.research.models",
    "ops": "alphalab.expr.ops",
    "orders": "alphalab.kernels.market.orders",
}
_HOME = {name: f"alphalab.{home}" for home, names in _PUBLIC.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """Import a public name where it lives; a name that is not in the table may be an operator."""
    if name.startswith("_"):
        raise AttributeError(f"module 'alphalab' has no attribute {name!r}")
    if name in _MODULES:
        value = importlib.import_module(_MODULES[name])
    elif name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
    elif name in dir(ops := importlib.import_module(_MODULES["ops"])):
        value = getattr(ops, name)
    else:
        raise AttributeError(f"module 'alphalab' has no {name!r}{_near(name)}")
    globals()[name] = value
    return value


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
