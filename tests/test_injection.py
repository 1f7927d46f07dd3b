"""Names that are programs stay text in every page: tried in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from browser import dom_of
from commands import Run
from pyarrow import csv

import alphalab as al

OWN = "document.documentElement.dataset.owned=1"
PAYLOADS = (
    f"</script><script>{OWN}</script>",
    f"<img src=x onerror={OWN}>",
    f'"><svg onload="{OWN}">',
    f"' autofocus onfocus={OWN} x='",
    f"<iframe srcdoc='<script>parent.{OWN}</script>'></iframe>",
    f"<a href='javascript:{OWN}'>x</a>",
    f"</title></style></textarea><script>{OWN}</script><!--",
    "&lt;script&gt;&#60;b&#62;",
)
EVIL = " ".join(PAYLOADS)
IN_A_FILE_NAME = f"<img src=x onerror={OWN}>"

STRATEGY = f'''
import alphalab as al


class Evil(al.Strategy):
    """{EVIL}"""

    word: str = {EVIL!r}
    n: int = 3

    def weights(self) -> al.Expr:
        return al.where(al.close > al.column({EVIL!r}).ts_mean(self.n), 0.4, 0.0)
'''


class Page(HTMLParser):
    """What stands in a document: whether the payload ran, and elements it would have made."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.owned = False
        self.planted: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.owned |= "data-owned" in values
        code = [name for name, value in attrs if OWN in (value or "") and name.startswith("on")]
        link = (values.get("href") or "").strip().lower().startswith("javascript:")
        if code or link or tag == "iframe" or (tag == "img" and values.get("src") == "x"):
            self.planted.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def seen(path: Path, tmp_path: Path) -> Page:
    return Page(dom_of(path, tmp_path / "profile"))


@pytest.mark.parametrize("payload", PAYLOADS[:3])
def test_a_page_that_lets_them_in_is_found_out(payload: str, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(f"<html><body><script>'{payload}'</script><p>{payload}</p></body></html>")
    assert seen(path, tmp_path).owned


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A strategy and a file of bars in which all that has a name has an evil one."""
    strategy = tmp_path / "evil.py"
    strategy.write_text(STRATEGY)
    days = np.datetime64("2024-01-01T21:00", "s") + np.arange(120) * np.timedelta64(1, "D")
    close = 100.0 + 5.0 * np.sin(np.arange(240))
    table = pa.table(
        {
            "time": np.concatenate([days, days]),
            "symbol": [EVIL] * 120 + ["plain"] * 120,
            **dict.fromkeys(("open", "high", "low", "close"), close),
            "volume": np.ones(240),
            EVIL: close,
        }
    )
    data = tmp_path / f"{IN_A_FILE_NAME}.csv"
    csv.write_csv(table, data)
    return strategy, data


def test_nothing_in_a_report_is_run(
    files: tuple[Path, Path], tmp_path: Path, cli: Callable[..., Run]
) -> None:
    strategy, data = files
    report = tmp_path / "report.html"
    run = cli("backtest", strategy, "--data", data, "--report", report)
    assert run.code == 0, run.err
    page = seen(report, tmp_path)
    assert not page.owned and page.planted == []
    assert page.text.count(PAYLOADS[0]) >= 2 and IN_A_FILE_NAME in page.text


def test_nothing_in_the_report_of_a_sweep_is_run(
    files: tuple[Path, Path], tmp_path: Path, cli: Callable[..., Run]
) -> None:
    strategy, data = files
    report = tmp_path / "sweep.html"
    words = ("--grid", "n=3,4,5", "--grid", f"word={IN_A_FILE_NAME},b")
    run = cli("sweep", strategy, "--data", data, *words, "--report", report)
    assert run.code == 0, run.err
    page = seen(report, tmp_path)
    assert not page.owned and page.planted == []
    assert IN_A_FILE_NAME in page.text


def test_nothing_in_a_report_on_data_is_run(
    files: tuple[Path, Path], tmp_path: Path, cli: Callable[..., Run]
) -> None:
    report = tmp_path / "check.html"
    run = cli("data", "check", files[1], "--report", report)
    assert run.code in (0, 1), run.err
    page = seen(report, tmp_path)
    assert not page.owned and page.planted == []
    assert PAYLOADS[0] in page.text


def test_nothing_in_a_notebook_is_run(tmp_path: Path) -> None:
    class Hold(al.Strategy):
        word: str = EVIL

        def weights(self) -> al.Expr:
            return al.where(al.close > 0, 1.0, 0.0)

    Hold.__name__ = Hold.__qualname__ = EVIL
    bars = al.load("sp500").rows(0, 100)
    named = al.Bars(bars.time, [EVIL], bars.columns, source=EVIL, notes=(EVIL,))
    result = al.backtest(Hold(), named, quality="accept")
    path = tmp_path / "cell.html"
    path.write_text(f"<html><head></head><body>{result._repr_html_()}</body></html>")
    page = seen(path, tmp_path)
    assert not page.owned and page.planted == []
    assert re.search("onerror", page.text)
