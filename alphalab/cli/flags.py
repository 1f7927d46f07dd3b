"""Flags that several commands share: the fields of a class, each with its text for the help."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar, get_type_hints

from alphalab.errors import ParameterError

Returned = TypeVar("Returned")


def with_flags(kind: type) -> Callable[[Callable[..., Returned]], Callable[..., Returned]]:
    """Return a decorator: a command gets the fields of a class as flags.

    They replace the command's parameter of that class; the command is called with an instance.
    """
    hints = get_type_hints(kind, include_extras=True)  # those of a base in its own module
    flags = {
        name: flag.replace(annotation=hints[name])
        for name, flag in inspect.signature(kind).parameters.items()
    }

    def decorate(command: Callable[..., Returned]) -> Callable[..., Returned]:
        shown: list[inspect.Parameter] = []
        place = ""
        for own in inspect.signature(command, eval_str=True).parameters.values():
            if own.annotation is kind:
                place = own.name
            shown += flags.values() if own.annotation is kind else [own]

        @wraps(command)
        def with_them(**given: Any) -> Returned:
            made = kind(**{name: given.pop(name) for name in flags})
            return command(**{place: made}, **given)

        keywords = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in shown]
        with_them.__signature__ = inspect.Signature(keywords)  # type: ignore[attr-defined]
        return with_them

    return decorate


def named_texts(flag: str, given: Sequence[str], rule: str) -> dict[str, str]:
    """Return the texts of a repeated flag ``name=text`` by name.

    Examples
    --------
    >>> named_texts("--param", ["fast=5", "slow = 20"], "a parameter is written name=value.")
    {'fast': '5', 'slow': '20'}
    """
    texts: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ParameterError(f"{flag} {text!r}", rule=rule)
        if name.strip() in texts:
            raise ParameterError(f"{flag} {text!r}", rule="a name is given once.")
        texts[name.strip()] = value.strip()
    return texts
