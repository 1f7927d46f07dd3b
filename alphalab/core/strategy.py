"""`Strategy`: frozen parameters, and the expressions made from them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar, dataclass_transform

from alphalab.config import Entry, Exits, Limits, Rebalance
from alphalab.errors import StrategyError
from alphalab.expr.nodes import Expr, as_expr
from alphalab.settings import Settings


# Type checkers do not know that a subclass of a frozen record is frozen as well.
@dataclass_transform(frozen_default=True, kw_only_default=True)
class Strategy(Settings, frozen=True):
    """Base of every strategy. Typed fields are its parameters, `weights` is what it holds.

    Define either

    - ``weights() -> Expr``: the desired weight of equity per asset at every row (NaN: no opinion,
      keep what is held), or
    - ``signals() -> dict`` and a static ``decide(signals, account, memory) -> targets``, compiled
      with numba and called once a row, for rules that depend on the position. ``signals`` is an
      array of shape (K, N) in the order of the dict, ``account`` has ``row, time, cash, equity,
      drawdown`` and ``positions`` (a copy: one record per asset with ``qty, mark, entry_price,
      entry_row, target``), ``memory`` is an array of shape (memory_rows, N) that `decide` may
      write: zeros at the start, and part of every snapshot. It returns a new array of N weights.

      A `decide` may also send orders of its own, see `alphalab.orders`; `max_orders` is the largest
      number of them that can be live at once per asset.

    Class attributes `rebalance`, `limits`, `exits` and `entry` are defaults of a run of this
    strategy.

    Raises
    ------
    ParameterError
        A parameter of the wrong type. Override ``__post_init__`` (and call super's) for more
        rules.

    Examples
    --------
    >>> from alphalab.expr.functions import close, where
    >>> class AboveAverage(Strategy):
    ...     n: int = 50
    ...     def weights(self) -> Expr:
    ...         return where(close > close.ts_mean(self.n), 1.0, 0.0)
    >>> {name: str(expr) for name, expr in AboveAverage(n=20).expressions().items()}
    {'weights': 'where(close > ts_mean(close, 20), 1.0, 0.0)'}
    """

    rebalance: ClassVar[Rebalance | None] = None
    limits: ClassVar[Limits | None] = None
    exits: ClassVar[Exits | None] = None
    entry: ClassVar[Entry | None] = None
    memory_rows: ClassVar[int] = 0
    max_orders: ClassVar[int] = 0
    decide: ClassVar[Callable[..., Any] | None] = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        typed = {*cls.__annotations__, "memory_rows", "max_orders"}
        for name, value in vars(cls).items():
            plain = isinstance(value, bool | int | float | str)
            if plain and not name.startswith("_") and name not in typed:
                raise StrategyError(
                    f"{cls.__name__}: {name} = {value!r} without a type",
                    rule="parameters are typed.",
                    fix=f"Write {name}: {type(value).__name__} = {value!r}.",
                )

        own = vars(cls).get("decide")
        if inspect.isfunction(own) and next(iter(inspect.signature(own).parameters), "") == "self":
            raise StrategyError(
                f"{cls.__name__}.decide{inspect.signature(own)}",
                rule="decide is compiled and sees no strategy: its numbers come as signals().",
                fix="Write @staticmethod above it, and decide(signals, account, memory).",
            )

        for name in ("memory_rows", "max_orders"):
            number = getattr(cls, name)
            if not isinstance(number, int) or number < 0:
                raise StrategyError(
                    f"{cls.__name__}: {name} = {number!r}",
                    rule=f"{name} is a whole number of at least 0.",
                )

    def weights(self) -> Expr:
        """Return the desired weight of equity per asset."""
        name = type(self).__name__
        raise StrategyError(
            f"{name} has no weights",
            rule="a strategy defines weights(), or signals() and decide().",
        )

    def signals(self) -> dict[str, Expr | float]:
        """Return the series that `decide` reads, in its order; a number stands for itself."""
        name = type(self).__name__
        raise StrategyError(
            f"{name} has decide() but no signals()", rule="decide() reads the series of signals()."
        )

    def expressions(self) -> dict[str, Expr]:
        """Return the expressions of the plan: ``{"weights": ...}``, or the signals of `decide`."""
        name = type(self).__name__
        if type(self).decide is None:
            return {"weights": as_expr(self.weights(), f"{name}.weights()")}
        if type(self).weights is not Strategy.weights:
            raise StrategyError(
                f"{name} has both weights() and decide()",
                rule="a strategy has one of the two.",
                fix="Make the expression of weights() one of the signals().",
            )
        signals = self.signals()
        if not signals:
            raise StrategyError(
                f"{name}.signals() is empty", rule="decide() reads at least one signal."
            )
        return {key: as_expr(expr, f"{name}.signals()[{key!r}]") for key, expr in signals.items()}
