"""`Column`: a strategy with the settings that it runs with, one account of a sweep."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from alphalab.config import RunSettings
from alphalab.core.accounts import Market
from alphalab.core.checks import check_weights
from alphalab.core.decide import decide_identity
from alphalab.core.distances import distances_of
from alphalab.core.strategy import Strategy
from alphalab.errors import ParameterError
from alphalab.expr.identity import identity
from alphalab.expr.nodes import Expr
from alphalab.expr.registry import operator
from alphalab.kernels._jit import CACHE_DIR
from alphalab.kernels.market.digest import N_WORDS
from alphalab.types import TALLY, Instrument


def column_type(n_segments: int) -> np.dtype[np.void]:
    """Return the record type of a column's tally.

    It holds the fields of `alphalab.types.TALLY`, ``words`` (its digest before it is hashed) and
    ``segments``, (2, S): the sums of its returns and of their squares in each of S segments.
    """
    words, segments = ("words", "<u8", (N_WORDS,)), ("segments", "<f8", (2, n_segments))
    return np.dtype([*TALLY.descr, words, segments])


#: The tally of a column without segments.
COLUMN = column_type(0)


class Column(NamedTuple):
    """One account of a sweep: a strategy, the settings of its run, and its expressions."""

    strategy: Strategy
    settings: RunSettings
    expressions: Mapping[str, Expr]

    @classmethod
    def of(
        cls, strategy: Strategy, settings: RunSettings, instruments: Sequence[Instrument]
    ) -> Column:
        """Return the column of a strategy and its settings.

        Raises
        ------
        AlphalabError
            A strategy or an expression that breaks a rule; constant weights above the gross limit.
        """
        expressions = strategy.expressions()
        if type(strategy).decide is None:
            check_weights(type(strategy).__name__, expressions, settings.gross, instruments)
        return cls(strategy, settings, expressions)

    @property
    def outputs(self) -> Mapping[str, Expr]:
        """The expressions, then the distances of the exits, which are expressions as well."""
        distances = distances_of(self.settings)
        return {**self.expressions, **{f"exits.{name}": x for name, x in distances.items()}}

    @property
    def key(self) -> bytes:
        """Hash of everything that decides its results except rows and assets, 16 bytes."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(CACHE_DIR.name.encode())  # the hash of the kernels
        for name, expr in self.expressions.items():
            digest.update(name.encode() + b"\0" + expr.key)
            for node in expr.walk():
                update = operator(node.op).update
                if callable(update):  # the key of a python_op holds the identity of its function
                    digest.update(identity(update).encode())
        digest.update(decide_identity(self.strategy).encode())
        digest.update(self.settings.canonical_json().encode())
        return digest.digest()


def columns_read(columns: Sequence[Column], instruments: Sequence[Instrument]) -> tuple[str, ...]:
    """Return the names of the bar columns that the columns of a sweep read."""
    pairs = [(x.strategy, x.settings) for x in columns]
    nodes = (n for x in columns for expr in x.outputs.values() for n in expr.walk())
    read = (node.params[0] for node in nodes if node.op == "column")
    return tuple(dict.fromkeys((*Market(pairs, instruments, 1).columns, *read)))


def common_settings(columns: Sequence[Column]) -> RunSettings:
    """Return settings whose rules about rows hold for all columns.

    All columns see one market: it has one currency, and splits either happen or do not.

    Raises
    ------
    ParameterError
        No column, or columns that differ in currency, conversions or actions.
    """
    if not columns:
        raise ParameterError("no columns to run", rule="there is at least one column.")
    different = {id(x.settings): x.settings for x in columns}.values()
    first = next(iter(different))
    for settings in different:
        for name in ("currency", "conversions", "actions"):
            if getattr(settings, name) != getattr(first, name):
                raise ParameterError(
                    f"columns with {name}={getattr(first, name)!r} and "
                    f"{name}={getattr(settings, name)!r}",
                    rule=f"{name} is the same in all columns of a sweep.",
                    fix="Run one sweep for each.",
                )
    return first
