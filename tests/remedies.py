"""What the texts of errors tell a user to do, found in the source of every package."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import alphalab_envs
import alphalab_live.exchange
import click
import pandas as pd
import typer

import alphalab as al
from alphalab.expr.nodes import Expr

ROOT = Path(__file__).parents[1]
#: Words after "alphalab" in sentences about the package.
PROSE = ("knows", "made", "reads", "that", "writes", "wrote")
PACKAGES = ("alphalab", "environments/alphalab_envs", "live/alphalab_live")


class Said(NamedTuple):
    """One text of an error, with a hole `{}` where a value is put in."""

    place: str
    text: str


def advice() -> Iterator[Said]:
    """Yield the rule and the remedy of every error that is made anywhere."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield from advice_in(path.read_text("utf-8"), str(path.relative_to(ROOT)))


def advice_in(source: str, place: str) -> Iterator[Said]:
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        for keyword in node.keywords:
            if keyword.arg in ("fix", "rule"):
                for text in texts_of(keyword.value):
                    yield Said(f"{place}:{node.lineno}", text)


def texts_of(node: ast.expr) -> Iterator[str]:
    """Yield the texts that an expression of literals may be."""
    match node:
        case ast.Constant(value=str() as text):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(p.value if isinstance(p, ast.Constant) else "{}" for p in parts)
        case ast.IfExp(body=body, orelse=other):
            yield from texts_of(body)
            yield from texts_of(other)
        case ast.BoolOp(values=values):
            for value in values:
                yield from texts_of(value)
        case ast.BinOp(left=left, right=right):
            yield from texts_of(left)
            yield from texts_of(right)
        case ast.Call(args=args):
            for arg in args:
                yield from texts_of(arg)


@cache
def commands() -> dict[str, click.Command]:
    """Return every command by its words, such as ``data ingest``."""
    from alphalab.cli.main import app

    found: dict[str, click.Command] = {}

    def walk(command: click.Command, words: tuple[str, ...]) -> None:
        found[" ".join(words)] = command
        for name, part in getattr(command, "commands", {}).items():
            walk(part, (*words, name))

    walk(typer.main.get_command(app), ())
    return found


@cache
def options() -> frozenset[str]:
    """Return every option of every command."""
    parameters = [p for command in commands().values() for p in command.params]
    return frozenset({"--help", *(o for p in parameters for o in (*p.opts, *p.secondary_opts))})


@cache
def keywords() -> frozenset[str]:
    """Return the names of parameters and fields that a user can give."""
    found = {"wait_for_workers_timeout"}  # of joblib's backend for Dask
    homes = [al, al.data, al.errors, al.ops, al.orders, pd.DataFrame, pd]
    homes += [alphalab_envs, alphalab_live.exchange]
    things: list[Any] = [getattr(home, name) for home in homes for name in dir(home)]
    things += [getattr(kind, name) for kind in (al.Bars, al.Store, al.Result) for name in dir(kind)]
    for thing in things:
        found |= set(getattr(thing, "__struct_fields__", ()))
        try:
            found |= set(inspect.signature(thing).parameters)
        except (TypeError, ValueError):
            continue
    from alphalab_envs.setup import SetupOptions

    from alphalab.research.run.options import BacktestOptions

    typed = (BacktestOptions, SetupOptions)
    return frozenset(found.union(*(kind.__annotations__ for kind in typed)))


def resolves(root: Any, dotted: str) -> bool:
    for name in dotted.split("."):
        if not hasattr(root, name):
            return False
        root = getattr(root, name)
    return True


def _importable(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def _command(words: str) -> bool:
    parts = words.split()
    return parts[0] in PROSE or " ".join(parts[:2]) in commands() or parts[0] in commands()


#: What a text can name, and whether it exists.
CHECKS: dict[str, tuple[str, Callable[[str], bool]]] = {
    "a name of al": (r"\bal\.([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)", lambda m: resolves(al, m)),
    "an option": (r"(?<![\w-])(--[a-z][a-z-]+)", lambda m: m in options()),
    "a short option": (r"(?<![\w-])(-[a-z])\b", lambda m: m in options()),
    "a command": (r"\balphalab ((?:[a-z]+)(?: [a-z]+)?)", _command),
    "a method of bars": (r"\b[bB]ars\.([a-z_]\w*)", lambda m: resolves(al.Bars, m)),
    "a method of a frame": (r"\bframe\.([a-z_]\w*)", lambda m: resolves(pd.DataFrame, m)),
    "an operator": (r"\bx\.([a-z_]\w*)\(", lambda m: hasattr(Expr, m) or hasattr(al.close, m)),
    "a keyword": (r"(?<![\w.-])([a-z][a-z_]*)=(?!=)", lambda m: m in keywords()),
    "an extra": (r"alphalab\[(\w+)\]", lambda m: f"\n{m} = [" in _project()),
    "a page": (r"\b(docs/[\w/]+\.md)", lambda m: (ROOT / m).exists()),
}


@cache
def _project() -> str:
    return (ROOT / "pyproject.toml").read_text("utf-8")


def unknown_in(text: str) -> list[str]:
    """Return what a text names that does not exist."""
    return [
        f"{kind} {found!r}"
        for kind, (pattern, exists) in CHECKS.items()
        for found in re.findall(pattern, text)
        if not exists(found)
    ]
