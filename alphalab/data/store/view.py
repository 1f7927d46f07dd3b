"""`View`: a query for bars of a store, and its text form, the address."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeAlias, TypedDict, get_args
from urllib.parse import quote, unquote

from alphalab.data.clock.times import Instant, iso, nanoseconds
from alphalab.data.panel.rules import checked_symbols, names_of
from alphalab.data.store.address import Address, parse_versions
from alphalab.data.store.tables import table_named
from alphalab.errors import DataError, UnknownNameError

Adjust: TypeAlias = Literal["splits", "all"]


class ViewOptions(TypedDict, total=False):
    """The options of a view; `Store.bars` documents them."""

    symbols: Sequence[str] | None
    start: Instant | None
    end: Instant | None
    versions: Mapping[str, int | None] | str | int | None
    adjust: Adjust | None
    as_of: Instant | None
    universe: str | None
    observations: Sequence[str]


_LISTS = ("symbols", "observations", "without")
_ENDS = ("end", "as_of")  # a bare date includes its whole day


@dataclass(frozen=True, kw_only=True)
class View:
    """A query for bars of a store; `str` is an address that `al.load` reads.

    Attributes
    ----------
    venue, interval : str
    symbols : tuple of str or None
        None: all.
    start, end, as_of : str or None
        ISO text.
    adjust : {"splits", "all"} or None
    universe : str or None
    observations : tuple of str
    versions : mapping of str to int or None
        By table; None: read as if it did not exist.

    Examples
    --------
    >>> view = View.parse("store:lean/1d@bars=3?symbols=AAPL,IBM&as_of=2014-06-06&without=actions")
    >>> view.symbols, dict(view.versions)
    (('AAPL', 'IBM'), {'bars': 3, 'actions': None})
    >>> str(view)
    'store:lean/1d@bars=3?symbols=AAPL,IBM&as_of=2014-06-06&without=actions'
    """

    venue: str
    interval: str
    symbols: tuple[str, ...] | None = None
    start: str | None = None
    end: str | None = None
    as_of: str | None = None
    adjust: Adjust | None = None
    universe: str | None = None
    observations: tuple[str, ...] = ()
    versions: Mapping[str, int | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_adjust(self.adjust)
        if self.symbols is not None:
            checked_symbols(self.symbols)
        for table, version in self.versions.items():
            _check_version(table_named(str(table)).name, version)

    @classmethod
    def parse(cls, text: str, **given: Any) -> View:
        """Return the view that an address names.

        Parameters
        ----------
        text : str
            ``store:VENUE/INTERVAL[/SYMBOL][@VERSIONS][?OPTION=VALUE&...]``
        **given
            Fields that the text does not name; None: not given.

        Raises
        ------
        DataError, UnknownNameError
            Text that is not an address, an unknown option, or one that is given twice.
        """
        path, _, options = text.partition("?")
        address = Address.parse(path)
        found: dict[str, Any] = {"venue": address.venue, "interval": address.interval}
        if address.symbol is not None:
            found["symbols"] = (address.symbol,)
        versions: dict[str, int | None] = dict(address.versions)
        for name, value in _options(options):
            if name == "without":
                versions |= dict.fromkeys(value)
            elif name in found:
                raise _twice(text, name)
            else:
                found[name] = value
        found["versions"] = versions
        for name, value in given.items():
            if value is None or (name == "observations" and not value):
                continue
            if found.get(name):
                raise _twice(text, name)
            found[name] = value
        return cls.of(**found)

    @classmethod
    def of(cls, **given: Any) -> View:
        """Return a view; instants as in `Bars.between`, versions as text or numbers.

        Examples
        --------
        >>> str(View.of(venue="lean", interval="1d", symbols=["AAPL"], versions=3))
        'store:lean/1d/AAPL@bars=3'
        """
        for name in ("start", *_ENDS):
            given[name] = _instant_text(given.get(name), name in _ENDS)
        for name in ("symbols", "observations"):
            value = given.get(name)
            if value is not None:
                given[name] = names_of(value)
        given["observations"] = given.get("observations") or ()
        given["versions"] = _versions(given.get("versions"))
        return cls(**given)

    def __str__(self) -> str:
        symbol = self.symbols[0] if self.symbols and len(self.symbols) == 1 else None
        there = {name: n for name, n in self.versions.items() if n is not None}
        options: dict[str, Any] = {
            x.name: getattr(self, x.name)
            for x in fields(self)
            if x.name not in ("venue", "interval", "versions")
        }
        options["without"] = sorted(name for name, n in self.versions.items() if n is None)
        if symbol is not None:
            del options["symbols"]
        text = "&".join(f"{name}={_quoted(value)}" for name, value in options.items() if value)
        address = Address(self.venue, self.interval, symbol, there)
        return f"{address}{'?' if text else ''}{text}"

    @property
    def source(self) -> str:
        """The address without options and versions, for messages."""
        symbol = self.symbols[0] if self.symbols and len(self.symbols) == 1 else None
        return str(Address(self.venue, self.interval, symbol))


def check_adjust(adjust: str | None) -> None:
    """Refuse an unknown way to adjust prices."""
    if adjust is not None and adjust not in get_args(Adjust):
        raise DataError(
            f"adjust={adjust!r}",
            rule="adjust is 'splits', 'all' (splits and dividends), or not given.",
        )


def _options(text: str) -> list[tuple[str, Any]]:
    known = [x.name for x in fields(View) if x.name not in ("venue", "interval", "versions")]
    found: list[tuple[str, Any]] = []
    for part in filter(None, text.split("&")):
        name, _, value = part.partition("=")
        if name not in (*known, "without"):
            raise UnknownNameError("option of an address", name, (*known, "without"))
        if name in _LISTS:
            found.append((name, tuple(map(unquote, value.split(",")))))
        else:
            found.append((name, unquote(value)))
    return found


def _quoted(value: str | Sequence[str]) -> str:
    texts = (value,) if isinstance(value, str) else value
    return ",".join(quote(text, safe="/:") for text in texts)


def _instant_text(when: Instant | None, is_end: bool) -> str | None:
    """Return an instant as text; refuses what is not a date."""
    if when is None:
        return None
    ns = nanoseconds(when, end_of_day=is_end)
    return when.strip() if isinstance(when, str) else iso(ns)


def _versions(given: Any) -> dict[str, int | None]:
    if given is None:
        return {}
    if isinstance(given, str):
        return dict(parse_versions(given))
    return dict(given) if isinstance(given, Mapping) else {"bars": given}


def _check_version(table: str, version: Any) -> None:
    try:
        known = version is None or operator.index(version) >= 0
    except TypeError:
        known = False
    if not known:
        raise DataError(
            f"version {version!r} of {table}",
            rule="versions are whole numbers from 0: 17, 'bars=17,funding=4', or a dict by table, "
            "in which None leaves a table out.",
        )


def _twice(text: str, name: str) -> DataError:
    return DataError(
        f"{text!r} and another {name}", rule=f"{name} is given once.", fix="Leave one of them out."
    )
