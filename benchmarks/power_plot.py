"""Draw the power table of docs/validation.md as docs/validation_power.png.

python benchmarks/power_plot.py

benchmarks/calibration.py prints the table. The picture is drawn from the table in the page, so the
two show the same numbers.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).parents[1] / "docs"
PAGE, PICTURE = DOCS / "validation.md", DOCS / "validation_power.png"
#: | true Sharpe | years | searches | promoted (interval) |
_ROW = re.compile(
    r"^\| ([\d.]+) \| (\d+) \| \d+ \| ([\d.]+)% \(([\d.]+)% to ([\d.]+)%\) \|", re.MULTILINE
)


class Cell(NamedTuple):
    """One row of the table: the share that is promoted, with its interval, in percent."""

    sharpe: float
    years: int
    share: float
    low: float
    high: float


def read_table(page: str) -> list[Cell]:
    """Return the rows of the power table of a page."""
    cells = [
        Cell(float(sharpe), int(years), *map(float, shares))
        for sharpe, years, *shares in _ROW.findall(page)
    ]
    if not cells:
        raise SystemExit(f"{PAGE}: no power table. Paste what benchmarks/calibration.py printed.")
    return cells


def draw(cells: list[Cell], path: Path) -> None:
    """Write the picture: one line for each length of the data, bars for the intervals."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, 3.6), layout="tight")
    axes = figure.add_subplot()
    for years in sorted({cell.years for cell in cells}):
        line = sorted(cell for cell in cells if cell.years == years)
        # A little apart, so that the bars of two lines do not hide each other.
        x = [cell.sharpe + (years - 7.5) / 500 for cell in line]
        y = [cell.share for cell in line]
        bars = [[c.share - c.low for c in line], [c.high - c.share for c in line]]
        axes.errorbar(x, y, yerr=bars, marker="o", capsize=3, label=f"{years} years")
    axes.set_xlabel("True annual Sharpe ratio")
    axes.set_ylabel("Promoted, percent (bars: 95 % interval)")
    axes.set_xticks(sorted({cell.sharpe for cell in cells}))
    axes.set_ylim(0, 102)
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    figure.savefig(path, dpi=100, metadata={"Software": None})


if __name__ == "__main__":
    draw(read_table(PAGE.read_text("utf-8")), PICTURE)
