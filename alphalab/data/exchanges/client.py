"""`Client`: requests to one exchange through ccxt, with retries, checks and our errors."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from alphalab.errors import DataError, InputError, UnknownNameError, import_extra

Answer = TypeVar("Answer")

_ATTEMPTS = 8
_LONGEST_WAIT = 60.0  # seconds between two attempts
_PATIENCE = 300.0  # longest wait in seconds that an exchange may demand
_MOST_SHOWN = 300  # characters of an exchange's message: some answer with a web page

# Exceptions of ccxt for a malformed answer.
_UNREADABLE = (TypeError, KeyError, ValueError, IndexError, AttributeError)

#: Exchanges do not mark unfinished candles: one counts as finished this long after its close, ms.
MARGIN = 2_000


class Client:
    """An exchange through its ccxt client.

    Parameters
    ----------
    exchange : str or ccxt.Exchange
        A name that ccxt knows, or a client of your own (behind a proxy, of a sandbox). No keys are
        needed, and none are used.
    url : str, optional
        Replaces scheme and host of all addresses of the exchange.
    retry_wait : float
        Seconds before a failed request is sent again; they double each time, up to 60.

    Attributes
    ----------
    name : str
        The ccxt name of the exchange: the venue of its rows.
    ccxt : ccxt.Exchange
        The client.
    on_wait : callable
        Called before each wait with a text: the reason, the wait and the number of attempts.

    Raises
    ------
    UnknownNameError
        No such exchange; near names are suggested.
    MissingExtraError
        The package ccxt is not installed.

    Examples
    --------
    >>> Client("binance").name
    'binance'
    >>> Client("binanse")
    Traceback (most recent call last):
        ...
    alphalab.errors.UnknownNameError: unknown exchange 'binanse': did you mean 'binance' or ...
    """

    def __init__(
        self, exchange: str | Any, *, url: str | None = None, retry_wait: float = 1.0
    ) -> None:
        self._errors = import_extra("ccxt", "fetch")
        self._own = isinstance(exchange, str)
        if isinstance(exchange, str):
            if exchange not in self._errors.exchanges:
                raise UnknownNameError("exchange", exchange, self._errors.exchanges)
            exchange = getattr(self._errors, exchange)()
        elif not isinstance(exchange, self._errors.Exchange):
            raise InputError(
                f"{exchange!r} is not an exchange",
                rule="an exchange is a name that ccxt knows, or one of its synchronous clients.",
            )
        if url is not None:
            origin, login = _origin(url)
            exchange.urls["api"] = _moved(exchange.urls["api"], origin)
            exchange.session.auth = login
        # ccxt reads a web page with status 200, as some proxies send, as an empty answer.
        exchange.enableLastJsonResponse = True
        self.ccxt = exchange
        self.name = str(exchange.id)
        self.on_wait: Callable[[str], None] = lambda text: None
        self._retry_wait = retry_wait
        self._ahead: int | None = None  # ms between its clock and `time.monotonic`

    @property
    def source(self) -> str:
        """The exchange and the version of ccxt, for the record of a write."""
        return f"{self.name} through ccxt {self._errors.__version__}"

    @property
    def clock(self) -> str:
        """The clock of `now`: that of the exchange if it offers one, else of this machine."""
        return "exchange" if self.can("fetchTime") else "this machine"

    def can(self, ability: str) -> bool:
        """Return True if the exchange itself offers a method; emulation by ccxt does not count."""
        return self.ccxt.has.get(ability) is True

    def require(self, ability: str, what: str) -> None:
        """Raise a DataError unless the exchange offers a method."""
        if not self.can(ability):
            raise DataError(
                f"{self.name} offers no {what}",
                rule=f"according to ccxt the exchange does not offer {ability}.",
            )

    def close(self) -> None:
        """Close the connections, unless the client came from outside."""
        if self._own:
            self.ccxt.close()

    def now(self) -> int:
        """Return the time, ms since 1970; never ahead of the exchange's clock, see `clock`."""
        if self._ahead is None:
            said = self.ask("fetch_time") if self.can("fetchTime") else time.time_ns() // 1_000_000
            if not isinstance(said, int):
                raise DataError(f"{self.name} says that the time is {said!r}")
            self._ahead = said - _monotonic()
        return self._ahead + _monotonic()

    def market(self, symbol: str) -> dict[str, Any]:
        """Return the market of a symbol as ccxt describes it.

        Raises
        ------
        UnknownNameError
            The exchange has no such symbol; near ones are suggested.
        """
        markets = self.markets()
        if symbol not in markets:
            raise UnknownNameError(f"symbol of {self.name}", symbol, markets)
        return markets[symbol]

    def markets(self) -> dict[str, dict[str, Any]]:
        """Return all markets as ccxt describes them."""
        if not self.ccxt.markets:
            self.ask("load_markets")
        return dict(self.ccxt.markets)

    def interval(self, text: str) -> int:
        """Return the length of the candles of an interval, ms.

        Raises
        ------
        UnknownNameError
            The exchange has no such candles.
        DataError
            Calendar months and years, whose length varies.
        """
        offered = self.ccxt.timeframes or {}
        if text not in offered:
            raise UnknownNameError(f"interval of {self.name}", text, offered)
        if text[-1] not in "smhdw":
            raise DataError(
                f"interval {text!r}",
                rule="candles are all of one length; months and years are not.",
                fix="Fetch 1d and resample.",
            )
        return int(self.ccxt.parse_timeframe(text)) * 1_000

    def ask(self, method: str, *arguments: Any, check: Callable[[Any], bool] | None = None) -> Any:
        """Call a method of the exchange; temporary failures are retried.

        Parameters
        ----------
        method : str
            Of the ccxt client.
        *arguments
            Its arguments.
        check : callable, optional
            Returns True for a usable answer; any other answer counts as a failure.

        Raises
        ------
        DataError
            The exchange refuses, or has failed too often.
        """
        import tenacity

        def attempt() -> Any:
            try:
                answer = getattr(self.ccxt, method)(*arguments)
                usable = check is None or check(answer)
            except _UNREADABLE as error:
                raise self._errors.BadResponse(f"{method}: {type(error).__name__}") from error
            if self.ccxt.last_json_response is None:
                raise self._errors.BadResponse(f"{method}: an answer that is no JSON")
            if not usable:
                raise self._errors.BadResponse(f"{method}: {answer!r}")
            return answer

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._may_pass),
            stop=self._give_up,
            wait=self._pause,
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            return retrying(attempt)
        except self._errors.OperationFailed as error:
            if _is_unknown_host(error):
                raise DataError(
                    f"{self.name}: unknown host: {_shown(error)}",
                    rule="an exchange is reached through the network, by the name of its host.",
                    fix="Check the network, and the address where one is given (--url).",
                ) from None
            raise DataError(
                f"{self.name} does not answer: {_shown(error)}",
                rule=f"a request is sent up to {_ATTEMPTS} times, and what came before is kept.",
                fix=self._told_to_wait() or "Run it again to go on from there.",
            ) from None
        except self._errors.BaseError as error:
            raise DataError(
                f"{self.name} refuses: {_shown(error)}",
                rule="what it gave before is kept.",
            ) from None

    def _may_pass(self, error: BaseException) -> bool:
        """Return True if a failed request may succeed later."""
        return isinstance(error, self._errors.OperationFailed) and not _is_unknown_host(error)

    def _give_up(self, state: Any) -> bool:
        return bool(state.attempt_number >= _ATTEMPTS or self._asked_for(state) > _PATIENCE)

    def _pause(self, state: Any) -> float:
        exponential = self._retry_wait * 2.0 ** int(state.attempt_number - 1)
        return max(min(exponential, _LONGEST_WAIT), self._asked_for(state))

    def _tell(self, state: Any) -> None:
        why, seconds = _shown(state.outcome.exception()), state.next_action.sleep
        self.on_wait(
            f"no answer, {state.attempt_number} of {_ATTEMPTS}: {why}; "
            f"trying again in {seconds:g} s"
        )

    def _asked_for(self, state: Any) -> float:
        """Return the wait that the exchange demands, seconds; 0 if none."""
        error = state.outcome.exception()
        limits = (self._errors.RateLimitExceeded, self._errors.DDoSProtection)
        return self._retry_after() if isinstance(error, limits) else 0.0

    def _retry_after(self) -> float:
        text = str((self.ccxt.last_response_headers or {}).get("Retry-After", ""))
        return float(text) if text.isascii() and text.isdigit() else 0.0

    def _told_to_wait(self) -> str:
        seconds = self._retry_after()
        return f"It asks to wait for {seconds:g} s." if seconds > _PATIENCE else ""


