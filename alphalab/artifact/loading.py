"""Strategies from files: by path, by path and class, or by the name of a reference strategy.

A strategy file runs as a module of its own. The name of that module spells the path of the file,
and a finder on `sys.meta_path` reads it back: so a process that never saw the file can import it by
name, which is what unpickling a strategy in a joblib worker does.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import linecache
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import msgspec

from alphalab.errors import (
    AlphalabError,
    ArtifactError,
    ParameterError,
    StrategyError,
    UnknownNameError,
)
from alphalab.settings import broken_rule

if TYPE_CHECKING:
    from alphalab.core.strategy import Strategy

#: How the names of the modules of strategy files start.
PREFIX = "alphalab.artifact.file_"


def reference_strategies() -> dict[str, Path]:
    """Return the files of the reference strategies by name.

    They lie inside an installed package, and in ``strategies/`` of a checkout.

    Examples
    --------
    >>> reference_strategies()["sma_cross"].name
    'sma_cross.py'
    """
    package = Path(__file__).resolve().parents[1]
    folders = (package / "_strategies", package.parent / "strategies")
    folder = next((f for f in folders if f.is_dir()), None)
    files = sorted(folder.glob("[!_]*.py")) if folder else []
    return {file.stem: file for file in files}


def load_strategy(source: str, *, sha256: str | None = None) -> type[Strategy]:
    """Return the strategy class of a file or of a reference strategy.

    Parameters
    ----------
    source : str
        The path of a ``.py`` file, or the bare name of a reference strategy such as ``sma_cross``.
        A file that defines several strategies needs the class as well: ``path.py:ClassName``.
    sha256 : str, optional
        The hash that the file must have, 64 hexadecimal digits: another file is not run.

    Returns
    -------
    type
        A subclass of `Strategy`. Its module can be imported by name in every process that sees the
        same file.

    Raises
    ------
    StrategyError
        A file that is missing, cannot be read, does not compile, fails while it runs (the message
        names its line) or defines no strategy, or several.
    UnknownNameError
        A class or a reference strategy that does not exist.
    ArtifactError
        A file with another hash than `sha256`.

    Examples
    --------
    >>> load_strategy("sma_cross").__name__
    'SmaCross'
    """
    path, class_name = _located(source)
    return _chosen(path, class_name, _strategies_of(_run(path, sha256)))


def load_function(source: str) -> Callable[..., Any]:
    """Return a function of a Python file.

    Parameters
    ----------
    source : str
        ``path.py:name``.

    Raises
    ------
    StrategyError
        A text without a name, or a file that is missing or fails while it runs.
    UnknownNameError
        A function that the file does not define.
    """
    path, name = _located(source)
    if not name:
        raise StrategyError(f"{source!r} names no function", rule="a function reads path.py:name.")
    found: dict[str, Callable[..., Any]] = {
        key: value
        for key, value in vars(_run(path)).items()
        if callable(value) and not isinstance(value, type) and key[0] != "_"
    }
    if name not in found:
        raise UnknownNameError(f"function in {path.name}", name, found)
    return found[name]


def make_strategy(cls: type[Strategy], params: Mapping[str, str]) -> Strategy:
    """Return a strategy with parameters given as text, each converted to the type of its field.

    Numbers, booleans and names are written plainly; lists and the like as JSON.

    Raises
    ------
    UnknownNameError
        A parameter the strategy does not have.
    ParameterError
        A value that does not fit its field, or that the strategy refuses.

    Examples
    --------
    >>> make_strategy(load_strategy("sma_cross"), {"fast": "5"}).fast
    5
    """
    fields = {field.name: field for field in msgspec.structs.fields(cls)}
    values = {}
    for name, text in params.items():
        if name not in fields:
            raise UnknownNameError(f"parameter of {cls.__name__}", name, fields)
        values[name] = converted(cls.__name__, name, text, fields[name].type)
    missing = [name for name, field in fields.items() if field.required and name not in values]
    if missing:
        raise ParameterError(
            f"{cls.__name__} without {', '.join(missing)}",
            rule="a parameter without a default has to be given.",
        )
    with blame(cls):
        return cls(**values)


@contextlib.contextmanager
def blame(cls: type[Strategy]) -> Iterator[None]:
    """Turn an exception raised by a strategy's own code into a `StrategyError` that shows the line.

    Deliberate errors pass as they are, with the line as a note where it led to them; exceptions
    that never touched the strategy's file pass untouched.

    Examples
    --------
    >>> with blame(load_strategy("sma_cross")):
    ...     pass
    """
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    with _blame(Path(file or "")):
        yield


def _located(source: str) -> tuple[Path, str]:
    """Split a source into the file and the class it names (empty: the only one)."""
    text, _, class_name = source.rpartition(":")
    if not (text and class_name.isidentifier()):
        text, class_name = source, ""
    if text.endswith(".py") or "/" in text or "\\" in text:
        path = Path(text).expanduser().resolve()
        if not path.is_file():
            kind = "is a folder" if path.is_dir() else "does not exist"
            raise StrategyError(
                f"strategy file {text!r} {kind}",
                rule="a strategy is a .py file, or the name of a reference strategy.",
                fix=f"Reference strategies: {', '.join(reference_strategies())}.",
            )
        return path, class_name
    known = reference_strategies()
    if text not in known:
        raise UnknownNameError("strategy", text, known, fix="Or give the path of a .py file.")
    return known[text], class_name


def _run(path: Path, sha256: str | None = None) -> ModuleType:
    """Run a file as a module, unless it is loaded already and has not changed since."""
    name = PREFIX + str(path).encode().hex()
    linecache.checkcache(str(path))
    try:
        source = path.read_bytes()
    except OSError as error:
        raise StrategyError(f"strategy file {_shown(path)}: {error.strerror}") from None
    _check_hash(path, source, sha256)
    loaded = sys.modules.get(name)
    if loaded is not None and loaded.__dict__.get("__source__") == source:
        return loaded
    spec = _spec(name, path, sha256)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _blame(path):
            spec.loader.exec_module(module)  # type: ignore[union-attr]
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextlib.contextmanager
def _blame(path: Path) -> Iterator[None]:
    try:
        yield
    except AlphalabError as error:
        place, raised_there = _place(error, path)
        if place and not raised_there:
            error.add_note(place)
        raise
    except SyntaxError as error:
        if error.filename != str(path):
            raise
        raise StrategyError(
            _syntax(error, path), rule="a strategy file is valid Python."
        ) from error
    except (Exception, SystemExit) as error:
        place, _ = _place(error, path)
        if not place:
            raise
        raise StrategyError(f"{place}\n  {type(error).__name__}: {error}") from error


def _strategies_of(module: ModuleType) -> dict[str, type[Strategy]]:
    from alphalab.core.strategy import Strategy

    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, Strategy)
        and value.__module__ == module.__name__
    }


def _chosen(path: Path, class_name: str, found: Mapping[str, type[Strategy]]) -> type[Strategy]:
    if class_name:
        if class_name not in found:
            raise UnknownNameError(f"strategy class in {path.name}", class_name, found)
        return found[class_name]
    if len(found) == 1:
        return next(iter(found.values()))
    raise StrategyError(
        f"{_shown(path)} has {', '.join(found) if found else 'no strategy'}",
        rule="a strategy file defines one subclass of al.Strategy, or the class is named.",
        fix=f"Name it: {_shown(path)}:{next(iter(found))}" if found else "",
    )


def converted(owner: str, name: str, text: str, kind: Any) -> Any:
    """Return a text as a value of a type; a `ParameterError` says whose name was given it.

    Examples
    --------
    >>> converted("SmaCross", "fast", "5", int)
    5
    """
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError as error:
        rule = broken_rule(error, kind)
    except UnicodeError:  # bytes of a command line that are no text
        raise ParameterError(f"{owner}: {name}={text!r}", rule="a value is text.") from None
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError:
        raise ParameterError(f"{owner}: {name}={text!r}", rule=rule) from None


def _place(error: BaseException, path: Path) -> tuple[str, bool]:
    """Return the last line of the file the error came through, and whether it was raised there."""
    place, inside = "", False
    frame = error.__traceback__
    while frame is not None:
        inside = frame.tb_frame.f_code.co_filename == str(path)
        if inside:
            text = linecache.getline(str(path), frame.tb_lineno).strip()
            place = f"{_shown(path)}, line {frame.tb_lineno}: {text}"
        frame = frame.tb_next
    return place, inside


def _shown(path: Path) -> str:
    """Return a path as a person would write it from here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _syntax(error: SyntaxError, path: Path) -> str:
    """Show the line that does not compile, with a caret below the place."""
    line = (error.text or "").rstrip("\n")
    text = line.lstrip()
    caret = " " * max(0, (error.offset or 1) - 1 - (len(line) - len(text))) + "^"
    shown = f"\n    {text}\n    {caret}" if text else ""
    return f"{_shown(path)}, line {error.lineno}: {error.msg}{shown}"


