"""The symbols of the bars as an exchange lists them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from alphalab.errors import DataError, UnknownNameError
from alphalab.types import Instrument

_QUOTES = ("USDT", "USDC", "FDUSD")
_CONTRACT = ":"  # separates the settlement coin in the name of a contract


class Listing(NamedTuple):
    """One asset of the bars as a market of the exchange.

    Attributes
    ----------
    asset : int
        Column of the bars.
    kind : str
        ``"spot"`` or ``"linear"``.
    base, quote : str
        The coins: what is bought, and what it is paid with.
    """

    asset: int
    kind: str
    base: str
    quote: str

    @property
    def id(self) -> str:
        """The name in requests and streams, such as BTCUSDT."""
        return self.base + self.quote

    @property
    def unified(self) -> str:
        """The name that ccxt uses, such as BTC/USDT, or BTC/USDT:USDT for a contract."""
        pair = f"{self.base}/{self.quote}"
        return pair if self.kind == "spot" else f"{pair}{_CONTRACT}{self.quote}"


def listings(instruments: Sequence[Instrument], names: Mapping[str, str] = {}) -> list[Listing]:
    """Return the listing of every asset.

    ``BTC/USDT`` and ``BTC/USDT:USDT`` name their coins. ``BTCUSDT`` ends with its quote coin:
    USDT, USDC, FDUSD, or the currency of the instrument. Any other symbol is the base, and the
    currency of the instrument the quote.

    Parameters
    ----------
    instruments : sequence of Instrument
    names : mapping of str to str
        Other names for symbols, such as ``{"btc_perp_1m": "BTC/USDT:USDT"}``.

    Raises
    ------
    DataError
        An inverse contract, an instrument without tick or lot, or two assets with one name.
    UnknownNameError
        A name for a symbol that is not there.

    Examples
    --------
    >>> assets = [
    ...     Instrument(symbol="ETHBTC", currency="BTC", tick=1e-6, lot=1e-3),
    ...     Instrument(symbol="perp", kind="linear", tick=0.1, lot=0.001),
    ... ]
    >>> [x.unified for x in listings(assets, {"perp": "BTC/USDT:USDT"})]
    ['ETH/BTC', 'BTC/USDT:USDT']
    """
    symbols = [instrument.symbol for instrument in instruments]
    for symbol in names:
        if symbol not in symbols:
            raise UnknownNameError("symbol", symbol, symbols)
    found: dict[tuple[str, str], Listing] = {}
    for asset, instrument in enumerate(instruments):
        _check(instrument)
        name = names.get(instrument.symbol, instrument.symbol)
        base, quote = _coins(name, instrument.currency)
        listing = Listing(asset, instrument.kind, base, quote)
        if (other := found.get((listing.kind, listing.id))) is not None:
            raise DataError(
                f"{instruments[other.asset].symbol!r} and {instrument.symbol!r} are both "
                f"{listing.id} on the exchange",
                rule="every market of the exchange has a name of its own.",
                fix="Rename one of them: names={'symbol': 'BASE/QUOTE'}.",
            )
        found[listing.kind, listing.id] = listing
    return list(found.values())


def _check(instrument: Instrument) -> None:
    if instrument.kind not in ("spot", "linear"):
        raise DataError(
            f"{instrument.symbol!r} is an {instrument.kind} contract",
            rule="the local exchange lists spot and linear contracts.",
            fix="Leave the symbol out.",
        )
    for name in ("tick", "lot"):
        if not getattr(instrument, name) > 0:
            raise DataError(
                f"{instrument.symbol!r} has no {name}",
                rule="clients cut prices and quantities to ticks and lots, so every market of an "
                "exchange has both.",
                fix="Set them: bars.with_instruments(tick=0.01, lot=0.001), or in a settings file.",
            )


def _coins(name: str, currency: str) -> tuple[str, str]:
    """Return base and quote of a symbol."""
    pair, _, _ = name.partition(_CONTRACT)
    if "/" in pair:
        base, _, quote = pair.partition("/")
        return _plain(base), _plain(quote)
    plain = _plain(pair)
    for quote in (*_QUOTES, _plain(currency)):
        if plain.endswith(quote) and plain != quote:
            return plain.removesuffix(quote), quote
    return plain, _plain(currency)


def _plain(name: str) -> str:
    """Return the letters and digits of a name, in capitals."""
    return "".join(letter for letter in name.upper() if letter.isalnum())
