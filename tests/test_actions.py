from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from builders import dates_of, texts
from lean_factors import actions_from_factors

from alphalab.data.load import load
from alphalab.data.panel.bars import Bars
from alphalab.errors import DataError

DAYS = pd.to_datetime(["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08"])
LAST = pd.Timestamp("2050-12-31")


def factors(*rows: tuple[str, float, float], symbol: str = "A") -> pd.DataFrame:
    times = [pd.Timestamp(date) for date, _, _ in rows]
    table = pd.DataFrame(rows, columns=["time", "price_factor", "split_factor"])
    return table.assign(time=times, symbol=symbol)


def closes(*prices: float, symbol: str = "A") -> pd.DataFrame:
    return pd.DataFrame({symbol: prices}, index=DAYS[: len(prices)])


def rows_of(table: pd.DataFrame) -> list[tuple[str, float | None, float | None]]:
    return [
        (f"{row.time:%m-%d}", *(None if np.isnan(x) else round(x, 12) for x in row[-2:]))
        for row in table.itertuples(index=False)
    ]


def test_an_event_is_in_the_first_session_with_other_factors() -> None:
    given = factors(("2024-01-03", 0.98, 0.5), ("2024-01-04", 0.98, 1), ("2050-12-31", 1, 1))
    implied = actions_from_factors(given, closes(10, 10, 5, 4.9, 4.9))
    assert rows_of(implied) == [("01-04", 2.0, None), ("01-05", None, 0.1)]
    assert implied["symbol"].tolist() == ["A", "A"]


def test_a_dividend_on_the_day_of_a_split_is_per_new_unit() -> None:
    given = factors(("2024-01-03", 0.98, 0.5), ("2050-12-31", 1, 1))
    implied = actions_from_factors(given, closes(10, 10, 4.9, 4.9, 4.9))
    # 2 percent of a close of 10 are 0.2 for an old unit.
    assert rows_of(implied) == [("01-04", 2.0, 0.1)]


def test_what_happened_without_a_price_is_one_event() -> None:
    given = factors(("2024-01-03", 0.9, 0.25), ("2024-01-04", 0.95, 0.5), ("2050-12-31", 1, 1))
    implied = actions_from_factors(given, closes(10, 10, np.nan, np.nan, 2.25))
    assert rows_of(implied) == [("01-08", 4.0, 0.25)]


def test_factors_that_do_not_change_imply_nothing() -> None:
    given = factors(("1990-01-01", 0.5, 0.5), ("2024-01-08", 1, 1), ("2050-12-31", 1, 1))
    assert actions_from_factors(given, closes(10, 10, 10, 10, 10)).empty


@pytest.mark.parametrize(
    ("before", "ratio"),
    [
        (0.00892857 / 0.0178571, 2.0),
        (0.0357143 / 0.25, 7.0),
        (0.666667, 1.5),
        (25.0, 0.04),
        (1000 / 1998, 1.998),
        (1 / 1.0123, 1.0123),
    ],
)
def test_ratios_of_whole_numbers_are_exact(before: float, ratio: float) -> None:
    given = factors(("2024-01-03", 1, before), ("2050-12-31", 1, 1))
    implied = actions_from_factors(given, closes(10, 10, 10, 10, 10))
    assert implied["split"].item() == pytest.approx(ratio, rel=1e-15)


def test_factors_that_are_refused() -> None:
    good = factors(("2024-01-03", 0.98, 0.5), ("2050-12-31", 1, 1))
    prices = closes(10, 10, 5, 5, 5)
    with pytest.raises(ValueError, match="not sorted"):
        actions_from_factors(good.iloc[::-1], prices)
    with pytest.raises(ValueError, match="not sorted"):
        actions_from_factors(good, prices.iloc[::-1])
    with pytest.raises(ValueError, match=r"no factors after 2024-01-03.*add a later row"):
        actions_from_factors(good.iloc[:1], prices)
    for bad in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="not above 0"):
            actions_from_factors(good.assign(price_factor=bad), prices)