def _check_hash(path: Path, source: bytes, sha256: str | None) -> None:
    found = hashlib.sha256(source).hexdigest()
    if sha256 is not None and found != sha256:
        raise ArtifactError(
            f"{_shown(path)} has SHA-256 {found}",
            rule=f"code runs only if it has the hash that was pinned, {sha256}.",
            fix="Read the file; pin its hash if you trust it.",
        )


def _spec(name: str, path: Path, sha256: str | None = None) -> ModuleSpec:
    loader = _Loader(name, str(path))
    loader.sha256 = sha256
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    if spec is None:
        raise ImportError(f"no module can be made of {path}", name=name)
    return spec


class _Loader(SourceFileLoader):
    """Runs a strategy file from its source; leaves no __pycache__ beside it."""

    sha256: str | None = None

    def get_code(self, fullname: str) -> Any:
        data = self.get_data(self.path)
        _check_hash(Path(self.path), data, self.sha256)  # of the very bytes that are run
        if b"\0" in data:  # Python's own error does not name the file
            raise SyntaxError("not a text file", (self.path, 1, None, None))
        return self.source_to_code(data, self.path)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__source__"] = self.get_data(self.path)
        super().exec_module(module)


class _Finder:
    """Finds the modules of strategy files by their names."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not name.startswith(PREFIX):
            return None
        return _spec(name, Path(bytes.fromhex(name.removeprefix(PREFIX)).decode()))


if _Finder not in sys.meta_path:
    sys.meta_path.append(_Finder)
