"""A backtest over a scan is the backtest of the same bars in memory, for every block size."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from builders import texts
from random_stores import Made, random_store

import alphalab as al
from alphalab.data.store.log import Series
from alphalab.data.store.scan import windows
from alphalab.research.results.tally_metrics import METRICS

BLOCKS = [3, 100, 10_000_000]
HOUR_US = 3_600_000_000
MARGIN = al.Margin(initial=0.3, maintenance=0.1)


class Momentum(al.Strategy):
    """Half in each asset that rose, half short in each that fell."""

    n: int = 20

    limits = al.Limits(gross=2.0)
    rebalance = al.Rebalance.on_change()

    def weights(self) -> al.Expr:
        return al.where(al.close.returns(self.n) > 0, 0.5, -0.5)


class Members(al.Strategy):
    """Equal weights of what is in the universe."""

    def weights(self) -> al.Expr:
        return al.cs_scale(al.column("member") * al.where(al.close > 0, 1.0, 0.0))


def rows_of(bars: al.Bars, venue: str = "x", interval: str = "1h") -> pa.Table:
    frame = bars.to_frame("long").assign(venue=venue, interval=interval)
    return pa.Table.from_pandas(frame, preserve_index=False)


def stored(folder: Path, bars: al.Bars, parts: int = 3) -> al.Store:
    """Write bars in several commits, so that they lie in several files."""
    store = al.Store(folder)
    rows = rows_of(bars)
    for part in np.array_split(np.arange(rows.num_rows), parts):
        store.write("bars", rows.take(part))
    return store


def table(**columns: object) -> pa.Table:
    rows = pa.table(columns)
    for name in ("time", "known", "start", "end"):
        if name in rows.column_names:
            place = rows.column_names.index(name)
            rows = rows.set_column(place, name, rows[name].cast(pa.timestamp("us", "UTC")))
    return rows


@pytest.fixture
def market() -> al.Bars:
    return al.load("synthetic:rows=500,symbols=3,seed=5,bar=1h,gaps=0.05")


@pytest.mark.parametrize("quality", ["refuse", "unchecked"])
@pytest.mark.parametrize("block_rows", BLOCKS)
def test_digest_of_a_scan_is_that_of_memory(
    tmp_path: Path, market: al.Bars, block_rows: int, quality: str
) -> None:
    store = stored(tmp_path, market)
    how = {"costs": al.Costs(fee_bps=5), "margin": MARGIN, "quality": quality}
    scan = al.scan("store:x/1h", store=store, block_rows=block_rows)
    summary = al.backtest(Momentum(), scan, **how)
    result = al.backtest(Momentum(), al.load("store:x/1h", store=tmp_path), **how)
    assert result.metrics["n_fills"] > 50
    assert summary.digest == result.digest
    assert summary.n_rows == result.bars.n_rows
    for name in METRICS:
        if name != "n_refusals":
            np.testing.assert_allclose(
                summary.metrics[name], result.metrics[name], rtol=1e-11, err_msg=name
            )
    assert summary.equity.iloc[-1] == result.equity.iloc[-1]
    assert summary.equity.isin(result.equity).all()
    assert (summary.quality is None) == (quality == "unchecked")


@pytest.mark.parametrize("block_rows", BLOCKS)
def test_instruments_change_at_the_same_time(
    tmp_path: Path, market: al.Bars, block_rows: int
) -> None:
    store = stored(tmp_path, market)
    write_instruments(store, *(al.Instrument(symbol=name, lot=0.01) for name in market.symbols))
    change = int(market.time[250]) // 1_000 - HOUR_US // 2
    write_instruments(store, al.Instrument(symbol="SYN2", lot=5.0, taker_bps=20.0), start=change)
    result = al.backtest(Momentum(), al.load("store:x/1h", store=tmp_path), margin=MARGIN)
    scan = al.scan("store:x/1h", store=store, block_rows=block_rows)
    assert al.backtest(Momentum(), scan, margin=MARGIN).digest == result.digest
    fills = result.record.fills
    late = fills[(fills["asset"] == 1) & (fills["row"] > 251)]
    assert late.size > 5
    assert (late["fee"] > 0).all()


def test_data_with_errors_is_refused_at_the_end(tmp_path: Path) -> None:
    base = al.load("synthetic:rows=500,symbols=1,seed=3,bar=1h,gaps=0")
    columns = {name: values.copy() for name, values in base.columns.items()}
    for name in ("open", "high", "low", "close"):
        columns[name][250:] /= 7  # a split that nobody told of
    store = stored(tmp_path, al.Bars(base.time, base.symbols, columns))
    scan = al.scan("store:x/1h", store=store, block_rows=120)
    with pytest.raises(al.errors.RefusedError, match="split"):
        al.backtest(Momentum(), scan, margin=MARGIN)
    summary = al.backtest(Momentum(), scan, margin=MARGIN, quality="accept")
    assert "split" in summary.warnings[0]
    assert summary.to_dict()["data"]["quality"]["status"] == "errors"


def test_a_scan_names_its_version_and_reads_it_again(tmp_path: Path, market: al.Bars) -> None:
    store = stored(tmp_path, market)
    scan = al.scan("store:x/1h", store=store)
    assert scan.version == al.load("store:x/1h", store=tmp_path).version
    before = al.backtest(Momentum(), scan).digest
    later = market.time[-1] // 1_000 + HOUR_US
    more = {name: [50.0] for name in ("open", "high", "low", "close")}
    names = {"venue": ["x"], "interval": ["1h"], "symbol": ["SYN1"]}
    store.write("bars", table(**names, time=pa.array([later]), **more, volume=[1.0]))
    assert al.backtest(Momentum(), scan).digest == before
    assert al.backtest(Momentum(), al.scan(scan.version, store=store)).digest == before
    newest = al.scan("store:x/1h", store=store)
    assert newest.version != scan.version
    assert al.backtest(Momentum(), newest).n_rows == market.n_rows + 1


@pytest.mark.parametrize("block_rows", BLOCKS)
def test_funding_falls_into_the_same_rows(tmp_path: Path, block_rows: int) -> None:
    market = al.load("synthetic:rows=300,symbols=1,seed=2,bar=1h,gaps=0.1")
    store = stored(tmp_path, market)
    hours = np.arange(market.time[0] // 1_000 // HOUR_US, market.time[-1] // 1_000 // HOUR_US + 1)
    due = hours[hours % 8 == 0] * HOUR_US
    rates = np.random.default_rng(0).normal(0, 1e-3, due.size)
    names = {"venue": ["x"] * due.size, "symbol": ["SYN"] * due.size}
    store.write("funding", table(**names, time=pa.array(due), rate=rates))
    contract = al.Instrument(symbol="SYN", kind="linear", funding_hours=8)
    write_instruments(store, contract)
    how = {"margin": MARGIN, "quality": "accept"}
    result = al.backtest(Momentum(), al.load("store:x/1h", store=tmp_path), **how)
    assert abs(result.metrics["carry"]) > 0
    scan = al.scan("store:x/1h", store=store, block_rows=block_rows)
    assert al.backtest(Momentum(), scan, **how).digest == result.digest


@pytest.mark.parametrize("block_rows", BLOCKS)
@pytest.mark.parametrize("halted", [0, 30])
def test_splits_and_dividends_fall_into_the_same_rows(
    tmp_path: Path, halted: int, block_rows: int
) -> None:
    """Also those that come while their asset does not trade: they wait for its next price."""
    base = al.load("synthetic:rows=400,symbols=2,seed=3,bar=1h,gaps=0")
    columns = {name: values.copy() for name, values in base.columns.items()}
    for name in ("open", "high", "low", "close"):
        columns[name][200:, 0] /= 2
    for values in columns.values():
        values[200 - halted : 200, 0] = np.nan
    store = stored(tmp_path, al.Bars(base.time, base.symbols, columns))
    at = base.time[[199 - halted // 2, 200 - halted // 3, 300]] // 1_000
    store.write(
        "actions",
        table(
            venue=["x"] * 3,
            symbol=["SYN1"] * 3,
            time=pa.array(at),
            known=pa.array(at),
            split=[2.0, None, None],
            dividend=[None, 0.5, 1.0],
        ),
    )
    bars = al.load("store:x/1h", store=tmp_path)
    assert np.nansum(bars["dividend"]) == 1.5
    result = al.backtest(Momentum(), bars, actions="cash", margin=MARGIN)
    assert result.record.postings.size > 0
    scan = al.scan("store:x/1h", store=store, block_rows=block_rows)
    made = al.backtest(Momentum(), scan, actions="cash", margin=MARGIN)
    assert made.digest == result.digest


@pytest.mark.parametrize("block_rows", BLOCKS)
def test_members_and_observations_are_seen_in_the_same_rows(
    tmp_path: Path, market: al.Bars, block_rows: int
) -> None:
    store = stored(tmp_path, market)
    start, middle = market.time[[0, 225]] // 1_000
    store.write(
        "universe",
        table(
            name=["two"] * 3,
            symbol=["SYN1", "SYN2", "SYN3"],
            start=pa.array([start, start, middle]),
            end=pa.array([middle, None, None], pa.int64()),
            known=pa.array([start, start, middle]),
        ),
    )
    known = market.time[::25] // 1_000 + 1
    store.write(
        "observations",
        table(
            name=["mood"] * known.size,
            symbol=[""] * known.size,
            time=pa.array(known),
            known=pa.array(known),
            value=np.sin(np.arange(known.size)),
        ),
    )

    class Moody(Members):
        def weights(self) -> al.Expr:
            return super().weights() * al.where(al.column("mood") > 0, 1.0, 0.5)

    asked = {"universe": "two", "observations": ["mood"]}
    result = al.backtest(Moody(), al.load("store:x/1h", store=tmp_path, **asked))
    scan = al.scan("store:x/1h", store=store, block_rows=block_rows, **asked)
    assert al.backtest(Moody(), scan).digest == result.digest
    assert result.metrics["n_fills"] > 20


def agree(made: Made) -> bool:
    """Compare a scan with memory, in blocks of any size; tell whether there was anything."""

    def run(bars: object) -> object:
        return al.backtest(made.strategy, bars, **made.options)

    try:
        bars = al.load(made.address, store=made.store.url, **made.asked)
        result = run(bars)
    except al.errors.AlphalabError as error:  # then a scan fails, too
        with pytest.raises(type(error)):
            run(al.scan(made.address, store=made.store, **made.asked))
        return False
    for block_rows in (1, 7, 10**6):
        scan = al.scan(made.address, store=made.store, block_rows=block_rows, **made.asked)
        assert run(scan).digest == result.digest
        for name in ("version", "symbols", "instruments", "instrument_changes"):
            assert getattr(scan, name) == getattr(bars, name)
        blocks = list(scan.blocks(tuple(bars.columns)))
        for name, values in bars.columns.items():
            joined = np.concatenate([block.columns[name] for block in blocks])
            np.testing.assert_array_equal(joined, values, err_msg=name)
    return result.record.fills.size > 0


@pytest.mark.parametrize("seed", range(6))
def test_random_stores(tmp_path: Path, seed: int) -> None:
    agree(random_store(tmp_path, seed))


@pytest.mark.slow
def test_many_random_stores(tmp_path: Path) -> None:
    traded = [agree(random_store(tmp_path / str(seed), seed)) for seed in range(100, 300)]
    assert sum(traded) > 100


def test_columns_of_the_bars_stay_where_the_store_has_no_others(tmp_path: Path) -> None:
    """Splits beside prices count, as long as no event of the venue names their symbol."""
    base = al.load("synthetic:rows=60,symbols=2,seed=3,bar=1h,gaps=0")
    prices = {name: values.copy() for name, values in base.columns.items()}
    own = np.full((60, 2), np.nan)
    for name in ("open", "high", "low", "close"):
        prices[name][30:, 1] /= 2
    own[30, 1] = 2.0
    store = stored(tmp_path, al.Bars(base.time, base.symbols, prices | {"split": own}))
    at = pa.array([int(base.time[10]) // 1_000])
    event = {"venue": ["x"], "symbol": ["SYN1"], "time": at, "known": at}
    store.write("actions", table(**event, split=pa.array([None], pa.float64()), dividend=[0.5]))
    how = {"actions": "cash", "margin": MARGIN}
    result = al.backtest(Momentum(n=5), al.load("store:x/1h", store=tmp_path), **how)
    scan = al.scan("store:x/1h", store=store, block_rows=20)
    assert al.backtest(Momentum(n=5), scan, **how).digest == result.digest


@pytest.mark.parametrize("read", [al.load, al.scan])
def test_an_observation_does_not_hide_a_column(tmp_path: Path, market: al.Bars, read) -> None:
    store = stored(tmp_path, market.with_columns({"mood": market.close}))
    at = pa.array([0])
    store.write("observations", table(name=["mood"], symbol=[""], time=at, known=at, value=[1.0]))
    with pytest.raises(al.errors.DataError, match="column 'mood' already"):
        read("store:x/1h", store=tmp_path, observations=["mood"])


@pytest.mark.parametrize("rows", [1, 2])
def test_a_row_or_two(tmp_path: Path, rows: int) -> None:
    bars = al.load(f"synthetic:rows={rows},symbols=1,bar=1h,gaps=0")
    store = al.Store(tmp_path)
    store.write("bars", rows_of(bars))
    summary = al.backtest(Momentum(), al.scan("store:x/1h", store=store, block_rows=1))
    assert summary.n_rows == rows
    assert np.isnan(summary.metrics["sharpe"])


def test_part_of_a_store(tmp_path: Path, market: al.Bars) -> None:
    store = stored(tmp_path, market)
    asked = {"symbols": ["SYN3", "SYN1"], "start": "2020-01-05", "end": "2020-01-15"}
    scan = al.scan("store:x/1h", store=store, block_rows=100, **asked)
    bars = al.load("store:x/1h", store=tmp_path, **asked)
    blocks = list(scan.blocks(("open", "close")))
    assert len(blocks) > 5
    np.testing.assert_array_equal(np.concatenate([block.time for block in blocks]), bars.time)
    for name in ("open", "close"):
        joined = np.concatenate([block.columns[name] for block in blocks])
        np.testing.assert_array_equal(joined, bars[name])
    assert scan.symbols == bars.symbols


def test_a_file_that_is_gone_is_an_error_and_no_shorter_history(
    tmp_path: Path, market: al.Bars
) -> None:
    store = stored(tmp_path, market)
    scan = al.scan("store:x/1h", store=store, block_rows=100)
    next(tmp_path.glob("bars/**/symbol=SYN2/*.parquet")).unlink()
    with pytest.raises(al.errors.DataError, match="parquet"):
        al.backtest(Momentum(), scan)


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        ({"address": "store:x/2h"}, al.errors.UnknownNameError, "x/1h"),
        ({"symbols": ["SYN9"]}, al.errors.UnknownNameError, "SYN1"),
        ({"start": "2030-01-01"}, al.errors.DataError, "no rows"),
        ({"address": "sp500"}, al.errors.DataError, "store:"),
        ({"block_rows": 0}, al.errors.ParameterError, "block_rows"),
    ],
)
def test_what_cannot_be_scanned(
    tmp_path: Path, market: al.Bars, asked: dict, error: type, said: str
) -> None:
    store = stored(tmp_path, market)
    with pytest.raises(error, match=said):
        al.scan(**{"address": "store:x/1h", "store": store, **asked})


def test_windows_follow_each_other_and_hold_what_was_asked_for() -> None:
    rng = np.random.default_rng(1)
    spans = zip(rng.integers(1, 5_000, 50), rng.integers(0, 10**6, 50), strict=True)
    series = [Series((str(n),), int(n), int(a), int(a + 10**5), 1) for n, a in spans]
    found = windows(series, 0, 2 * 10**6, rows=10_000)
    assert found[0][0] == 0
    assert found[-1][1] == 2 * 10**6
    assert all(end + 1 == start for (_, end), (start, _) in pairwise(found))
    held = [
        sum(
            x.n_rows * max(min(end, x.last) - max(start, x.first) + 1, 0) / (x.last - x.first + 1)
            for x in series
        )
        for start, end in found
    ]
    assert max(held) < 11_000
    assert abs(sum(held) - sum(x.n_rows for x in series)) < 1


def write_instruments(store: al.Store, *instruments: al.Instrument, start: int = 0) -> None:
    fields = (
        *("kind", "tick", "lot", "min_value", "maker_bps", "taker_bps", "multiplier"),
        *("currency", "funding_hours", "calendar"),
    )
    store.write(
        "instruments",
        table(
            venue=["x"] * len(instruments),
            symbol=[x.symbol for x in instruments],
            start=pa.array([start] * len(instruments)),
            groups=["{}"] * len(instruments),
            **{name: [getattr(x, name) for x in instruments] for name in fields},
        ),
    )


def test_the_command_scans(cli, tmp_path: Path, market: al.Bars) -> None:
    stored(tmp_path, market)
    run = ["backtest", "sma_cross", "-d", "store:x/1h/SYN1", "--store", str(tmp_path), "--json"]
    whole, scanned = cli(*run), cli(*run, "--scan")
    assert (whole.code, scanned.code) == (0, 0)
    assert scanned.object["digest"] == whole.object["digest"]
    assert scanned.object["data"]["id"] == whole.object["data"]["id"]
    shown = cli(*run[:-1], "--scan")
    assert "Final equity" in shown.out
    assert "Digest" in shown.out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--report", "x.html"], "metrics only"),
        (["--funding", "x.csv"], "alphalab data ingest"),
        (["--schema", "x.toml"], "--scan with --schema"),
        (["--label", "open"], "--scan with --label"),
        (["-d", "sp500"], "store:"),
    ],
)
def test_what_the_command_cannot_scan(cli, tmp_path: Path, market: al.Bars, flags, said) -> None:
    stored(tmp_path, market)
    run = cli("backtest", "sma_cross", "-d", "store:x/1h", "--store", tmp_path, "--scan", *flags)
    assert run.code == 2
    assert said in run.err


def test_what_is_for_files_is_refused_for_a_store(cli, tmp_path: Path, market: al.Bars) -> None:
    stored(tmp_path, market)
    run = ["backtest", "sma_cross", "-d", "store:x/1h", "--store", tmp_path, "--label", "open"]
    refused = cli(*run)
    assert refused.code == 2
    assert "label" in refused.err


def test_a_summary_is_shown(tmp_path: Path, market: al.Bars) -> None:
    store = stored(tmp_path, market)
    summary = al.backtest(Momentum(), al.scan("store:x/1h", store=store), margin=MARGIN)
    assert repr(summary).startswith("<Summary: Momentum(n=20) over 500 rows, return ")
    figure = summary.plot()
    assert [trace.name for trace in figure.data] == ["Momentum", "Drawdown"]
    assert list(figure.data[0].y) == summary.equity.tolist()
    assert set(summary.metrics) == set(METRICS)
    assert "Data quality" in summary.assumptions


def test_splits_that_are_known_are_applied_or_refused(tmp_path: Path) -> None:
    base = al.load("synthetic:rows=60,symbols=1,seed=3,bar=1h,gaps=0")
    prices = {name: values.copy() for name, values in base.columns.items()}
    for name in ("open", "high", "low", "close"):
        prices[name][30:] /= 2
    store = stored(tmp_path, al.Bars(base.time, base.symbols, prices))
    at = pa.array([int(base.time[29]) // 1_000])
    event = {"venue": ["x"], "symbol": ["SYN"], "time": at, "known": at}
    store.write("actions", table(**event, split=[2.0], dividend=pa.array([None], pa.float64())))
    for bars in (al.load("store:x/1h", store=tmp_path), al.scan("store:x/1h", store=store)):
        with pytest.raises(al.errors.RefusedError, match="1 split is known, and not applied"):
            al.backtest(Momentum(n=5), bars)
        accepted = al.backtest(Momentum(n=5), bars, quality="accept", margin=MARGIN)
        assert "column split" in accepted.warnings[0]
        assert not al.backtest(Momentum(n=5), bars, actions="cash", margin=MARGIN).warnings


def test_what_a_strategy_does_not_read_is_said(tmp_path: Path, market: al.Bars) -> None:
    store = stored(tmp_path, market)
    start = pa.array([int(market.time[0]) // 1_000])
    member = {"name": ["u"], "symbol": ["SYN1"], "start": start, "known": start}
    store.write("universe", table(**member, end=pa.array([None], pa.int64())))
    rate = {"venue": ["x"], "symbol": ["SYN1"], "time": start, "rate": [1e-4]}
    store.write("funding", table(**rate))
    scan = al.scan("store:x/1h", store=store, universe="u")
    bars = al.load("store:x/1h", store=tmp_path, universe="u")
    for data in (scan, bars):
        assert any("funding of SYN1 is in the store" in note for note in texts(data))
        assert any("member" in x for x in al.backtest(Momentum(), data, margin=MARGIN).warnings)
        assert not al.backtest(Members(), data).warnings


@pytest.mark.parametrize("block_rows", [1, 7, *BLOCKS])
def test_listings_end_in_the_same_rows(tmp_path: Path, market: al.Bars, block_rows: int) -> None:
    """One with a price, one at its last close days after its last bar, one after the last row."""
    columns = {name: values.copy() for name, values in market.columns.items()}
    for values in columns.values():
        values[200:, 0] = values[310:, 1] = np.nan
    store = stored(tmp_path, al.Bars(market.time, market.symbols, columns))
    ends = pa.array([market.time[199] // 1_000 - 1, market.time[350] // 1_000, 2**51])
    store.write(
        "delistings",
        table(
            venue=["x"] * 3,
            symbol=["SYN1", "SYN2", "SYN3"],
            time=ends,
            known=ends,
            price=[0.25, None, None],
        ),
    )
    bars = al.load("store:x/1h", store=tmp_path)
    there = np.argwhere(~np.isnan(bars["delisting"])).tolist()
    first, second = np.searchsorted(bars.time, [market.time[199], market.time[350] + 1])
    assert there == [[first, 0], [second, 1]]
    last = bars.close[~np.isnan(bars.close[:, 1]), 1][-1]
    assert bars["delisting"][first, 0] == 0.25 and bars["delisting"][second, 1] == last
    scan = al.scan("store:x/1h", store=store, block_rows=block_rows)
    assert scan.belonging == ("delisting",)
    blocks = list(scan.blocks(("close", "delisting")))
    for name in ("close", "delisting"):
        np.testing.assert_array_equal(
            np.concatenate([block.columns[name] for block in blocks]), bars[name]
        )
