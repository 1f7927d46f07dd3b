"""What differs between two artifacts: expressions, parameters, settings, data, versions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from alphalab.artifact.open import Artifact
from alphalab.errors import AlphalabError
from alphalab.expr.nodes import Expr, to_text
from alphalab.expr.text import parse

MISSING = "(none)"


class Difference(NamedTuple):
    """One value that two artifacts do not share, as text; `MISSING`: it has none there."""

    part: str
    name: str
    first: str
    second: str


def differences(first: Artifact, second: Artifact) -> list[Difference]:
    """Return what differs, expressions by their smallest differing parts.

    Names, dates and signatures of the artifacts are left out: they differ always.
    """
    found: list[Difference] = []
    for part, one, other in _parts(first, second):
        if part == "expressions":
            found += _of_expressions(one, other)
        else:
            found += _of_values(part, one, other)
    return found


def _parts(first: Artifact, second: Artifact) -> Iterator[tuple[str, Any, Any]]:
    for part, value in _documents(first).items():
        yield part, value, _documents(second)[part]


def _documents(artifact: Artifact) -> dict[str, Any]:
    sources = {f.path: f.sha256 for f in artifact.manifest.files if not f.path.endswith(".json")}
    validation = artifact.validation
    plain: dict[str, Any] = msgspec.to_builtins(
        {
            "strategy": {"name": artifact.strategy.name, "kind": artifact.manifest.kind},
            "expressions": artifact.strategy.expressions,
            "parameters": artifact.strategy.parameters,
            "settings": artifact.settings,
            "instruments": {x.symbol: x for x in artifact.instruments.instruments},
            "instrument changes": [x for x in artifact.instruments.changes],
            "data": artifact.data,
            "digest": {"digest": artifact.manifest.digest},
            "validation": {
                "policy": validation.policy_id,
                "verdict": validation.verdict,
                "trials": validation.n_trials,
                "independent trials": validation.n_effective,
                **{check.name: check.figure for check in validation.checks},
            },
            "files": sources,
            "versions": artifact.versions,
        }
    )
    return plain


def _of_values(part: str, first: Any, second: Any) -> Iterator[Difference]:
    one, other = dict(_leaves("", first)), dict(_leaves("", second))
    for name in dict.fromkeys((*one, *other)):
        a, b = one.get(name, MISSING), other.get(name, MISSING)
        if a != b:
            yield Difference(part, name, a, b)


def _leaves(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield the plain values below a value, as JSON, with the way to each."""
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from _leaves(f"{name}.{key}" if name else str(key), below)
    elif isinstance(value, list) and value:
        for i, below in enumerate(value):
            yield from _leaves(f"{name}[{i}]", below)
    else:
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        yield name, text


def _of_expressions(first: dict[str, str], second: dict[str, str]) -> Iterator[Difference]:
    for name in dict.fromkeys((*first, *second)):
        one, other = first.get(name, MISSING), second.get(name, MISSING)
        if one == other:
            continue
        try:
            pairs = _unequal(parse(one), parse(other))
        except AlphalabError:  # an operator of the user's own: compared as text
            yield Difference("expressions", name, one, other)
            continue
        for a, b in dict.fromkeys((to_text(x), to_text(y)) for x, y in pairs):
            yield Difference("expressions", name, a, b)


def _unequal(first: Expr, second: Expr) -> Iterator[tuple[Expr, Expr]]:
    """Yield the smallest parts that differ between two expressions."""
    if first.same_as(second):
        return
    if (first.op, first.params, len(first.args)) != (second.op, second.params, len(second.args)):
        yield first, second
        return
    for one, other in zip(first.args, second.args, strict=True):
        yield from _unequal(one, other)