def test_adjusted_prices_have_the_returns_of_a_holder() -> None:
    close = np.array([10.0, 11.0, 5.0, 5.5, 5.0])
    bars = dates_of(Bars.from_closes(closes(*close), label="close"))
    events = pd.DataFrame({"date": DAYS[[2, 3]], "split": [2, np.nan], "dividend": [0.5, 0.25]})
    units, worth = 1.0, []
    for row, price in enumerate(close):
        before = close[row - 1] / (2 if row == 2 else 1)
        units *= 2 if row == 2 else 1
        paid = {2: 0.5, 3: 0.25}.get(row, 0.0)
        units += units * paid / (before - paid)
        worth.append(units * price)
    bars = bars.with_actions(events)
    series = bars.adjusted().close[:, 0]
    np.testing.assert_allclose(series / series[0], np.array(worth) / worth[0], rtol=1e-14)
    assert series[-1] == close[-1]
    only_splits = bars.adjusted(dividends=False).close[:, 0]
    np.testing.assert_array_equal(only_splits, [5.0, 5.5, 5.0, 5.5, 5.0])


def test_all_prices_and_volumes_are_adjusted() -> None:
    index = pd.MultiIndex.from_product([["open", "high", "low", "close", "volume"], ["A", "B"]])
    values = np.array([[9, 9, 12, 12, 8, 8, 10, 10, 6, 6], [3, 9, 4, 12, 2, 8, 4, 10, 30, 6.0]])
    bars = dates_of(Bars.from_frame(pd.DataFrame(values, DAYS[:2], index), label="close"))
    raw = bars.with_actions(pd.DataFrame({"date": DAYS[[1]], "split": [3.0], "symbol": ["A"]}))
    adjusted = raw.adjusted()
    assert list(adjusted.columns) == ["open", "high", "low", "close", "volume"]
    for name, before in {"open": 3, "high": 4, "low": 8 / 3, "close": 10 / 3, "volume": 18}.items():
        np.testing.assert_allclose(adjusted[name][0, 0], before, rtol=1e-15)
        np.testing.assert_array_equal(adjusted[name][1], bars[name][1])
        np.testing.assert_array_equal(adjusted[name][:, 1], bars[name][:, 1])
    assert "adjusted for splits and dividends as of 2024-01-03" in " ".join(texts(adjusted))
    assert adjusted.id != bars.id


def test_what_comes_after_the_date_changes_nothing() -> None:
    raw = dates_of(Bars.from_closes(closes(10, 11, 5, 5.5, 5), label="close")).with_actions(
        pd.DataFrame({"date": DAYS[[2, 3]], "split": [2, np.nan], "dividend": [0.5, 0.25]})
    )
    for row in range(5):
        before = raw.rows(0, row + 1).adjusted()
        as_of = raw.adjusted(as_of=raw.rows(row, row + 1).end)
        assert as_of == before
        assert as_of.n_rows == row + 1
        assert as_of.close[-1, 0] == raw.close[row, 0]
    assert raw.adjusted(as_of="2024-01-03").close.ravel().tolist() == [10, 11]
    with pytest.raises(DataError, match="no rows between"):
        raw.adjusted(as_of="2024-01-01")


def test_an_event_before_the_next_bar_is_behind_the_last_one() -> None:
    raw = dates_of(Bars.from_closes(closes(10, 11, 5, 5.5, 5), label="close")).with_actions(
        pd.DataFrame({"date": DAYS[[2, 3]], "split": [2, np.nan], "dividend": [0.5, 0.25]})
    )
    for row, event in ((2, (2.0, 0.5)), (3, (np.nan, 0.25))):
        ahead = tuple(np.array([x]) for x in event)
        morning = raw.rows(0, row).adjusted(ahead=ahead).close[:, 0]
        evening = raw.rows(0, row + 1).adjusted().close[:-1, 0]
        np.testing.assert_allclose(morning, evening, rtol=1e-15)
        assert morning[-1] != raw.close[row - 1, 0]


