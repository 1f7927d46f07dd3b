"""The pages for those who come from other libraries: equal numbers, and equal signals."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from page_steps import run_page

import alphalab as al

DOCS = Path(__file__).parents[1] / "docs"
BARS = al.load("synthetic:rows=4000,symbols=1,seed=3,bar=5m")  # as on the page


@pytest.mark.filterwarnings("ignore")  # of the other libraries
@pytest.mark.parametrize(
    ("page", "peer"), [("from_vectorbt.md", "vectorbt"), ("from_backtesting.md", "backtesting")]
)
def test_the_ports_have_the_numbers_of_the_peer(
    cli: Any, page: str, peer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(peer)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ALPHALAB_TRIALS")
    text = (DOCS / page).read_text()
    assert run_page(text, cli) >= 6
    assert equal_pairs(text) >= 4


def equal_pairs(text: str) -> int:
    """Return how many results the page says to be equal; refuse one that is not."""
    assert not re.search(r"^\(?False\b", text, re.M)
    said = len(re.findall(r"^\(?True\b", text, re.M))
    shown = re.findall(r"^>>> (?:final|round)\(.*\n(\d+\.\d+)$", text, re.M)
    assert shown[::2] == shown[1::2], shown
    return said + len(shown) // 2


@pytest.mark.parametrize("text", ["(False, 1.0)\n", ">>> final(x)\n1.00\n>>> round(y, 2)\n1.01\n"])
def test_a_page_with_other_numbers_fails(text: str) -> None:
    with pytest.raises(AssertionError):
        equal_pairs(text)


def freqtrade_strategies() -> dict[str, Any]:
    """Return the strategies that the page shows as freqtrade has them.

    Only the names that freqtrade itself would provide are stand-ins: an empty base class, a
    parameter that has its default, and a mark of a method.
    """
    names = SimpleNamespace(
        IStrategy=object,
        IntParameter=lambda low, high, default, space: SimpleNamespace(value=default),
        informative=lambda interval: lambda method: method,
    )
    text = (DOCS / "from_freqtrade.md").read_text()
    found: dict[str, Any] = {}
    for name, block in re.findall(r"^```python\n# (\w+)\.py\n(.*?)^```$", text, re.S | re.M):
        first = {"ema_cross": found.get("ema_cross")}
        found[name] = load(name, block, {"freqtrade": names, "freqtrade.strategy": names, **first})
    return found


def load(name: str, code: str, modules: dict[str, Any]) -> Any:
    """Run the code of a module that sees other modules than those installed."""
    module = ModuleType(name)
    with pytest.MonkeyPatch.context() as patch:
        for key, value in modules.items():
            patch.setitem(sys.modules, key, value)
        exec(compile(code, f"{name}.py", "exec"), vars(module))
    return module


def candles(bars: al.Bars) -> pd.DataFrame:
    frame = bars.to_frame().droplevel("symbol", axis="columns")
    return frame.assign(enter_long=0, exit_long=0)


def held(frame: pd.DataFrame, known: pd.Series) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the position that entries and exits make, NaN until the indicators are known."""
    out, now = [], 0.0
    for enter, leave, sure in zip(frame["enter_long"], frame["exit_long"], known, strict=True):
        now = (0.0 if leave else 1.0 if enter else now) if sure else now
        out.append(now if sure else np.nan)
    return np.array(out)


class EmaCross(al.Strategy):
    """As on the page; a test compares the two."""

    fast: int = 12
    slow: int = 48
    most: float = 60.0

    def weights(self) -> al.Expr:
        fast, slow = al.close.ema(self.fast), al.close.ema(self.slow)
        return al.latch((fast > slow) & (al.close.rsi(14) < self.most), fast < slow)


class TrendFilter(al.Strategy):
    """As on the page."""

    def weights(self) -> al.Expr:
        rsi, hourly = al.close.rsi(14), al.on("1h", al.close.rsi(14))
        return al.latch((rsi < 35) & (hourly > 45), rsi > 65)


def test_the_strategies_here_are_those_of_the_page() -> None:
    page = (DOCS / "from_freqtrade.md").read_text()
    here = Path(__file__).read_text()
    for name in ("EmaCross", "TrendFilter"):
        shown = page.split(f">>> class {name}(al.Strategy):\n")[1].split(">>>")[0]
        for line in shown.splitlines():
            code = line.removeprefix("...").strip()
            assert code.replace("def weights(self):", "def weights(self)") in here, code


def ours(strategy: al.Strategy) -> np.ndarray[Any, np.dtype[np.float64]]:
    values: Any = al.evaluate(strategy.weights(), BARS).iloc[:, 0].to_numpy()
    return values


@pytest.mark.parametrize("module", ["ema_cross", "tuned"])
def test_signals_of_freqtrade_are_ours(module: str) -> None:
    pytest.importorskip("talib")
    name = {"ema_cross": "EmaCross", "tuned": "Tuned"}[module]
    theirs = getattr(freqtrade_strategies()[module], name)()
    frame = theirs.populate_indicators(candles(BARS), {})
    frame = theirs.populate_exit_trend(theirs.populate_entry_trend(frame, {}), {})
    expected = held(frame, frame["slow"].notna())
    assert np.nansum(np.diff(expected) != 0) > 20
    np.testing.assert_array_equal(ours(EmaCross()), expected)
    with pytest.raises(AssertionError):  # the comparison can fail
        np.testing.assert_array_equal(ours(EmaCross(most=55.0)), expected)


def test_the_informative_timeframe_of_freqtrade_is_ours() -> None:
    pytest.importorskip("talib")
    theirs = freqtrade_strategies()["trend_filter"].TrendFilter()
    hourly = theirs.populate_indicators_1h(candles(BARS.resample("1h")), {})["rsi"]
    frame = theirs.populate_indicators(candles(BARS), {})
    frame["rsi_1h"] = hourly.reindex(frame.index, method="ffill")  # known at the close of its hour
    frame = theirs.populate_exit_trend(theirs.populate_entry_trend(frame, {}), {})
    expected = held(frame, frame["rsi"].notna())
    found = ours(TrendFilter())
    known = ~np.isnan(found)
    assert known.sum() > 3000
    np.testing.assert_array_equal(found[known], expected[known])
