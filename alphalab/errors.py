"""Every error alphalab raises on purpose.

    AlphalabError                 exit code   code
    ├── InputError  (ValueError)      2       INPUT       input that breaks a rule
    │   ├── DataError                 2       DATA        bars, files, data sets
    │   ├── ExprError                 2       EXPR        the alpha language
    │   ├── ParameterError            2       PARAMETER   strategy parameters and settings
    │   ├── StrategyError             2       STRATEGY    a strategy that cannot be loaded or run
    │   └── UnknownNameError          2       UNKNOWN     a name that does not exist
    ├── MissingExtraError             2       EXTRA       an optional dependency is not installed
    ├── StateError                    1       STATE       a snapshot that does not fit its engine
    ├── JournalError                  1       JOURNAL     a journal that is damaged, in use or full
    ├── ArtifactError                 1       ARTIFACT    an artifact or key that cannot be trusted
    ├── VenueError                    1       VENUE       an exchange whose answer cannot be read
    ├── HaltError                     1       HALT        a live run that may send no more orders
    └── RefusedError                  3       REFUSED     a gate refused to go on

Every message has what was given, the rule that it breaks, and what to do.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import ClassVar


class AlphalabError(Exception):
    """Base of all deliberate errors.

    Parameters
    ----------
    what : str
        What was given and where: the first line of the message.
    rule : str
        The rule it breaks.
    fix : str
        What the user can do.

    Examples
    --------
    >>> print(ParameterError("fast=0", rule="fast >= 1.", fix="Use fast=1 or more."))
    fast=0
      Rule: fast >= 1. Use fast=1 or more.
    """

    code: ClassVar[str] = "ERROR"
    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, rule: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.rule = rule
        self.fix = fix

    def __str__(self) -> str:
        advice = " ".join(part for part in (self.rule, self.fix) if part)
        label = "Rule: " if self.rule else ""
        return f"{self.what}\n  {label}{advice}" if advice else self.what

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.what, self.rule, self.fix)


def _rebuild(cls: type[AlphalabError], what: str, rule: str, fix: str) -> AlphalabError:
    error = cls.__new__(cls)
    AlphalabError.__init__(error, what, rule=rule, fix=fix)
    return error


class InputError(AlphalabError, ValueError):
    """Input that breaks a rule."""

    code = "INPUT"
    exit_code = 2


class DataError(InputError):
    """Bars, files or data sets that break a rule."""

    code = "DATA"


class ExprError(InputError):
    """An expression that the alpha language does not allow."""

    code = "EXPR"


class ParameterError(InputError):
    """A strategy parameter or a setting outside its range."""

    code = "PARAMETER"


class StrategyError(InputError):
    """A strategy that cannot be loaded, or that fails while it builds its expressions."""

    code = "STRATEGY"


class UnknownNameError(InputError):
    """A name that does not exist; the message suggests near ones.

    Examples
    --------
    >>> print(UnknownNameError("data set", "sp50", ["nasdaq", "sp500"]))
    unknown data set 'sp50': did you mean 'sp500'?
      Rule: known names are nasdaq, sp500.
    """

    code = "UNKNOWN"

    def __init__(self, kind: str, name: str, known: Iterable[str], *, fix: str = "") -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
        hint = f": did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
        shown = ", ".join(near if len(names) > 40 and near else names[:40])
        more = f" ... ({len(names)} in all)" if len(names) > 40 else ""
        super().__init__(
            f"unknown {kind} {name!r}{hint}",
            rule=f"known names are {shown}{more}."
            if names
            else f"there is no {kind} to choose from.",
            fix=fix,
        )


class MissingExtraError(AlphalabError, ImportError):
    """An optional dependency is not installed."""

    code = "EXTRA"
    exit_code = 2


class StateError(AlphalabError):
    """A snapshot that does not fit the engine it is restored into."""

    code = "STATE"


class JournalError(AlphalabError):
    """A journal that is damaged, in use by another process, or cannot be written."""

    code = "JOURNAL"


class ArtifactError(AlphalabError):
    """An artifact, a signature or a key that is missing, changed, expired or not to be trusted."""

    code = "ARTIFACT"


class VenueError(AlphalabError):
    """An exchange that does not answer a read, or whose answer cannot be read."""

    code = "VENUE"


class HaltError(AlphalabError):
    """A live run that has halted: it sends no more orders until an operator lets it go on."""

    code = "HALT"


class RefusedError(AlphalabError):
    """A gate refused to go on."""

    code = "REFUSED"
    exit_code = 3


@contextmanager
def led_by(where: str) -> Iterator[None]:
    """Put `where` in front of the message of every error raised inside the context.

    Examples
    --------
    >>> with led_by("prices.csv: "):
    ...     raise DataError("no rows")
    Traceback (most recent call last):
        ...
    alphalab.errors.DataError: prices.csv: no rows
    """
    try:
        yield
    except AlphalabError as error:
        error.what = f"{where}{error.what}"
        raise


def import_extra(module: str, extra: str) -> ModuleType:
    """Return an optional dependency; the error for a missing one names its extra.

    Examples
    --------
    >>> import_extra("no_such_module", "research")
    Traceback (most recent call last):
        ...
    alphalab.errors.MissingExtraError: this needs the package 'no_such_module'
      Install it with: pip install 'alphalab[research]'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingExtraError(
            f"this needs the package {module!r}",
            fix=f"Install it with: pip install 'alphalab[{extra}]'",
        ) from None
