"""Settings of a run by name: ``cash``, ``fill``, ``costs.fee_bps``, ``exits.stop_loss``.

A name without a dot is a field of `RunSettings`; some of these are tables, settings of their own,
and a name with a dot is a field of a table. Settings files, flags and grids use these names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from alphalab.config import RunSettings
from alphalab.errors import ParameterError
from alphalab.settings import Settings


@cache
def setting_types() -> dict[str, Any]:
    """Return the type of every setting by its name, tables and their fields alike.

    Examples
    --------
    >>> [name for name in setting_types() if name.startswith("financing")][:3]
    ['financing', 'financing.borrow_bps', 'financing.loan_bps']
    """
    found = {}
    for field, hint in get_type_hints(RunSettings, include_extras=True).items():
        found[field] = hint
        cls = settings_in(hint)
        if cls is not None:
            hints = get_type_hints(cls, include_extras=True)
            found |= {f"{field}.{name}": inner for name, inner in hints.items()}
    return found


def settings_in(hint: Any) -> type[Settings] | None:
    """Return the `Settings` class in a type hint, a union or a tuple; None if there is none.

    A dict of settings, such as those of `RunSettings.holdings` by symbol, is no table of fields.
    """
    return next(_settings_in(hint), None)


def _settings_in(hint: Any) -> Iterator[type[Settings]]:
    if isinstance(hint, type) and issubclass(hint, Settings):
        yield hint
    for part in () if get_origin(hint) is dict else get_args(hint):
        yield from _settings_in(part)


def checked(field: str, value: Any) -> Any:
    """Return the checked value of one field of `RunSettings`; a table is made from a dict.

    Raises
    ------
    ParameterError
        A value that the setting does not take.

    Examples
    --------
    >>> checked("costs", {"fee_bps": 5}).fee_bps
    5.0
    """
    cls = settings_in(setting_types()[field])
    if cls is None:
        return getattr(RunSettings(**{field: value}), field)
    if not isinstance(value, dict):
        raise ParameterError(f"{field}={value!r}", rule=f"{field} is a table, [{field}].")
    try:
        return cls(**value)
    except TypeError as error:  # a field without a default
        raise ParameterError(
            f"[{field}]: {error}", rule="fields without a default are given."
        ) from None


def changed(fields: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields of `RunSettings` with settings changed by name.

    Parameters
    ----------
    fields : mapping of str to object
        Given fields; tables are `Settings` or None.
    changes : mapping of str to object
        Values by name. A table can be changed as a whole or by its fields. An optional table
        (exits, entry, margin) with None in all its fields becomes None: ``exits.stop_loss`` of None
        means no exits, unless other fields are set.

    Examples
    --------
    >>> changed({"cash": 1000.0}, {"costs.fee_bps": 5, "exits.stop_loss": None})
    {'cash': 1000.0, 'costs': Costs(fee_bps=5.0, ...), 'exits': None}
    """
    result = dict(fields)
    tables: dict[str, dict[str, Any]] = {}
    for name, value in changes.items():
        field, dot, key = name.partition(".")
        if dot:
            tables.setdefault(field, {})[key] = value
        else:
            result[field] = _whole(field, value)
    for field, mine in tables.items():
        before = result.get(field)
        values = {**({} if before is None else msgspec.structs.asdict(before)), **mine}
        missing = _may_miss(field) and all(value is None for value in values.values())
        result[field] = None if missing else checked(field, values)
    return result


def _whole(field: str, value: Any) -> Any:
    """Return a value for a field; None becomes the default of a table that is not optional."""
    cls = settings_in(setting_types()[field])
    return cls() if value is None and cls is not None and not _may_miss(field) else value


def _may_miss(field: str) -> bool:
    return NoneType in get_args(setting_types()[field])
