"""The variants of a sweep: strategies and settings for a grid, a list or a search."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence, Sized
from typing import Any, NamedTuple

import msgspec

from alphalab.config import RunSettings
from alphalab.core.checks import check_assets, check_names
from alphalab.core.columns import Column
from alphalab.core.expression import Expression
from alphalab.core.strategy import Strategy
from alphalab.errors import AlphalabError, ParameterError, UnknownNameError
from alphalab.expr.nodes import Expr
from alphalab.research.run.options import RunOptions, check_keywords, run_fields
from alphalab.research.run.setting_names import changed, setting_types
from alphalab.research.sweep.combinations import MAX_COLUMNS, combinations, key_of, short, shown
from alphalab.types import Instrument


class Variant(NamedTuple):
    """One combination: one column of a sweep.

    Attributes
    ----------
    params : dict of str to object
        Values of the swept names.
    column : Column or None
        None: an invalid combination.
    reason : str
        Why the combination is invalid, in one line; else empty.
    rule : str
        The rule that an invalid combination breaks: the same for all that break it.
    """

    params: dict[str, Any]
    column: Column | None
    reason: str = ""
    rule: str = ""

    @property
    def strategy(self) -> Strategy | None:
        """The strategy with its parameters; None for an invalid combination."""
        return None if self.column is None else self.column.strategy

    @property
    def settings(self) -> RunSettings | None:
        """The settings of the run; None for an invalid combination."""
        return None if self.column is None else self.column.settings


class Family:
    """The variants of one strategy, which differ in some parameters and settings only.

    Parameters
    ----------
    strategy : Strategy or subclass of Strategy
        Parameters that are not swept keep the values of the instance, or the class's defaults.
    names : sequence of str
        Swept names: parameters, or settings such as ``fill`` and ``costs.fee_bps``. A parameter
        takes precedence over a setting of the same name.
    options : RunOptions
        Settings that are not swept.
    instruments : sequence of Instrument
        The assets of the bars.
    columns : collection of str, optional
        The columns of the bars, to check the names in expressions. Not given: no check.

    Raises
    ------
    UnknownNameError
        A name that is neither a parameter nor a setting.
    ParameterError
        Not a strategy, a parameter without a value, or a setting swept as a whole and by field.

    Examples
    --------
    >>> from alphalab.artifact.loading import load_strategy
    >>> names, assets = ("fast", "costs.fee_bps"), [Instrument(symbol="A")]
    >>> family = Family(load_strategy("sma_cross"), names, {"cash": 1000.0}, assets)
    >>> variant = family.variant({"fast": 5, "costs.fee_bps": 10.0})
    >>> variant.strategy, variant.settings.costs.fee_bps
    (SmaCross(fast=5, slow=30), 10.0)
    >>> family.variant({"fast": 50, "costs.fee_bps": 10.0}).reason
    'SmaCross(fast=50, slow=30); 1 <= fast < slow'
    """

    def __init__(
        self,
        strategy: Strategy | type[Strategy],
        names: Sequence[str],
        options: RunOptions,
        instruments: Sequence[Instrument],
        columns: Collection[str] | None = None,
    ) -> None:
        check_keywords(options)
        self._cls = _strategy_class(strategy)
        self._base = msgspec.structs.asdict(strategy) if isinstance(strategy, Strategy) else {}
        self._options = options
        self._instruments = instruments
        self._columns = columns
        self._fields = swept_fields(self._cls)
        for name in names:
            check_name(name, self._cls)
        self._settings = tuple(name for name in names if name not in self._fields)
        for name in self._settings:
            if (table := name.partition(".")[0]) != name and table in self._settings:
                raise ParameterError(
                    f"{table} and {name}",
                    rule="a setting is swept either as a whole or by its fields.",
                )
        given = {*self._base, *(self._fields[name] for name in names if name in self._fields)}
        fields = msgspec.structs.fields(self._cls)
        if missing := [f.name for f in fields if f.required and f.name not in given]:
            raise ParameterError(
                f"{self.name} without {', '.join(missing)}",
                rule="a parameter without a default is swept or given.",
                fix=f"Give {self.name}({missing[0]}=...) in place of the class.",
            )
        self._run_settings: dict[Any, RunSettings] = {}

    @property
    def name(self) -> str:
        """The name of the strategy's class."""
        return self._cls.__name__

    def variant(self, params: Mapping[str, Any]) -> Variant:
        """Return the variant with one value for each swept name.

        A combination that the strategy or the settings refuse gives an invalid variant. Exceptions
        that are not alphalab's propagate, with the combination as a note.
        """
        params = dict(params)
        values = {self._fields[k]: x for k, x in params.items() if k in self._fields}
        try:
            strategy = self._cls(**{**self._base, **values})
            column = Column.of(strategy, self._settings_of(strategy, params), self._instruments)
            if self._columns is not None:
                check_names(column.expressions, self._instruments, self._columns)
        except AlphalabError as error:
            return Variant(params, None, _one_line(error), f"{error.code}: {error.rule}")
        except Exception as error:
            error.add_note(f"at {shown(params)}")
            raise
        return Variant(params, column)

    def _settings_of(self, strategy: Strategy, params: Mapping[str, Any]) -> RunSettings:
        """Return the settings of a variant; variants with equal settings share one object."""
        changes = {name: params[name] for name in self._settings}
        fields = run_fields(strategy, self._options)
        key = tuple(map(key_of, (*fields.items(), *changes.values())))
        if key not in self._run_settings:
            settings = RunSettings(**changed(fields, changes))
            check_assets(self._instruments, settings, None)
            self._run_settings[key] = settings
        return self._run_settings[key]


def variants(
    strategy: Any,
    space: Any,
    options: RunOptions,
    instruments: Sequence[Instrument],
    *,
    columns: Collection[str] | None = None,
    max_columns: int = MAX_COLUMNS,
) -> tuple[tuple[str, ...], tuple[Variant, ...]]:
    """Return the swept names, and a variant for each combination in order.

    Parameters
    ----------
    strategy : Strategy, subclass of Strategy, or sequence of Expr and str
        A sequence sweeps expressions, under the name ``expression``.
    space : mapping of str to iterable, sequence of mappings, or None
        A grid, names to values: every combination, the last name varies fastest. A list of mappings
        of the same names to one value each, in the given order. Expressions take a grid or None.
    options : RunOptions
        Settings of all variants.
    instruments : sequence of Instrument
        The assets of the bars.
    columns : collection of str, optional
        The columns of the bars, to check the names in expressions. Not given: no check.
    max_columns : int
        More combinations are refused.

    Raises
    ------
    UnknownNameError
        A name that is neither a parameter nor a setting.
    ParameterError
        A grid or list that is empty, too large, has duplicates, or has no valid combination.

    Examples
    --------
    >>> alphas, assets = ["close > 1", "close >"], [Instrument(symbol="A")]
    >>> names, made = variants(alphas, {"cash": [10, 20]}, {}, assets)
    >>> names, [v.params["cash"] for v in made], [v.column is not None for v in made]
    (('expression', 'cash'), [10, 20, 10, 20], [True, True, False, False])
    """
    if isinstance(strategy, str | Expr):
        raise ParameterError(
            "one expression in place of a strategy",
            rule="a sweep takes a strategy, or a list of expressions.",
            fix="Put it in a list.",
        )
    if isinstance(strategy, Iterable) and not isinstance(strategy, type | Mapping):
        if not (space is None or (isinstance(space, Mapping) and "expression" not in space)):
            raise ParameterError(
                f"a list of expressions with {short(space)}",
                rule="expressions are swept alone, or with a grid of settings.",
            )
        space = {"expression": _texts(strategy, max_columns), **(space or {})}
        strategy = Expression
    if space is None:
        raise ParameterError(
            f"a sweep of {getattr(strategy, '__name__', type(strategy).__name__)} without a grid",
            rule="a strategy is swept over a grid, a list of parameters, or al.Search(...).",
        )
    names, rows = combinations(space, max_columns)
    family = Family(strategy, names, options, instruments, columns)
    made = tuple(family.variant(dict(zip(names, row, strict=True))) for row in rows)
    if all(variant.column is None for variant in made):
        raise ParameterError(
            f"no valid combination of {family.name} among {len(made):,}",
            rule=f"the first, {shown(made[0].params)}, breaks: {made[0].reason}.",
        )
    return names, made


def _texts(expressions: Iterable[Any], max_columns: int) -> list[str]:
    """Return expressions as texts: an `Expr` in its canonical form, a text unchanged."""
    if not isinstance(expressions, Sized):
        expressions = itertools.islice(expressions, max_columns + 1)
    texts = []
    for i, given in enumerate(expressions):
        if not isinstance(given, str | Expr):
            raise ParameterError(
                f"{short(given)} at {i}",
                rule="a list in place of a strategy holds expressions: Exprs or texts.",
                fix="Sweeps of several strategies are several sweeps."
                if isinstance(given, Strategy | type)
                else "",
            )
        texts.append(str(given))
    return texts


def _strategy_class(strategy: Any) -> type[Strategy]:
    cls = strategy if isinstance(strategy, type) else type(strategy)
    if not issubclass(cls, Strategy) or cls is Strategy:
        raise ParameterError(
            f"{cls.__name__} in place of a strategy",
            rule="a sweep takes a subclass of al.Strategy, one of its instances, or a list of"
            " expressions.",
        )
    return cls


def swept_fields(cls: type[Strategy]) -> dict[str, str]:
    """Return the fields of a strategy by the names under which they are swept."""
    if cls is Expression:
        return {"expression": "text"}
    return {name: name for name in cls.__struct_fields__}


def check_name(name: Any, cls: type[Strategy]) -> None:
    """Refuse a name that is neither a parameter of the strategy nor a setting.

    Raises
    ------
    UnknownNameError
        The message suggests near names.
    """
    if not isinstance(name, str):
        raise ParameterError(f"{name!r} as a name", rule="names are texts.")
    fields, known = swept_fields(cls), setting_types()
    if name in fields or name in known:
        return
    if "." in name:
        table = name.partition(".")[0] + "."
        inside = [setting for setting in known if setting.startswith(table)]
        raise UnknownNameError(
            "setting", name, inside or [setting for setting in known if "." in setting]
        )
    raise UnknownNameError(
        f"parameter of {cls.__name__} or setting",
        name,
        [*fields, *(setting for setting in known if "." not in setting)],
        fix="Settings in tables have a dot: costs.fee_bps.",
    )


def _one_line(error: AlphalabError) -> str:
    parts = (" ".join(part.split()) for part in (error.what, error.rule))
    return "; ".join(filter(None, parts)).rstrip(".")
