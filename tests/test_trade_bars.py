"""Bars of trades against a naive twin and pandas, for any cut of the trades into blocks."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from builders import texts
from hypothesis import given, settings
from hypothesis import strategies as st

import alphalab as al
from alphalab.data.clock.times import NS_SECOND, nanoseconds, parse_duration
from alphalab.data.trades.bar_maker import Imbalance, TradeBars
from alphalab.data.trades.trade_bars import trade_bars
from alphalab.errors import DataError, ParameterError, StateError, UnknownNameError
from alphalab.types import FloatArray, Instrument, IntArray

MINUTE = 60 * NS_SECOND
START = nanoseconds("2024-01-02T10:00:00")

KINDS: list[tuple[str, Any]] = [
    ("time", "1m"),
    ("tick", 7),
    ("volume", 12.5),
    ("dollar", 900.0),
    ("tick_imbalance", 10),
    ("volume_imbalance", 10),
    ("dollar_imbalance", 10),
]


class Trades(NamedTuple):
    time: IntArray
    price: FloatArray
    amount: FloatArray
    side: FloatArray

    def part(self, i0: int, i1: int) -> Trades:
        return Trades(*[x[i0:i1] for x in self])


def random_trades(n: int, seed: int = 0, *, unknown: float = 0.3) -> Trades:
    """Trades of which a third has the time of the one before; prices move in ticks."""
    rng = np.random.default_rng(seed)
    pauses = rng.choice([0, 1, 5, 20, 150], n, p=[0.33, 0.27, 0.2, 0.17, 0.03])
    price = 100 + 0.01 * np.cumsum(rng.integers(-2, 3, n))
    side = rng.choice([-1.0, 1.0], n)
    side[rng.random(n) < unknown] = 0.0
    return Trades(START + NS_SECOND * np.cumsum(pauses), price, rng.exponential(2.0, n) + 0.1, side)


def frame_of(trades: Trades, symbol: str = "ACME") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "time": pd.DatetimeIndex(trades.time.view("M8[ns]")).tz_localize("UTC"),
            "symbol": symbol,
            "id": [str(i) for i in range(len(trades.time))],
            "side": [{1: "buy", -1: "sell", 0: None}[int(s)] for s in trades.side],
            "price": trades.price,
            "amount": trades.amount,
        }
    )


# ---- the naive twin --------------------------------------------------------------------------


def signs(trades: Trades) -> list[float]:
    """The side of each trade or, where it is unknown, the tick rule."""
    result: list[float] = []
    for i, side in enumerate(trades.side):
        last = result[-1] if result else 0.0
        change = np.sign(trades.price[i] - trades.price[i - 1]) if i else 0.0
        result.append(float(side or change or last))
    return result


def mean_of(values: list[float], span: int) -> float:
    """The mean of the first values, and from then on exponential."""
    level = 0.0
    for n, value in enumerate(values, start=1):
        level += (value - level) * (2 / (span + 1) if n > span else 1 / n)
    return level


def naive(
    trades: Trades, by: str, size: Any, imbalance: Imbalance | None = None
) -> list[dict[str, float]]:
    expects = imbalance or Imbalance()
    worth = {"tick": 1.0, "volume": trades.amount, "dollar": trades.price * trades.amount}
    kind = by.removesuffix("_imbalance")
    signed = (np.array(signs(trades)) * worth.get(kind, 0.0)).tolist()
    stamps = [
        list(rows)
        for _, rows in itertools.groupby(range(len(trades.time)), trades.time.__getitem__)
    ]
    bars, rows = [], list[int]()
    expected, enough = size, None
    if expects.expected is not None:
        enough = size * abs(expects.expected)
    for stamp, following in itertools.pairwise(stamps):
        rows += stamp
        first, last = rows[0], rows[-1]
        time = int(trades.time[last])
        if by == "time":
            step = parse_duration(size)
            time = -(-int(trades.time[first]) // step) * step
            full = trades.time[following[0]] > time
        elif by == "tick" or (by.endswith("imbalance") and enough is None):
            full = len(rows) >= size
        elif by.endswith("imbalance"):
            full = abs(sum(signed[i] for i in rows)) >= enough and len(rows) >= expects.least
            full |= len(rows) >= expects.most
        else:
            full = sum(worth[by][i] for i in rows) >= size * (1 - 1e-12)
        if not full:
            continue
        price, amount = trades.price[rows], trades.amount[rows]
        sides = trades.side[rows]
        bars.append(
            {
                "time": time,
                "n": len(rows),
                "open": price[0],
                "high": price.max(),
                "low": price.min(),
                "close": price[-1],
                "volume": amount.sum(),
                "bought": amount[sides > 0].sum() if (sides != 0).all() else np.nan,
                "value": (price * amount).sum(),
            }
        )
        if by.endswith("imbalance"):
            expected += (len(rows) - expected) * 2 / (expects.span_bars + 1)
            if expects.expected is None:
                mean = mean_of(signed[: last + 1], expects.span_trades)
            else:
                mean = expects.expected
                for value in signed[: last + 1]:
                    mean += (value - mean) * 2 / (expects.span_trades + 1)
            enough = expected * abs(mean)
        rows = []
    return bars


def assert_equal(made: Any, expected: list[dict[str, float]]) -> None:
    assert len(made) == len(expected) > 0
    for name in expected[0]:
        values = [bar[name] for bar in expected]
        np.testing.assert_allclose(made[name], values, rtol=1e-12, err_msg=name)


@pytest.mark.nojit
@pytest.mark.parametrize(("by", "size"), KINDS)
@pytest.mark.parametrize("unknown", [0.0, 0.3, 1.0])
def test_bars_are_what_loops_make(by: Any, size: Any, unknown: float) -> None:
    trades = random_trades(400, 1, unknown=unknown)
    assert_equal(TradeBars(by, size).push(*trades), naive(trades, by, size))


@pytest.mark.nojit
@pytest.mark.parametrize("by", ["tick_imbalance", "volume_imbalance", "dollar_imbalance"])
@pytest.mark.parametrize(
    "imbalance",
    [
        Imbalance(span_bars=3, span_trades=25),
        Imbalance(span_trades=40, expected=0.4),
        Imbalance(span_bars=5, least=8, most=12),
        Imbalance(expected=-0.2, most=15),
    ],
)
def test_imbalance_bars_expect_what_they_are_told(by: Any, imbalance: Imbalance) -> None:
    trades = random_trades(400, 2)
    made = TradeBars(by, 10, imbalance=imbalance).push(*trades)
    assert_equal(made, naive(trades, by, 10, imbalance))


@settings(max_examples=60)
@given(
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 9),
    cuts=st.lists(st.integers(0, 300), max_size=12).map(sorted),
)
def test_any_cut_makes_the_same_bars(kind: tuple[Any, Any], seed: int, cuts: list[int]) -> None:
    trades = random_trades(300, seed)
    whole, parts = TradeBars(*kind), TradeBars(*kind)
    expected = whole.push(*trades)
    made = []
    for i0, i1 in itertools.pairwise([0, *cuts, 300]):
        made.append(parts.push(*trades.part(i0, i1)))
        other = TradeBars(*kind)
        other.restore(parts.snapshot())
        parts = other
    assert np.concatenate(made).tobytes() == expected.tobytes()
    assert parts.snapshot() == whole.snapshot()


@settings(max_examples=60)
@given(
    kind=st.sampled_from(KINDS),
    cuts=st.lists(st.tuples(st.integers(0, 300), st.floats(0, 1)), max_size=12).map(sorted),
)
def test_bars_that_the_clock_ends_are_the_same(
    kind: tuple[Any, Any], cuts: list[tuple[int, float]]
) -> None:
    trades = random_trades(300, 4)
    expected = TradeBars(*kind).push(*trades, until=int(trades.time[-1]) + MINUTE)
    parts, made = TradeBars(*kind), []
    for (i0, _), (i1, share) in itertools.pairwise([(0, 0.0), *cuts, (300, 1.0)]):
        # The clock is somewhere between the trade before and the next.
        low = int(trades.time[i1 - 1]) if i1 else START - MINUTE
        high = int(trades.time[i1]) if i1 < 300 else low + MINUTE
        made.append(parts.push(*trades.part(i0, i1), until=low + int(share * (high - low))))
    assert np.concatenate(made).tobytes() == expected.tobytes()


def test_a_bar_of_time_ends_where_nobody_trades() -> None:
    bars = TradeBars("time", "1m")
    assert bars.push([START + 1], [5.0], [1.0], until=START + MINUTE).size == 0
    assert bars.push([START + MINUTE], [6.0], [1.0]).size == 0
    (bar,) = bars.push([], [], [], until=START + MINUTE + 1)
    assert (bar["time"], bar["n"], bar["close"]) == (START + MINUTE, 2, 6.0)
    assert bars.push([], [], [], until=START + 9 * MINUTE).size == bars.n_waiting == 0
    with pytest.raises(DataError, match="it comes after 2024-01-02T10:09:00Z"):
        bars.push([START + 2 * MINUTE], [5.0], [1.0])


def test_one_trade_after_the_other_and_long_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    trades = random_trades(300)
    expected = TradeBars("tick", 1).push(*trades)
    single = TradeBars("tick", 1)
    made = [single.push(*trades.part(i, i + 1)) for i in range(300)]
    assert np.concatenate(made).tobytes() == expected.tobytes()
    monkeypatch.setattr("alphalab.data.trades.bar_maker._BLOCK", 7)
    assert TradeBars("tick", 1).push(*trades).tobytes() == expected.tobytes()


@pytest.mark.parametrize(("by", "size"), KINDS)
def test_nothing_is_lost_and_later_trades_change_nothing(by: Any, size: Any) -> None:
    trades = random_trades(3_000, 5)
    maker = TradeBars(by, size)
    made = maker.push(*trades)
    n = made["n"].sum()
    assert n + maker.n_waiting == 3_000
    for name, values in (("volume", trades.amount), ("value", trades.price * trades.amount)):
        assert made[name].sum() == pytest.approx(values[:n].sum(), rel=1e-12)
    assert (np.diff(made["time"]) > 0).all()
    early = TradeBars(by, size).push(*trades.part(0, 2_000))
    assert early.tobytes() == made[: len(early)].tobytes()
    # What is not among the early bars was not known by then.
    ends = trades.time[made["n"].cumsum() - 1]
    assert (ends[len(early) :] >= trades.time[1_999]).all()


# ---- real trades -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def path(shared_data: Path) -> Path:
    return shared_data / "xrp_eth_trades.parquet"


@pytest.mark.parametrize("size", ["1m", "1h"])
def test_bars_of_time_are_those_of_pandas(path: Path, size: str) -> None:
    frame = pd.read_parquet(path)
    frame["value"] = frame["price"] * frame["amount"]
    windows = frame.set_index("time").resample(
        pd.Timedelta(parse_duration(size)), closed="right", label="right", origin="epoch"
    )
    expected = windows["price"].ohlc()
    expected["volume"] = windows["amount"].sum()
    expected["n_trades"] = windows["id"].count()
    expected["traded_value"] = windows["value"].sum()
    expected = expected[expected["n_trades"] > 0].iloc[:-1]
    bars = trade_bars(path, "time", size)
    assert bars.symbols == ("XRP/ETH",)
    assert (bars.time == expected.index.as_unit("ns").asi8).all()
    for name in expected.columns:
        np.testing.assert_allclose(bars[name].ravel(), expected[name], rtol=1e-9, err_msg=name)


@pytest.mark.parametrize(
    ("by", "size"), [("volume", 5_000), ("dollar", 5), ("tick", 50), ("volume_imbalance", 50)]
)
def test_real_trades_are_all_in_bars(path: Path, by: Any, size: float) -> None:
    frame = pd.read_parquet(path)
    bars = trade_bars(path, by, size)
    n = int(bars["n_trades"].sum())
    assert bars.volume.sum() == pytest.approx(frame["amount"].iloc[:n].sum(), rel=1e-12)
    assert len(frame) > n and f"its trades, {len(frame) - n:,}, are left out" in texts(bars)[1]
    taken = frame.iloc[:n]
    assert bars["buy_volume"].sum() == pytest.approx(
        taken.loc[taken["side"] == "buy", "amount"].sum(), rel=1e-12
    )
    if by in ("volume", "dollar"):
        assert (bars["volume" if by == "volume" else "traded_value"] >= size * (1 - 1e-9)).all()
    assert any("irregular rows" in note for note in texts(bars))
    days = (bars.time[-1] - bars.time[0]) / 86_400e9
    assert bars.periods_per_year == pytest.approx((bars.n_rows - 1) / days * 365.25)


def test_a_backtest_on_bars_of_volume(path: Path) -> None:
    instrument = Instrument(symbol="XRP/ETH", currency="ETH", calendar="24/7")
    bars = trade_bars(path, "volume", 20_000, instrument=instrument)
    buying = al.column("buy_volume") / al.volume > 0.5
    strategy = al.Expression(text=str(al.where(buying, 1.0, 0.0)))
    result = al.backtest(strategy, bars, cash=10.0)
    assert len(result.equity) == bars.n_rows and bars.instruments == (instrument,)
    hours = trade_bars(path, "time", "5m").resample("1h")
    whole = trade_bars(path, "time", "1h")
    for name in ("open", "high", "low", "close", "n_trades"):
        np.testing.assert_array_equal(hours[name], whole[name][: hours.n_rows])
    for name in ("volume", "buy_volume", "traded_value"):
        np.testing.assert_allclose(hours[name], whole[name][: hours.n_rows], rtol=1e-12)


# ---- tables ----------------------------------------------------------------------------------


def test_tables_of_every_kind_make_the_same_bars(tmp_path: Path) -> None:
    import pyarrow as pa

    frame = frame_of(random_trades(200))
    table = pa.Table.from_pandas(frame)
    pq.write_table(table, tmp_path / "t.parquet")
    frame.to_csv(tmp_path / "t.csv", index=False)
    bars = trade_bars(frame, "tick", 9)
    for given_ in (table, tmp_path / "t.parquet", str(tmp_path / "t.csv")):
        assert trade_bars(given_, "tick", 9) == bars


def test_trades_of_a_store(tmp_path: Path) -> None:
    import pyarrow as pa

    frame = frame_of(random_trades(500))
    store = al.Store(tmp_path)
    store.write("trades", pa.Table.from_pandas(frame.assign(venue="v"), preserve_index=False))
    table = store.read("trades", where={"venue": "v", "symbol": "ACME"})
    assert trade_bars(table, "volume", 20) == trade_bars(frame, "volume", 20)


def test_trades_of_one_time_are_in_the_order_of_their_numbers() -> None:
    frame = frame_of(random_trades(400))
    bars = trade_bars(frame, "tick", 5)
    backwards = frame.iloc[::-1].sort_values("time", kind="stable")
    assert trade_bars(backwards, "tick", 5) == bars
    assert trade_bars(backwards.assign(id="x" + backwards["id"]), "tick", 5) != bars
    frame["id"] = [f"x{i}" for i in range(400)]
    assert trade_bars(frame, "tick", 5) == bars


def test_one_symbol_is_chosen() -> None:
    one, other = (frame_of(random_trades(50, seed), name) for seed, name in ((1, "A"), (2, "B")))
    both = pd.concat([one, other]).sort_values("time", kind="stable")
    assert trade_bars(both, "tick", 5, symbol="A") == trade_bars(one, "tick", 5)
    with pytest.raises(DataError, match="trades of B, A"):
        trade_bars(both, "tick", 5)
    with pytest.raises(UnknownNameError, match="unknown symbol 'C'"):
        trade_bars(both, "tick", 5, symbol="C")
    nameless = one.drop(columns="symbol")
    assert trade_bars(nameless, "tick", 5, symbol="Z").symbols == ("Z",)


def test_what_is_not_known_is_said() -> None:
    bars = trade_bars(frame_of(random_trades(300)), "volume", 50)
    assert texts(bars)[0] == "bars of 50 units made of 300 trades"
    assert "trades is unknown" in texts(bars)[2]
    assert np.isnan(bars["buy_volume"]).all()


def broken(column: str, value: Any) -> pd.DataFrame:
    frame = frame_of(random_trades(30, unknown=0))
    frame.loc[7, column] = value
    return frame


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (broken("price", np.nan), "trade 7 .*price=nan"),
        (broken("price", 0.0), "row 7, column 'price': 0"),
        (broken("amount", -1.0), "row 7, column 'amount': -1"),
        (broken("side", "up"), "row 7, column 'side': 'up'"),
        (broken("time", pd.Timestamp("2023-01-01", tz="UTC")), "trade 7 .* is earlier than"),
        (pd.concat([broken("side", "buy")] * 2).sort_values("time"), "both have the id"),
        (broken("side", "buy").head(1), "1 trades finish no tick bar of 5"),
    ],
)
def test_bad_trades_are_refused(frame: pd.DataFrame, words: str) -> None:
    with pytest.raises(DataError, match=words):
        trade_bars(frame, "tick", 5)


def test_trades_do_not_go_back_between_blocks() -> None:
    bars = TradeBars("tick", 5)
    bars.push([10, 11], [1.0, 1.0], [1.0, 1.0])
    with pytest.raises(DataError, match="in the order of their times"):
        bars.push([10], [1.0], [1.0])
    with pytest.raises(DataError, match="one value each"):
        bars.push([12], [1.0, 2.0], [1.0])
    with pytest.raises(DataError, match="a side is 1, -1 or 0"):
        bars.push([12], [1.0], [1.0], [0.5])
    assert bars.push([], [], []).size == 0 and bars.n_waiting == 2
    with pytest.raises(DataError, match="times of type float64"):
        bars.push([12.5], [1.0], [1.0])


def test_times_of_any_unit_are_nanoseconds() -> None:
    trades = random_trades(50)
    expected = TradeBars("tick", 5).push(*trades)
    for unit in ("s", "ms", "us", "ns"):
        time = trades.time.view("M8[ns]").astype(f"M8[{unit}]")
        assert TradeBars("tick", 5).push(time, *trades[1:]).tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"by": "time", "size": 60}, "a length of time"),
        ({"by": "time", "size": "1m", "offset": "1m"}, "shorter than the size"),
        ({"by": "tick", "size": "1m"}, "a number of trades"),
        ({"by": "tick", "size": 0.5}, "at least 1"),
        ({"by": "dollar", "size": -1.0}, "above 0"),
        ({"by": "volume", "size": 5.0, "offset": "1m"}, "for time bars"),
        ({"by": "tick", "size": 5, "imbalance": Imbalance()}, "for imbalance bars"),
    ],
)
def test_sizes_that_do_not_fit(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        TradeBars(**arguments)


def test_names_that_do_not_exist() -> None:
    with pytest.raises(ParameterError, match="least is not above most"):
        Imbalance(least=9, most=8)
    with pytest.raises(UnknownNameError, match="did you mean 'volume'"):
        TradeBars("volumes", 5)  # type: ignore[arg-type]
    with pytest.raises(StateError, match="not one of these bars"):
        TradeBars("tick", 5).restore(TradeBars("tick", 6).snapshot())
