"""`Strategy`: frozen parameters, and the expressions made from them."""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, dataclass_transform, get_args, get_origin

from alphalab.config import Entry, Exits, Limits, Rebalance
from alphalab.errors import StrategyError
from alphalab.expr.nodes import Expr, as_expr
from alphalab.settings import Settings, hints_of

#: What a `decide` may take, by the names of its arguments.
ARGUMENTS = frozenset({"signals", "params", "account", "memory", "table"})

#: In front of the name of a parameter among the expressions of a strategy.
PARAMS = "params."

#: Attributes of a class that are no parameters.
_OF_CLASS = {"rebalance", "limits", "exits", "entry", "memory_rows", "max_orders", "decide"}


# Type checkers do not know that a subclass of a frozen record is frozen as well.
@dataclass_transform(frozen_default=True, kw_only_default=True)
class Strategy(Settings, frozen=True):
    """Base of every strategy. Typed fields are its parameters, `weights` is what it holds.

    Define either

    - ``weights() -> Expr``: the desired weight of equity per asset at every row (NaN: no opinion,
      keep what is held), or
    - ``signals() -> dict`` and a static ``decide``, compiled with numba and called once a row, for
      rules that depend on the position. It takes any of these arguments, by their names:
      ``signals``, whose ``signals.fast`` is the array (N,) of the signal `fast`; ``params``, whose
      ``params.n`` is the parameter `n` (numbers only); ``account`` with ``row, time, cash, equity,
      drawdown`` and ``positions`` (a copy: one record per asset with ``qty, mark, entry_price,
      entry_row, target``); ``memory``, an array of shape (memory_rows, N) that `decide` may write:
      zeros at the start, and part of every snapshot; ``table``, all signals as one array (K, N), in
      their order, where a loop goes over them. It returns a new array of N weights.

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
        for name in _OF_CLASS & cls.__annotations__.keys():
            if "ClassVar" not in str(cls.__annotations__[name]):
                raise StrategyError(
                    f"{cls.__name__}: {name}: {cls.__annotations__[name]}",
                    rule=f"{name} belongs to the class and is no parameter, so it has no type.",
                    fix=f"Write {name} = ...",
                )
        typed = {*cls.__annotations__, "memory_rows", "max_orders"}
        for name, value in vars(cls).items():
            plain = isinstance(value, bool | int | float | str)
            if plain and not name.startswith("_") and name not in typed:
                raise StrategyError(
                    f"{cls.__name__}: {name} = {value!r} without a type",
                    rule="parameters are typed.",
                    fix=f"Write {name}: {type(value).__name__} = {value!r}.",
                )

        own = vars(cls)
        if "weights" in own and "decide" not in own:
            cls.decide = None  # a subclass may replace the logic
        if callable(cls.decide) and (wrong := set(arguments_of(cls.decide)) - ARGUMENTS):
            raise StrategyError(
                f"{cls.__name__}.decide({', '.join(arguments_of(cls.decide))})",
                rule=f"{sorted(wrong)[0]!r} is none of its arguments: signals, params, account, "
                "memory, table. It is compiled and sees no strategy.",
                fix="Write @staticmethod above it, and decide(signals, params, account).",
            )

        for name in ("memory_rows", "max_orders"):
            number = getattr(cls, name)
            if not isinstance(number, int) or number < 0:
                raise StrategyError(
                    f"{cls.__name__}: {name} = {number!r}",
                    rule=f"{name} is a whole number of at least 0.",
                )

    @classmethod
    def numbers_of_class(cls) -> dict[str, type]:
        """Return the parameters that are numbers, with their types: the `params` of a `decide`."""
        hints = {name: _plain(hints_of(cls)[name]) for name in cls.__struct_fields__}
        return {name: hint for name, hint in hints.items() if hint in (int, float, bool)}

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
        own = type(self).__mro__[: type(self).__mro__.index(Strategy)]
        if any("weights" in vars(cls) and vars(cls).get("decide") for cls in own):
            raise StrategyError(
                f"{name} has both weights() and decide()",
                rule="a class has one of the two.",
                fix="Make the expression of weights() one of the signals().",
            )
        signals = self.signals()
        if not signals:
            raise StrategyError(
                f"{name}.signals() is empty", rule="decide() reads at least one signal."
            )
        for key in signals:
            if not key.isidentifier() or keyword.iskeyword(key) or key.startswith("_"):
                raise StrategyError(
                    f"{name}.signals() has {key!r}",
                    rule="decide reads a signal as signals.name, so its key is a Python name.",
                    fix="Use letters, digits and underscores, with a letter first.",
                )
        found = {key: as_expr(expr, f"{name}.signals()[{key!r}]") for key, expr in signals.items()}
        if "params" in arguments_of(type(self).decide):
            for key in self.numbers_of_class():
                found[PARAMS + key] = as_expr(float(getattr(self, key)), f"{name}.{key}")
        return found


def arguments_of(decide: Any) -> tuple[str, ...]:
    """Return the names of the arguments of a `decide`."""
    return tuple(inspect.signature(getattr(decide, "py_func", decide)).parameters)


def _plain(hint: Any) -> Any:
    """Return a type hint without its bounds."""
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint
