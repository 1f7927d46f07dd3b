"""Instruments that change while an account trades: ticks, lots, minimum values and fees."""

from __future__ import annotations

import pickle
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import alphalab as al
from alphalab.cli.settings import RunFile
from alphalab.core.engine import Block, Engine
from alphalab.core.snapshot import decode, encode
from alphalab.core.timeline import Timeline
from alphalab.data.panel.bars import Bars
from alphalab.data.samples.synthetic import synthetic
from alphalab.errors import DataError, UnknownNameError
from alphalab.types import Instrument, InstrumentChange

SETTINGS = al.RunSettings(cash=10_000.0, entry=al.Entry(limit_offset_bps=20, ttl=2))
BEFORE = (
    Instrument(symbol="SYN1", tick=0.01, lot=0.5, taker_bps=10, maker_bps=5),
    Instrument(symbol="SYN2", tick=0.1, lot=1.0),
)
AFTER = Instrument(symbol="SYN1", tick=0.25, lot=0.125, taker_bps=1, maker_bps=-1, min_value=50.0)
LATER = Instrument(symbol="SYN2", tick=0.5, lot=0.01, taker_bps=30)


class Trend(al.Strategy):
    """In and out often enough to meet every rule."""

    n: int = 5

    def weights(self) -> al.Expr:
        return al.where(al.close > al.close.ts_mean(self.n), 0.5, 0.1)


def panel(n_rows: int = 60) -> Bars:
    bars = synthetic(n_rows, 2, seed=3, gap_frac=0.0)
    return bars.with_instruments(BEFORE)


def changed(bars: Bars, *changes: tuple[int, Instrument]) -> Bars:
    """Return bars with instruments that change at the times of rows."""
    return Bars(
        bars.time,
        bars.symbols,
        bars.columns,
        instruments=bars.instruments,
        instrument_changes=[InstrumentChange(int(bars.time[r]), x) for r, x in changes],
        periods_per_year=bars.periods_per_year,
    )


def engine_of(bars: Bars, instruments: Any = None, changes: Any = None) -> Engine:
    return Engine(
        Trend(),
        bars.instruments if instruments is None else instruments,
        SETTINGS,
        changes=bars.instrument_changes if changes is None else changes,
        capacity=16,
    )


def push(engine: Engine, bars: Bars, i: int, j: int) -> Block:
    return engine.push(bars.time[i:j], {name: x[i:j] for name, x in bars.columns.items()})


def same(one: Block, *others: Block) -> None:
    for name, field in zip(Block._fields, one, strict=True):
        joined = np.concatenate([getattr(other, name) for other in others])
        assert field.tobytes() == joined.tobytes(), name


def test_a_run_with_changes_is_the_runs_between_them() -> None:
    """As if the account was carried over to an engine with the new instruments."""
    bars = changed(panel(), (19, AFTER), (40, LATER))
    whole = push(engine_of(bars), bars, 0, 60)
    states = [BEFORE, (AFTER, BEFORE[1]), (AFTER, LATER)]
    blocks, snapshot = [], b""
    for instruments, i, j in zip(states, (0, 20, 41), (20, 41, 60), strict=True):
        engine = engine_of(bars, instruments, ())
        if snapshot:
            state = msgspec.structs.replace(decode(snapshot), engine_id=engine.id)
            engine.restore(encode(state))
        blocks.append(push(engine, bars, i, j))
        snapshot = engine.snapshot()
    same(whole, *blocks)
    plain = push(engine_of(bars, changes=()), bars, 0, 60)
    assert plain.ledger[:20].tobytes() == whole.ledger[:20].tobytes()
    assert plain.ledger.tobytes() != whole.ledger.tobytes()


def test_what_changed_is_what_is_traded_by() -> None:
    bars = changed(panel(300), (150, AFTER))
    fills = push(engine_of(bars), bars, 0, 300).fills
    fills = fills[fills["asset"] == 0]
    late = fills["row"] > 150
    for place, lot in ((~late, 0.5), (late, 0.125)):
        assert place.any()
        lots = fills["qty"][place] / lot
        np.testing.assert_allclose(lots, np.round(lots), atol=1e-9)
    assert (np.abs(fills["qty"][late] % 0.5) > 1e-9).any()
    assert (fills["fee"][late] < 0).any() and (fills["fee"][~late] > 0).all()


@settings(max_examples=40)
@given(
    cuts=st.lists(st.integers(1, 59), max_size=4, unique=True),
    at=st.tuples(st.integers(0, 59), st.integers(0, 59)),
    restores=st.booleans(),
)
def test_any_partition_gives_the_same(cuts: list[int], at: tuple[int, int], restores: bool) -> None:
    bars = changed(panel(), (at[0], AFTER), (at[1], LATER))
    whole = push(engine_of(bars), bars, 0, 60)
    engine, blocks = engine_of(bars), []
    edges = [0, *sorted(cuts), 60]
    for i, j in pairwise(edges):
        if restores:
            snapshot, engine = engine.snapshot(), engine_of(bars)
            engine.restore(snapshot)
        blocks.append(push(engine, bars, i, j))
    same(whole, *blocks)


def test_going_back_goes_back_to_what_was_then() -> None:
    bars = changed(panel(), (19, AFTER))
    engine = engine_of(bars)
    push(engine, bars, 0, 10)
    snapshot = engine.snapshot()
    rest = push(engine, bars, 10, 60)
    engine.restore(snapshot)
    same(push(engine, bars, 10, 60), rest)


def test_columns_of_a_sweep_are_their_backtests() -> None:
    bars = changed(panel(), (19, AFTER), (40, LATER))
    options: dict[str, Any] = {"cash": 10_000.0, "entry": SETTINGS.entry}
    sweep = al.sweep(Trend, bars, {"n": [3, 5]}, **options)
    for column, n in enumerate((3, 5)):
        single = al.backtest(Trend(n=n), bars, **options)
        assert sweep.table["digest"].iloc[column] == single.digest
        assert single.digest != al.backtest(Trend(n=n), panel(), **options).digest


@pytest.mark.slow
def test_other_processes_know_of_changes() -> None:
    import joblib

    bars = changed(panel(), (19, AFTER))
    here = al.sweep(Trend, bars, {"n": [3, 5]})
    with joblib.parallel_config("loky", n_jobs=2):
        there = al.sweep(Trend, bars, {"n": [3, 5]})
    assert here.table["digest"].tolist() == there.table["digest"].tolist()


def test_walking_forward_meets_changes() -> None:
    bars = changed(panel(200), (150, AFTER))
    walks = [
        al.walk_forward(Trend, data, {"n": [3, 5]}, train=50, test=50, cash=10_000.0)
        for data in (bars, panel(200))
    ]
    one, other = (walk.result.record.fills for walk in walks)
    early, same_rows = (fills["row"] < 75 for fills in (one, other))
    assert early.any() and one[early].tobytes() == other[same_rows].tobytes()
    assert one.tobytes() != other.tobytes()


# ---- what may change -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "linear"},
        {"multiplier": 2.0},
        {"currency": "EUR"},
        {"kind": "linear", "funding_hours": 8.0},
        {"groups": {"sector": "energy"}},
        {"calendar": "XNYS"},
    ],
)
def test_what_may_not_change(fields: dict[str, Any]) -> None:
    change = InstrumentChange(0, Instrument(symbol="SYN1", **fields))
    with pytest.raises(DataError, match=rf"'SYN1': {next(iter(fields))} changes from .*\n.*apart"):
        Timeline((Instrument(symbol="SYN1"),), [change])


def test_changes_of_nobody() -> None:
    change = InstrumentChange(0, Instrument(symbol="SYN3"))
    for refuse in (
        lambda: Timeline(BEFORE, [change]),
        lambda: changed(panel(), (0, change.instrument)),
    ):
        with pytest.raises(UnknownNameError, match="unknown symbol 'SYN3': did you mean 'SYN"):
            refuse()


def test_changes_belong_to_the_identity() -> None:
    plain, bars = panel(), changed(panel(), (19, AFTER))
    assert bars.id != plain.id and engine_of(bars).id != engine_of(plain).id
    assert pickle.loads(pickle.dumps(bars)) == bars
    two = changed(panel(), (40, LATER), (19, AFTER))
    assert two == changed(panel(), (19, AFTER), (40, LATER))
    part = two.rows(30, 50)
    assert (part.instruments, part.instrument_changes) == (
        (AFTER, BEFORE[1]),
        two.instrument_changes[1:],
    )
    assert two.select(["SYN2"]).instrument_changes == two.instrument_changes[1:]
    cheap = two.with_instruments(taker_bps=7)
    assert {x.instrument.taker_bps for x in cheap.instrument_changes} == {7.0}
    assert cheap.instrument_changes[0].instrument.tick == AFTER.tick
    one = two.with_instruments(symbol="SYN2", tick=9)
    assert [x.instrument.tick for x in one.instrument_changes] == [0.25, 9.0]
    assert two.with_instruments(BEFORE).instrument_changes == ()
    assert plain.with_instruments(changes=two.instrument_changes) == two
    assert two.with_instruments(changes=[]) == plain


def test_a_settings_file_holds_before_and_after_a_change() -> None:
    bars = changed(panel(), (19, AFTER), (40, LATER))
    file = RunFile({}, {"taker_bps": 3}, {"SYN1": {"tick": 1}}, {}, "run.toml")
    found = file.instruments_of(bars)
    assert [x.taker_bps for x in found.instruments] == [3.0, 3.0]
    later = [x.instrument for x in found.instrument_changes]
    assert [(x.taker_bps, x.tick, x.lot) for x in later] == [(3.0, 1.0, 0.125), (3.0, 0.5, 0.01)]


def test_a_part_begins_with_what_is_in_force() -> None:
    bars = changed(panel(), (19, AFTER))
    part = bars.rows(30, 60)
    alone = part.with_instruments((AFTER, BEFORE[1]))
    same(push(engine_of(part), part, 0, 30), push(engine_of(alone), alone, 0, 30))


@pytest.mark.parametrize(("i0", "i1"), [(0, 20), (0, 21), (19, 60), (20, 60), (5, 41), (39, 60)])
def test_a_part_trades_as_the_same_rows_of_the_whole(i0: int, i1: int) -> None:
    bars = changed(panel(), (19, AFTER), (40, LATER))
    part = bars.rows(i0, i1)
    whole = engine_of(bars)
    same(push(engine_of(part), part, 0, i1 - i0), push(whole, bars, i0, i1))
    assert all(part.time[0] <= x.time < part.time[-1] for x in part.instrument_changes)


def test_spans_around_what_may_not_change_run_apart() -> None:
    other = Instrument(symbol="SYN1", multiplier=2.0, calendar="XNYS")
    bars = changed(panel(), (19, other))
    with pytest.raises(DataError, match=r"apart: bars.between"):
        engine_of(bars)
    change = np.datetime64(bars.instrument_changes[0].time, "ns")
    before, after = bars.between(end=change), bars.between(change + 1)
    assert before.n_rows + after.n_rows == bars.n_rows
    assert before.instruments == BEFORE and after.instruments == (other, BEFORE[1])
    for part in (before, after):
        engine_of(part)
