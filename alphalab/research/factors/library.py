"""Libraries of factors: named texts of the alpha language in TOML files, with their sources."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any, Literal

import msgspec

from alphalab.errors import ExprError, InputError, ParameterError, UnknownNameError, led_by
from alphalab.expr.nodes import Expr
from alphalab.expr.text import parse

#: The libraries that come with alphalab; each is a file of this folder.
BUILT_IN = ("alpha101", "alpha158", "alpha360", "classics")

#: Words may consist of words, to this depth.
_DEEPEST = 8


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table ``[[factor]]`` of a file."""

    name: str
    text: str
    source: str = ""
    note: str = ""
    numbers: dict[str, int | float] = {}


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of a library."""

    factor: list[_Entry]
    title: str = ""
    source: str = ""
    words: dict[str, str] = {}
    each: dict[Literal["n"], list[int]] = {}


class Factor(msgspec.Struct, frozen=True, kw_only=True):
    """A factor of a library.

    Parameters
    ----------
    name, library : str
        Its name, and that of its library.
    formula : str
        Text of the alpha language in which ``$word`` stands for a number or a word of the library.
    numbers : mapping of str to int or float
        Its numbers and their defaults, in order.
    words : mapping of str to str
        The words of the library, each with the text it stands for.
    source, note : str
        Where it was published, and what differs from there.
    """

    name: str
    library: str
    formula: str
    numbers: Mapping[str, int | float]
    words: Mapping[str, str]
    source: str
    note: str

    @property
    def full_name(self) -> str:
        """Library and name, such as ``alpha101.alpha42``."""
        return f"{self.library}.{self.name}"

    @property
    def expr(self) -> Expr:
        """The factor with its defaults."""
        return self()

    @property
    def used_words(self) -> tuple[str, ...]:
        """The words of the library that the formula uses, also inside other words."""
        return tuple(word for word in self.words if word in self._reached())

    def __call__(self, *numbers: float, **given: Any) -> Expr:
        """Return the expression with other numbers or words.

        Parameters
        ----------
        *numbers : int or float
            In the order of `numbers`.
        **given : int, float, Expr or str
            Numbers by name; for a word the expression that takes its place.

        Raises
        ------
        ParameterError, UnknownNameError
            Too many numbers, a number given twice, a name that the factor does not have.
        ExprError
            A text that is not an expression.
        """
        defaults = {**self.words, **self._bound(numbers)}
        places = {name: _text(value) for name, value in defaults.items()}
        for name, value in given.items():
            if name not in {*self.numbers, *self.used_words}:
                raise UnknownNameError(
                    f"number or word of {self.full_name}",
                    name,
                    {*self.numbers, *self.used_words},
                )
            places[name] = _text(value)
        return parse(_expanded(self.formula, places, self.full_name))

    def _bound(self, numbers: tuple[float, ...]) -> dict[str, float]:
        if len(numbers) > len(self.numbers):
            raise ParameterError(
                f"{self.full_name}: {len(numbers)} numbers",
                rule=f"it has {len(self.numbers)}: {', '.join(self.numbers) or 'none'}.",
            )
        return {**self.numbers, **dict(zip(self.numbers, numbers, strict=False))}

    def _reached(self) -> set[str]:
        found: set[str] = set()
        texts = [self.formula]
        while texts:
            new = set(_placeholders(texts.pop())) & self.words.keys() - found
            found |= new
            texts += [self.words[word] for word in new]
        return found


class Library(Mapping[str, Factor]):
    """Factors by name, in the order of their file.

    Parameters
    ----------
    name, title, source : str
    factors : mapping of str to Factor
    """

    def __init__(self, name: str, title: str, source: str, factors: Mapping[str, Factor]) -> None:
        self.name = name
        self.title = title
        self.source = source
        self._factors = dict(factors)

    def __getitem__(self, name: str) -> Factor:
        """Return a factor; the error for an unknown name suggests near ones."""
        if name not in self._factors:
            raise UnknownNameError(f"factor of {self.name}", name, self._factors)
        return self._factors[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names."""
        return iter(self._factors)

    def __contains__(self, name: object) -> bool:
        """Return True if a factor has this name."""
        return name in self._factors

    def __len__(self) -> int:
        """Return the number of factors."""
        return len(self._factors)

    def __repr__(self) -> str:
        """Return name, size and title."""
        return f"<Library {self.name}: {len(self)} factors, {self.title}>"

    def exprs(self, **words: Any) -> dict[str, Expr]:
        """Return all factors with their defaults; `words` replace words of the library.

        Raises
        ------
        UnknownNameError
            A word that no factor of the library uses.
        """
        used = {word for factor in self.values() for word in factor.used_words}
        for word in words:
            if word not in used:
                raise UnknownNameError(f"word of {self.name}", word, used)
        return {
            name: factor(**{w: x for w, x in words.items() if w in factor.used_words})
            for name, factor in self.items()
        }