def _monotonic() -> int:
    return time.monotonic_ns() // 1_000_000


def _shown(error: BaseException) -> str:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    if len(text) > _MOST_SHOWN:
        text = f"{text[:_MOST_SHOWN]} ..."
    root = _root(error)
    # The operating system's reason: no such host, connection refused, timed out.
    return f"{text} ({root})" if type(root).__module__ in ("builtins", "socket") else text


def _is_unknown_host(error: BaseException) -> bool:
    """Return True if the host does not exist; a failing name server is temporary."""
    root = _root(error)
    return isinstance(root, socket.gaierror) and root.errno == socket.EAI_NONAME


def _root(error: BaseException) -> BaseException:
    while deeper := error.__cause__ or error.__context__:
        error = deeper
    return error


def _origin(url: str) -> tuple[tuple[str, str, str], tuple[str, str] | None]:
    """Return scheme, host and path of an address, and separately its login.

    Messages show addresses and must not show passwords.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(
            f"url {url.rpartition('@')[2]!r}",
            rule="an address reads http://HOST:PORT or https://HOST, and maybe /PATH.",
        )
    login = None if parts.username is None else (parts.username, parts.password or "")
    return (parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/")), login


def _moved(urls: Any, origin: tuple[str, str, str]) -> Any:
    """Return the (nested) addresses of an exchange with another scheme and host."""
    if isinstance(urls, dict):
        return {name: _moved(address, origin) for name, address in urls.items()}
    scheme, host, prefix = origin
    return urlunsplit((scheme, host, prefix + urlsplit(urls).path, "", ""))
