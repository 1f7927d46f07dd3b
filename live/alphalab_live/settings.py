"""`LiveSettings`: how a run treats its venue. From a TOML file and the environment."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from alphalab.errors import ArtifactError, InputError, ParameterError, UnknownNameError
from alphalab.settings import Settings, broken_rule

#: Prefix of the variables of the environment that set a field.
PREFIX = "ALPHALAB_LIVE_"
_SERVICE = "alphalab"
_TABLES = ("symbols", "observe")  # fields that the environment cannot set

Money = Annotated[float, Meta(gt=0, le=1e18)]
Age = Annotated[float, Meta(gt=0, le=1e9)]
Seconds = Annotated[float, Meta(ge=0, le=86_400)]


class LiveSettings(Settings, frozen=True):
    """How a run treats its venue.

    Parameters
    ----------
    symbols : dict of str to str
        The venue's symbol, as ccxt writes it, of a symbol of the artifact; others keep their name.
    capital : float or dict of str to float, optional
        Cash that each artifact trades, or that of some by the name of the artifact; not given: that
        of its settings.
    observe : dict of str to float
        Columns that observers fill, and for how many seconds a value holds after it became known.
    grace_seconds : float
        How long after the close of a bar its candles may come; then a symbol without one has not
        traded.
    current_seconds : float
        How long after the close of a bar its orders may still be sent. Older ones expire unsent.
    settle_seconds : float
        At most this long between two full comparisons with the venue.
    absence_checks : int
        How often the venue has to say that it does not know an order before that is believed.
    absence_seconds : float
        The shortest time between the first and the last of these answers.
    unknown_seconds : float
        How long the outcome of an order may stay unknown; then the run halts.
    max_skew_seconds : float
        Largest difference between this machine's clock and the venue's.
    cash_tolerance : float
        Largest difference between the cash of the books and of the venue, as a fraction.
    snapshot_rows : int
        Rows between two snapshots of an engine.

    Examples
    --------
    >>> LiveSettings(grace_seconds=5).grace_seconds
    5.0
    """

    symbols: dict[str, str] = {}  # noqa: RUF012
    capital: Money | dict[str, Money] | None = None
    observe: dict[str, Age] = {}  # noqa: RUF012
    grace_seconds: Seconds = 10.0
    current_seconds: Seconds = 30.0
    settle_seconds: Seconds = 30.0
    absence_checks: Annotated[int, Meta(ge=1, le=100)] = 3
    absence_seconds: Seconds = 10.0
    unknown_seconds: Seconds = 30.0
    max_skew_seconds: Annotated[float, Meta(gt=0, le=60)] = 1.0
    cash_tolerance: Annotated[float, Meta(ge=0, le=1)] = 1e-6
    snapshot_rows: Annotated[int, Meta(ge=1, le=1_000_000)] = 1_000

    def is_current(self, close: int, now: int) -> bool:
        """Return True while the orders of a bar with this close (ns) may be sent."""
        return now <= close + int(self.current_seconds * 1e9)

    def capital_of(self, name: str, cash: float) -> float:
        """Return what an artifact trades; `cash`: that of its own settings."""
        if isinstance(self.capital, dict):
            return self.capital.get(name, cash)
        return cash if self.capital is None else self.capital


def load_settings(file: Path | None, environment: Mapping[str, str]) -> LiveSettings:
    """Return the settings of a file, with those of the environment in their place.

    Raises
    ------
    InputError
        A file that cannot be read.
    UnknownNameError
        A variable ``ALPHALAB_LIVE_...`` that names no setting.
    ParameterError
        A value of another type or outside its range.

    Examples
    --------
    >>> load_settings(None, {"ALPHALAB_LIVE_GRACE_SECONDS": "3"}).grace_seconds
    3.0
    """
    settings = LiveSettings() if file is None else _from_file(file)
    fields = {field.name: field for field in msgspec.structs.fields(LiveSettings)}
    changed: dict[str, Any] = {}
    for variable, text in environment.items():
        name = variable.removeprefix(PREFIX).lower()
        if not variable.startswith(PREFIX) or variable in (API_KEY, API_SECRET):
            continue
        if name not in fields:
            raise UnknownNameError("live setting", name, fields)
        if name in _TABLES:
            raise ParameterError(
                variable, rule=f"{name} is a table.", fix="Put it into a file: --settings FILE."
            )
        try:
            changed[name] = msgspec.convert(text, fields[name].type, strict=False)
        except msgspec.ValidationError as error:
            rule = broken_rule(error, fields[name].type)
            raise ParameterError(f"{variable}={text!r}", rule=rule) from None
    return msgspec.structs.replace(settings, **changed)


def _from_file(file: Path) -> LiveSettings:
    try:
        return msgspec.toml.decode(file.read_bytes(), type=LiveSettings)
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}", fix="Check the path.") from None
    except (msgspec.MsgspecError, ValueError) as error:
        what = error.what if isinstance(error, ParameterError) else str(error)
        raise InputError(
            f"{file}: {what}", rule="it has the settings that docs/live.md lists."
        ) from None


API_KEY, API_SECRET = f"{PREFIX}API_KEY", f"{PREFIX}API_SECRET"


class ApiKeys(NamedTuple):
    """A key of a venue and its secret."""

    key: str
    secret: str
    source: str

    def __repr__(self) -> str:
        return f"ApiKeys(from {self.source})"


class _KeyFile(Settings, frozen=True):
    api_key: str
    secret: str


def api_keys(account: str, file: Path | None, environment: Mapping[str, str]) -> ApiKeys:
    """Return the keys of an account: of a file, else of the environment, else of the keyring.

    Parameters
    ----------
    account : str
        Name of the account in the system's keyring, where the service is ``alphalab`` and the
        password reads ``KEY:SECRET``.
    file : Path or None
        TOML with ``api_key`` and ``secret``, mode 0600.

    Raises
    ------
    ArtifactError
        A file that others can read.
    InputError
        No keys, or a file that holds none.
    """
    if file is not None:
        return _of_file(file)
    if API_KEY in environment and API_SECRET in environment:
        return ApiKeys(environment[API_KEY], environment[API_SECRET], "the environment")
    kept = _of_keyring(account)
    if kept is None:
        raise InputError(
            f"no API keys for the account {account!r}",
            rule="a venue is traded with a key of its own.",
            fix=f"Put them into a file of mode 0600 (--api-keys FILE) with api_key and secret, or "
            f"into the keyring: keyring set {_SERVICE} {account}, as KEY:SECRET.",
        )
    return kept


def _of_file(file: Path) -> ApiKeys:
    try:
        if os.name == "posix" and stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise ArtifactError(
                f"{file} can be read by others",
                rule="a file of API keys has mode 0600.",
                fix=f"chmod 600 {file}; and if others may have read it, make new keys.",
            )
        found = msgspec.toml.decode(file.read_bytes(), type=_KeyFile)
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}", fix="Check the path.") from None
    except (msgspec.MsgspecError, ValueError):  # the text of the error may show the secret
        raise InputError(
            f"{file} holds no keys", rule='it has the lines api_key = "..." and secret = "...".'
        ) from None
    return ApiKeys(found.api_key, found.secret, str(file))


def _of_keyring(account: str) -> ApiKeys | None:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ModuleNotFoundError:
        return None
    try:
        kept = keyring.get_password(_SERVICE, account)
    except KeyringError:  # no keyring on this machine
        return None
    key, colon, secret = (kept or "").partition(":")
    return ApiKeys(key, secret, "the keyring") if colon else None
