"""Grids as text: ``fast=5:50``, ``costs.fee_bps=0,5,10``, ``fill=next_open,same_close``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import NoneType
from typing import Any, NamedTuple, get_args

import msgspec

from alphalab.artifact.loading import converted
from alphalab.core.strategy import Strategy
from alphalab.errors import InputError, ParameterError
from alphalab.research.run.setting_names import setting_types
from alphalab.research.sweep.combinations import too_many
from alphalab.research.sweep.variants import check_name, swept_fields

RULE = (
    "values are written a,b,c, or first:last, or first:last:step; both ends are included, and the"
    " step is 1 unless given."
)

_MOST_DIGITS = 18  # of a number in a range; decimals are exact to 28


class Span(NamedTuple):
    """``first:last:step``: equally spaced numbers from `first` up to `last` at most."""

    first: Decimal
    last: Decimal
    step: Decimal | None

    @property
    def size(self) -> int:
        """How many numbers it has: maybe more than a list can."""
        step = self.step or Decimal(1)
        return int((self.last - self.first) / step) + 1

    def numbers(self) -> Iterator[Decimal]:
        """Yield the numbers in order."""
        step = self.step or Decimal(1)
        return (self.first + i * step for i in range(self.size))

    @property
    def is_whole(self) -> bool:
        """True if both ends are whole numbers."""
        return self.first % 1 == 0 and self.last % 1 == 0


def grid_values(
    texts: Mapping[str, str], cls: type[Strategy], max_columns: int
) -> dict[str, list[Any]]:
    """Return a grid for `alphalab.sweep`: each text converted to the type of its name.

    Raises
    ------
    UnknownNameError
        A name that is neither a parameter nor a setting.
    ParameterError
        A text that is not a value of this type.

    Examples
    --------
    >>> from alphalab.artifact.loading import load_strategy
    >>> grid_values({"fast": "5:20:5", "costs.fee_bps": "0,2.5"}, load_strategy("sma_cross"), 100)
    {'fast': [5, 10, 15, 20], 'costs.fee_bps': [0.0, 2.5]}
    """
    return {name: _values(name, text, cls, max_columns) for name, text in texts.items()}


def search_space(texts: Mapping[str, str], cls: type[Strategy], max_columns: int) -> dict[str, Any]:
    """Return a space for `alphalab.Search`; ranges of numbers stay ranges.

    Examples
    --------
    >>> from alphalab.artifact.loading import load_strategy
    >>> texts = {"fast": "5:50", "costs.fee_bps": "0.5:7.5", "fill": "next_open,next_close"}
    >>> search_space(texts, load_strategy("sma_cross"), 100)
    {'fast': range(5, 51), 'costs.fee_bps': (0.5, 7.5), 'fill': ['next_open', 'next_close']}
    """
    return {name: _place(name, text, cls, max_columns) for name, text in texts.items()}


def fixed_values(texts: Mapping[str, str], cls: type[Strategy]) -> dict[str, list[Any]]:
    """Return fixed parameters as a grid with one value for each.

    Examples
    --------
    >>> from alphalab.artifact.loading import load_strategy
    >>> fixed_values({"slow": "60"}, load_strategy("sma_cross"))
    {'slow': [60]}
    """
    return {
        name: [_value(f"--param {name}", name, text, _kind(name, cls), fix="")]
        for name, text in texts.items()
    }


def expressions_of(path: Path) -> list[str]:
    """Return the expressions of a file, one a line; empty lines and ``#`` comments are skipped."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise InputError(
            f"--expressions {path}: {reason}",
            rule="expressions are in a text file, one on each line.",
        ) from None
    found = [line.strip() for line in lines]
    found = [line for line in found if line and not line.startswith("#")]
    if not found:
        raise InputError(
            f"--expressions {path}: no expressions",
            rule="the file has one expression on each line.",
        )
    return found


def _values(name: str, text: str, cls: type[Strategy], max_columns: int) -> list[Any]:
    flag = f"--grid {name}={text}"
    kind, span = _kind(name, cls), _span(flag, text)
    if span is None:
        return [_value(flag, name, part.strip(), kind) for part in text.split(",")]
    if span.step is None and not span.is_whole:
        raise ParameterError(
            flag,
            rule="a range of fractions needs a step.",
            fix=f"Write for example {name}={text}:0.1.",
        )
    if span.size > max_columns:
        raise too_many(f"{flag}, {span.size:,} values", max_columns)
    return [_value(flag, name, f"{number:f}", kind) for number in span.numbers()]


def _place(name: str, text: str, cls: type[Strategy], max_columns: int) -> Any:
    """Return the search range or choices of one name."""
    flag = f"--grid {name}={text}"
    kind, span = _kind(name, cls), _span(flag, text)
    if span is None or span.first == span.last:
        return _values(name, text, cls, max_columns)
    ends = [span.first, span.last]
    if span.step is not None:
        ends[1] = span.first + (span.size - 1) * span.step
    low, high = sorted(_value(flag, name, f"{end:f}", kind) for end in ends)
    step = abs(span.step or Decimal(1))
    if isinstance(low, int) and isinstance(high, int):
        step = _value(flag, name, f"{step:f}", kind)
        return range(low, high + 1, step)
    if span.step is None:
        return low, high
    from optuna.distributions import FloatDistribution

    return FloatDistribution(low, high, step=float(step))


def _span(flag: str, text: str) -> Span | None:
    """Return the range that a text spells, or None if it lists values."""
    try:
        numbers = [Decimal(part.strip()) for part in text.split(":")]
    except InvalidOperation:  # a symbol such as BTC:USDT
        return None
    if len(numbers) == 1 or not all(number.is_finite() for number in numbers):
        return None
    if any(number and abs(number.adjusted()) > _MOST_DIGITS for number in numbers):
        raise ParameterError(
            flag, rule=f"the numbers of a range lie between 1e-{_MOST_DIGITS} and 1e{_MOST_DIGITS}."
        )
    span = Span(numbers[0], numbers[1], numbers[2] if len(numbers) > 2 else None)
    step = Decimal(1) if span.step is None else span.step
    if len(numbers) > 3 or step == 0 or (span.last - span.first) / step < 0:
        raise ParameterError(flag, rule=RULE)
    return span


def _kind(name: str, cls: type[Strategy]) -> Any:
    """Return the type of a parameter or setting; refuse an unknown name as a sweep does."""
    check_name(name, cls)
    types = {field.name: field.type for field in msgspec.structs.fields(cls)}
    return types[field] if (field := swept_fields(cls).get(name)) else setting_types()[name]


def _value(flag: str, name: str, text: str, kind: Any, fix: str = f"In --grid, {RULE}") -> Any:
    if text.lower() == "none" and NoneType in get_args(kind):
        return None
    try:
        return converted(flag, name, text, kind)
    except ParameterError as error:
        error.fix = fix
        raise
