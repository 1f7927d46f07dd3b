"""`Settings`, the base of all settings: frozen, checked when made, with an identity."""

from __future__ import annotations

import hashlib
import re
import typing
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
import numpy as np
from msgspec import Meta

from alphalab.errors import ParameterError

#: Bounds of numbers from outside. Products and squares of numbers within them stay within float64,
#: sums of rows within int64, so no result can overflow.
LEAST_PRICE, MOST_PRICE = 1e-30, 1e30  # quote currency per unit; also conversion rates
MOST_DIVIDEND = MOST_PRICE
LEAST_MULTIPLIER, MOST_UNIT = 1e-15, 1e15  # ticks, lots, minimum values, multipliers
LEAST_SPLIT, MOST_SPLIT = 1e-6, 1e6  # new units per old one
MOST_ROWS = 1_000_000_000
FIRST_YEAR, LAST_YEAR = 1678, 2261  # whole years of int64 nanoseconds
MOST_YEARS = 290  # between two rows: the difference of two times is an int64 too

Rows = Annotated[int, Meta(ge=1, le=MOST_ROWS)]
RowsOrNone = Annotated[int, Meta(ge=0, le=MOST_ROWS)]
Fraction = Annotated[float, Meta(gt=0, le=1)]
Bps = Annotated[float, Meta(ge=0, lt=10_000)]
YearlyBps = Annotated[float, Meta(ge=0, le=1e7)]
Positive = Annotated[float, Meta(gt=0, le=1e18)]
NonNegative = Annotated[float, Meta(ge=0, le=1e18)]
Cash = Annotated[float, Meta(ge=1e-9, le=1e18)]
Money = Annotated[float, Meta(ge=0, le=1e15)]
Price = Annotated[float, Meta(ge=LEAST_PRICE, le=MOST_PRICE)]
Weight = Annotated[float, Meta(gt=0, le=1e12)]
WeightOrZero = Annotated[float, Meta(ge=0, le=1e12)]
#: Equity per value of positions: a leverage of 10,000 at most.
MarginShare = Annotated[float, Meta(ge=1e-4, le=1)]


_SPAN = re.compile(r"([1-9][0-9]*)([smhd])")
_UNIT_NS = {"s": 10**9, "m": 60 * 10**9, "h": 3_600 * 10**9, "d": 86_400 * 10**9}


def span_ns(text: str) -> int | None:
    """Return a length of time such as ``30m`` in ns; None for other text.

    Examples
    --------
    >>> span_ns("1h") == 3_600 * 10**9, span_ns("1y")
    (True, None)
    """
    match = _SPAN.fullmatch(text)
    return int(match[1]) * _UNIT_NS[match[2]] if match else None


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all settings: checked when made, unknown fields refused.

    Raises
    ------
    ParameterError
        A value of the wrong type or outside its range. The message names the field.
    """

    def __post_init__(self) -> None:
        hints, checked = hints_of(type(self)), _DEFAULTS.setdefault(type(self), {})
        n_required = len(self.__struct_fields__) - len(self.__struct_defaults__)
        defaults = (*[msgspec.NODEFAULT] * n_required, *self.__struct_defaults__)
        for name, default in zip(self.__struct_fields__, defaults, strict=True):
            given = getattr(self, name)
            if name not in checked or given is not checked[name][0]:
                plain = given.item() if isinstance(given, np.generic) else given
                value = _checked(self, name, plain, hints[name])
                if given is default:
                    checked[name] = given, value
            else:
                value = checked[name][1]
            msgspec.structs.force_setattr(self, name, value)

    def canonical_json(self) -> str:
        """Return the settings as JSON with sorted keys: equal settings give equal text."""
        return msgspec.json.encode(self, order="sorted").decode()

    @property
    def id(self) -> str:
        """SHA-256 of the canonical JSON, 64 hexadecimal digits."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()


#: Default values of each class, as given and as checked: a default is checked only once.
_DEFAULTS: dict[type, dict[str, tuple[Any, Any]]] = {}
_HINTS: dict[type, dict[str, Any]] = {}


def hints_of(cls: type) -> dict[str, Any]:
    """Return the type of each field of a settings class, with its bounds."""
    if cls not in _HINTS:
        _HINTS[cls] = typing.get_type_hints(cls, include_extras=True)
    return _HINTS[cls]


def _checked(owner: Settings, name: str, value: Any, hint: Any) -> Any:
    try:
        value = msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        raise ParameterError(
            f"{type(owner).__name__}: {name}={value!r}", rule=broken_rule(error, hint)
        ) from None
    if isinstance(value, float) and not np.isfinite(value):
        raise ParameterError(
            f"{type(owner).__name__}: {name}={value!r}", rule=f"{name} is a finite number."
        )
    return value


def broken_rule(error: msgspec.ValidationError, hint: Any) -> str:
    """Return the rule that a value breaks, from the error of msgspec and the type."""
    choices = next((get_args(x) for x in (hint, *get_args(hint)) if _is_choice(x)), ())
    allowed = f" Choose from {', '.join(map(str, choices))}." if choices else ""
    return f"{error}.{allowed}".replace("`", "")


def _is_choice(hint: Any) -> bool:
    return get_origin(hint) is Literal
