"""Hostile input is accepted or refused with a message: no traceback, no crash, no file outside
the given folder.

`make test` tries a few hundred inputs of each kind, `make test-slow` 100,000 and more.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Literal

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_rows import bar_rows
from test_snapshot import ASSETS, CUT, N_ROWS, SETTINGS, WHOLE, Sender, push

import alphalab as al
from alphalab.artifact.loading import make_strategy
from alphalab.cli.flags import named_texts
from alphalab.cli.grids import grid_values
from alphalab.cli.settings import read_run_file, run_keywords
from alphalab.core.columns import COLUMN
from alphalab.core.engine import Engine
from alphalab.core.snapshot import Snapshot, decode, encode
from alphalab.core.strategy import Strategy
from alphalab.data.store.address import Address
from alphalab.data.store.store import Store
from alphalab.data.store.view import View
from alphalab.errors import AlphalabError, DataError, ExprError, StateError
from alphalab.research.run.options import run_settings
from alphalab.research.sweep.results_file import ResultsFile

#: Inputs of each kind that the slow run tries; SQL and stores take milliseconds each.
MANY = {
    "snapshot bytes": 20_000,
    "snapshot numbers": 15_000,
    "results file": 10_000,
    "address": 20_000,
    "sql": 1_000,
    "store names": 500,
    "toml": 15_000,
    "param": 20_000,
    "expression": 20_000,
}
assert sum(MANY.values()) > 100_000

Attack = Callable[[st.DataObject], None]
ATTACKS: dict[str, Attack] = {}


def attack(name: str) -> Callable[[Attack], Attack]:
    def add(function: Attack) -> Attack:
        ATTACKS[name] = function
        return function

    return add


@pytest.mark.parametrize("name", MANY)
def test_a_few_hundred_of_each(name: str) -> None:
    tried(name, min(MANY[name] // 20, 300))


@pytest.mark.slow
@pytest.mark.parametrize("name", MANY)
def test_many_of_each(name: str) -> None:
    tried(name, MANY[name])


def tried(name: str, count: int) -> None:
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def run(data: st.DataObject) -> None:
        ATTACKS[name](data)

    run()


@pytest.mark.parametrize(
    "call",
    [
        lambda: Address.parse(f"store:v/1d@bars={'9' * 5000}"),
        lambda: grid_values({"n": "1:1e300"}, WithParameters, 100),
        lambda: grid_values({"x": "0:1e5000:1e-5000"}, WithParameters, 100),
        lambda: make_strategy(WithParameters, {"several": "\udc80"}),
        lambda: store().sql("select '\udc80'"),
        lambda: read_run_file(nested(folder() / "deep.toml")),
    ],
    ids=["version", "range", "step", "parameter", "query", "settings"],
)
def test_what_an_attack_has_found_is_refused(call: Callable[[], object]) -> None:
    with pytest.raises(AlphalabError):
        call()


def nested(path: Path) -> Path:
    path.write_text("a = " + "[" * 5000)
    return path


def test_what_is_not_refused_in_words_is_found() -> None:
    @attack("fails")
    def fails(data: st.DataObject) -> None:
        raise UnicodeError

    with pytest.raises(UnicodeError):
        tried("fails", 1)
    del ATTACKS["fails"]


# --- what inputs are made of ---------------------------------------------------------------------

ODD_NUMBERS = [0, 1, -1, 2**31, 2**53, 2**62, 2**63 - 1, -(2**63), 5e-324, 1e308, np.inf, np.nan]
ODD_TEXTS = ["", " ", "..", "/", "../../x", "%2e%2e", "%00", "\0", "\udc80", "'", '"', "`", "\\"]
ODD_TEXTS += ["$HOME", "~", "-", "--help", "é", "日本", "\u202e", "\u2028", "x" * 300, "1e999"]
ODD_TEXTS += ["9" * 5000, "[" * 500, "(" * 500, "{", "}", "0x1", "1_000", "nan", "inf", "-inf"]
odd = st.sampled_from(ODD_TEXTS) | st.text(max_size=12)


def text_of(words: list[str], most: int = 12) -> st.SearchStrategy[str]:
    """Return texts of the words of a language, and of what is none."""
    word = st.sampled_from(words)
    return st.lists(word | word | word | odd, max_size=most).map("".join)


def mutated(data: st.DataObject, whole: bytes) -> bytes:
    """Return bytes of which some are others, missing or new."""
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, max(len(content) - 1, 0)))
        match data.draw(st.integers(0, 3)):
            case 0:
                content[place : place + 1] = bytes([data.draw(st.integers(0, 255))])
            case 1:
                del content[place : place + data.draw(st.integers(1, 9))]
            case 2:
                content[place:place] = data.draw(st.binary(max_size=9))
            case _:
                del content[place:]
    return bytes(content)


@cache
def folder() -> Path:
    return Path(mkdtemp())


# --- the attacks ---------------------------------------------------------------------------------


@cache
def target() -> Engine:
    return Engine(Sender(), ASSETS, SETTINGS)


@attack("snapshot bytes")
def snapshot_bytes(data: st.DataObject) -> None:
    changed = mutated(data, WHOLE)
    try:
        target().restore(changed)
    except StateError:
        return
    assert changed == WHOLE


@attack("snapshot numbers")
def snapshot_numbers(data: st.DataObject) -> None:
    """Numbers anywhere in the state are others, and the hash fits."""
    snapshot = decode(WHOLE)
    names = ("account", "positions", "orders", "traded", "memory", "plan")
    for _ in range(data.draw(st.integers(1, 3))):
        snapshot = with_a_number(data, snapshot, data.draw(st.sampled_from(names)))
    engine = target()
    try:
        engine.restore(encode(snapshot))
        push(engine, CUT, N_ROWS)
    except (StateError, DataError, ExprError):  # the last two: where a number leads in a run
        pass


def with_a_number(data: st.DataObject, snapshot: Snapshot, part: str) -> Snapshot:
    place = data.draw(st.integers(1, len(snapshot.plan) - 1)) if part == "plan" else 0
    whole = snapshot.plan[place] if part == "plan" else getattr(snapshot, part)
    if not whole:
        return snapshot
    words = np.frombuffer(whole, np.int64).copy()
    number = data.draw(st.sampled_from(ODD_NUMBERS) | st.integers(-(2**63), 2**63 - 1))
    kind = np.float64 if isinstance(number, float) else np.int64
    words[data.draw(st.integers(0, words.size - 1))] = np.array([number], kind).view(np.int64)[0]
    changed: Any = words.tobytes()
    if part == "plan":
        changed = [*snapshot.plan[:place], changed, *snapshot.plan[place + 1 :]]
    return msgspec.structs.replace(snapshot, **{part: changed})


@cache
def results_file() -> bytes:
    path = folder() / "whole.db"
    keys = [bytes([i]) * 16 for i in range(20)]
    with ResultsFile(path, {"bars": "4f2a"}) as file:
        file.save(keys, [{"n": i} for i in range(20)], np.zeros(20, COLUMN), {"x": np.ones(20)})
    return path.read_bytes()


@attack("results file")
def a_results_file(data: st.DataObject) -> None:
    path = folder() / "damaged.db"
    path.write_bytes(mutated(data, results_file()))
    try:
        with ResultsFile(path, {"bars": "4f2a"}) as file:
            file.finished([bytes([3]) * 16])
            file.save([b"new"], [{"n": 1}], np.zeros(1, COLUMN), {"x": np.ones(1)})
    except AlphalabError:
        pass


ADDRESS = ["store:", "binance", "/", "1d", "A/B", "@", "17", "bars=", "funding=4", ",", "?", "&"]
ADDRESS += [
    "start=",
    "2024-01-01",
    "end=",
    "as_of=",
    "symbols=",
    "universe=",
    "%20",
    "observations=",
]


@attack("address")
def an_address(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(["", "store:", "store:v/1d"])) + data.draw(text_of(ADDRESS))
    for read in (Address.parse, View.parse):
        with contextlib.suppress(AlphalabError):
            read(text)
    if data.draw(st.integers(0, 9)) == 0 and text.startswith("store:"):
        with contextlib.suppress(AlphalabError):
            al.load(text, store=store().url)


@cache
def store() -> Store:
    made = Store(folder() / "store")
    made.write("bars", bar_rows("A", 0, 5))
    return made


SQL = ["select ", "* ", "from ", "bars ", "where ", "symbol ", "= ", "'A' ", "close ", "count(*) "]
SQL += ["group by ", "order by ", "limit 3 ", "; ", "drop ", "view ", "copy ", "to ", "'/etc/x' "]
SQL += ["attach ", "install ", "load ", "httpfs ", "read_csv('/etc/passwd') ", "glob('/*') ", "1 "]
SQL += [
    "pragma ",
    "set ",
    "memory_limit='1GB' ",
    "with x as (",
    ") ",
    "( ",
    ", ",
    "cast(",
    "as int ",
]
SQL += ["time ", "interval ", "union ", "join ", "using (symbol) ", "struct_pack(a := 1) ", "[1] "]
SQL += ["describe ", "show ", "summarize ", "call ", "export ", "-- ", "/* ", "$$ ", "?", "null "]


@attack("sql")
def a_query(data: st.DataObject) -> None:
    start = data.draw(st.sampled_from(["", "select ", "select * from bars ", "from bars "]))
    with contextlib.suppress(AlphalabError):
        store().sql(start + data.draw(text_of(SQL, 8)), limit=10)


@attack("store names")
def names_in_a_store(data: st.DataObject) -> None:
    """Venues and symbols name folders: below that of the store, and nowhere else."""
    place = Path(mkdtemp(dir=folder()))
    symbol, venue = data.draw(odd), data.draw(odd)
    rows = (
        bar_rows(symbol, 0, 2, venue=venue)
        if symbol.isprintable() and venue.isprintable()
        else None
    )
    before = {path for path in folder().iterdir()}
    try:
        if rows is not None:
            made = Store(place / "store")
            made.write("bars", rows)
            back = made.read("bars", where={"symbol": symbol})
            assert back["symbol"].to_pylist() == [symbol] * 2
            assert back["venue"].to_pylist() == [venue] * 2
    except AlphalabError:
        pass
    assert {path for path in folder().iterdir()} == before
    assert {path.name for path in place.iterdir()} <= {"store"}


TOML = ["[costs]\n", "[limits]\n", "[margin]\n", "[execution]\n", "[quality]\n", "[instrument]\n"]
TOML += [
    "[instruments.A]\n",
    "[[costs.tiers]]\n",
    "[conversions]\n",
    "fee_bps",
    "gross",
    "cash",
    "=",
]
TOML += [
    "delay",
    "tick",
    "initial",
    "maintenance",
    "fill",
    "value",
    "1",
    "-1",
    "1e308",
    "nan",
    "inf",
]
TOML += [
    "9223372036854775807",
    "99999999999999999999",
    "true",
    "'next_open'",
    '"x"',
    "[1, 2]",
    "\n",
]
TOML += ["{ a = 1 }", "2024-01-01", "07:00", "# ", "\r", ".", "on_errors", "gaps", "'ignore'"]


@attack("toml")
def a_settings_file(data: st.DataObject) -> None:
    path = folder() / "run.toml"
    text = data.draw(text_of(TOML, 14))
    path.write_bytes(text.encode("utf-8", "surrogateescape" if "\udc80" in text else "replace"))
    bars = al.load("synthetic:rows=20,symbols=2,seed=1,bar=1d")
    try:
        file = read_run_file(path)
        run_settings(WithParameters(), run_keywords(file, {"costs.fee_bps": 1.0}))  # type: ignore[arg-type]
        file.instruments_of(bars)
    except AlphalabError:
        pass


class WithParameters(Strategy):
    n: int = 3
    x: float = 0.5
    word: str = "a"
    flag: bool = False
    several: tuple[float, ...] = ()
    table: dict[str, int] = {}  # noqa: RUF012
    choice: Literal["a", "b"] = "a"
    maybe: int | None = None


PARAM = ["n", "x", "word", "flag", "several", "table", "choice", "maybe", "=", "1", "0.5", "true"]
PARAM += ["[1, 2]", "{", "}", '{"a": 1}', "null", ",", ":", "1:5", "1:9:2", "0.1:0.3:0.1", "1e9"]
PARAM += [
    "-",
    "1:1e300",
    "0:1:1e-300",
    "costs.fee_bps",
    "margin.initial",
    "exits.stop_loss",
    "fill",
]


@attack("param")
def parameters(data: st.DataObject) -> None:
    texts = data.draw(st.lists(text_of(PARAM, 6), min_size=1, max_size=3))
    rule = "a parameter reads name=value."
    with contextlib.suppress(AlphalabError):
        make_strategy(WithParameters, named_texts("--param", texts, rule))
    with contextlib.suppress(AlphalabError):
        grid_values(named_texts("--grid", texts, rule), WithParameters, 10_000)


EXPRESSION = [
    "close",
    "volume",
    "ts_mean(",
    "delay(",
    "where(",
    "cs_rank(",
    "column('x')",
    ", ",
    "5",
]
EXPRESSION += [
    "1.5",
    "-",
    "+",
    "*",
    "/",
    "**",
    " & ",
    " | ",
    "~",
    " > ",
    " <= ",
    "(",
    ")",
    "n=",
    "0",
]
EXPRESSION += [
    "group('sector')",
    "per_symbol({",
    "'A': ",
    "})",
    ".of('A')",
    "python_op('f', ",
    "nan",
]
EXPRESSION += [
    "lambda: ",
    "__import__('os')",
    "[",
    "]",
    "{",
    "}",
    ".__class__",
    "1e400",
    "10**10**10",
]
EXPRESSION += [
    " if ",
    " else ",
    " for ",
    " in ",
    ":=",
    "=",
    "#",
    "\n",
    "\\\n",
    "'",
    '"""',
    "f'{x}'",
    "b''",
]
EXPRESSION += [
    "1_0",
    "0x10",
    "1j",
    "...",
    "None",
    "True",
    "not ",
    " and ",
    "await ",
    "yield ",
    "*close",
]


@attack("expression")
def an_expression(data: st.DataObject) -> None:
    text = data.draw(text_of(EXPRESSION))
    try:
        expr = al.parse(text)
        assert al.parse(str(expr)).same_as(expr)
    except AlphalabError:
        pass