def read_library(path: str | os.PathLike[str]) -> Library:
    """Read a library of your own from a TOML file.

    Parameters
    ----------
    path : path-like
        A TOML file: ``title`` and ``source``; ``[words]`` with texts that ``$word`` stands for; and
        a table ``[[factor]]`` for each factor with ``name``, ``text`` and optionally ``numbers``,
        ``source`` and ``note``. ``each = {n = [5, 10]}`` makes a factor of each n of a factor whose
        name has ``$n``.

    Returns
    -------
    Library
        Named after the file. Every text has been parsed.

    Raises
    ------
    InputError
        A file that cannot be read, is not TOML, or has fields that a library does not have.
    ExprError, UnknownNameError
        A text that is not an expression; the message begins with the file and the line.
    """
    path = Path(path)
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not a text file", rule="a library is a TOML file.") from None
    library = _decoded(path.stem, text, str(path))
    for factor in library.values():
        with led_by(f"{path}, line {_line_of(text, factor)}: "):
            _ = factor.expr
    return library


@cache
def library(name: str) -> Library:
    """Return a library that comes with alphalab.

    Examples
    --------
    >>> library("alpha101")
    <Library alpha101: 101 factors, 101 Formulaic Alphas>
    >>> str(library("classics")["momentum"](126, 21))
    'delay(close, 21) / delay(close, 126) - 1.0'
    """
    if name not in BUILT_IN:
        raise UnknownNameError("library", name, BUILT_IN)
    file = resources.files(__package__).joinpath(f"{name}.toml")
    return _decoded(name, file.read_text("utf-8"), f"{name}.toml")


def find_factor(name: str) -> Factor:
    """Return a factor by ``library.name``, or by its name alone where one library has it.

    Examples
    --------
    >>> find_factor("alpha42").full_name
    'alpha101.alpha42'
    """
    home, dot, own = name.partition(".")
    if dot:
        return library(home)[own]
    homes = [x for x in BUILT_IN if name in library(x)]
    if len(homes) > 1:
        raise InputError(
            f"factor {name!r} of several libraries",
            rule="a name that several libraries have is written with its library.",
            fix=f"Write {' or '.join(f'{home}.{name}' for home in homes)}.",
        )
    if not homes:
        raise UnknownNameError("factor", name, {known for x in BUILT_IN for known in library(x)})
    return library(homes[0])[name]


def _decoded(name: str, text: str, where: str) -> Library:
    try:
        file = msgspec.toml.decode(text, type=_File)
    except msgspec.ValidationError as error:
        raise InputError(
            f"{where}: {error}",
            rule="a library has title, source, words, each and factor; a factor has name, text, "
            "numbers, source and note.",
        ) from None
    except msgspec.DecodeError as error:
        raise InputError(f"{where} is not TOML: {error}") from None
    factors: dict[str, Factor] = {}
    for entry in file.factor:
        for made in _expanded_names(entry, file.each.get("n", [])):
            if made.name in factors:
                raise InputError(f"{where}: factor {made.name!r} twice", rule="names are unique.")
            factors[made.name] = Factor(
                name=made.name,
                library=name,
                formula=made.text,
                numbers=made.numbers,
                words=file.words,
                source=made.source or file.source,
                note=made.note,
            )
    return Library(name, file.title, file.source, factors)


def _expanded_names(entry: _Entry, each: list[int]) -> Iterator[_Entry]:
    """Yield the factor, or one with every n where its name has ``$n``."""
    if "$n" not in entry.name:
        yield entry
        return
    for n in each:
        name = Template(entry.name).substitute(n=n)
        yield msgspec.structs.replace(entry, name=name, numbers={"n": n, **entry.numbers})


def _expanded(formula: str, places: Mapping[str, str], owner: str) -> str:
    """Replace words by their texts in brackets, and words inside them, until none is left."""
    for _ in range(_DEEPEST):
        if "$" not in formula:
            return formula
        unknown = sorted(set(_placeholders(formula)) - places.keys())
        if unknown:
            raise UnknownNameError(f"word in {owner}", unknown[0], places)
        try:
            formula = Template(formula).substitute(places)
        except ValueError:
            raise ExprError(f"{owner}: {formula}", rule="$ begins the name of a word.") from None
    raise ExprError(f"{owner}: {formula:.80}", rule=f"words are nested {_DEEPEST} deep at most.")


def _placeholders(text: str) -> list[str]:
    return [name for name in Template(text).get_identifiers() if name]


def _text(value: Any) -> str:
    """Return what takes the place of a word: a number as it is, an expression in brackets."""
    return repr(value) if isinstance(value, int | float) else f"({value})"


def _line_of(text: str, factor: Factor) -> int:
    """Return the line of a factor's text in its file, counted from 1; its name may hold ``$n``."""
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if re.match(r"\s*text\s*=", line) and factor.formula in line:
            return number
    return 1