def test_adjusting_that_is_refused() -> None:
    bars = dates_of(Bars.from_closes(closes(10, 10, 10, 10, 10), label="close"))
    with pytest.raises(DataError, match="no column split or dividend"):
        bars.adjusted()
    paid = bars.with_actions(pd.DataFrame({"date": DAYS[[2]], "dividend": [10.0]}))
    with pytest.raises(DataError, match="'A': a dividend of 10 in row 2"):
        paid.adjusted()
    assert paid.adjusted(dividends=False).close.ravel().tolist() == [10.0] * 5
    with pytest.raises(DataError, match="no column split or dividend"):
        paid.adjusted(dividends=False).adjusted()


def test_real_factors_there_and_back(shared_data: Path) -> None:
    raw = pd.read_parquet(shared_data / "us_equity_daily_raw.parquet")
    given = pd.read_parquet(shared_data / "us_equity_factors.parquet")
    prices = raw.pivot(index="time", columns="symbol", values="close")
    events = actions_from_factors(given, prices)
    splits = events.dropna(subset="split")
    assert [f"{row.time:%Y-%m-%d} {row.symbol} {row.split:g}" for row in splits.itertuples()] == [
        "2000-06-21 AAPL 2",
        "2005-02-28 AAPL 2",
        "2014-06-09 AAPL 7",
        "2020-08-31 AAPL 4",
        "1999-05-27 IBM 2",
        "2000-03-20 QQQ 2",
    ]
    # What Apple announced, to a hundredth of a cent.
    apple = events[events["symbol"] == "AAPL"].set_index("time")["dividend"].dropna().round(4)
    assert apple["2014-05-08":"2014-08-07"].tolist() == [3.29, 0.47]
    assert apple["2020-08-07":"2021-02-05"].round(3).tolist() == [0.82, 0.205, 0.205]
    for label in ("open", None):
        bars = load(shared_data / "us_equity_daily_raw.parquet", label=label)
        adjusted = bars.with_actions(events).adjusted()
        series = pd.DataFrame(adjusted.close, columns=list(bars.symbols))
        for symbol, rows in given.groupby("symbol"):
            # The file rounds 1/28 to 0.0357143.
            held = rows.assign(factor=rows["price_factor"] / (1 / rows["split_factor"]).round())
            of_day = pd.merge_asof(
                prices[[symbol]].reset_index(), held, on="time", direction="forward"
            )
            expected = (of_day[symbol] * of_day["factor"]).to_numpy()
            np.testing.assert_allclose(series[symbol].to_numpy(), expected, rtol=1e-12)


# ---- the engine on real shares ---------------------------------------------------------------


@pytest.fixture
def corporate_actions(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    return importlib.import_module("corporate_actions")


@pytest.mark.parametrize("symbol", ["AAPL", "IBM", "QQQ", "SPY"])
def test_a_holder_of_real_shares_has_what_the_factors_say(
    corporate_actions: ModuleType, shared_data: Path, symbol: str
) -> None:
    share = corporate_actions.load(shared_data, symbol)
    assert corporate_actions.splits_alone(share) <= 1e-9
    booked, equity = corporate_actions.dividends_as_cash(share)
    assert len(booked) == {"AAPL": 35, "IBM": 93, "QQQ": 43, "SPY": 94}[symbol]
    np.testing.assert_allclose(booked["booked"], booked["expected"], rtol=1e-9)
    assert equity <= 1e-9
    assert corporate_actions.dividends_reinvested(share) <= 1e-9


def test_the_comparison_with_factors_can_fail(
    corporate_actions: ModuleType, shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    share = corporate_actions.load(shared_data, "AAPL")
    late = share._replace(split=np.roll(share.split, 1))
    assert corporate_actions.splits_alone(late) > 1e-3
    few = share._replace(events=share.events.drop(index=share.events.index[-1]))
    assert corporate_actions.dividends_reinvested(few) > 1e-4
    assert corporate_actions.dividends_as_cash(few)[1] == np.inf
    assert not corporate_actions.examine(few)["agrees"]
    more = share._replace(events=share.events.assign(dividend=share.events["dividend"] * 1.001))
    assert corporate_actions.dividends_as_cash(more)[1] > 1e-6
    assert not corporate_actions.examine(more)["agrees"]
    assert corporate_actions.main(["nowhere"]) == 2
    assert "usage" in capsys.readouterr().err
