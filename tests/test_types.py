"""What a type checker says of a user's code: mistakes are found, the project of `new` is clean."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from alphalab.artifact.loading import reference_strategies
from alphalab.cli.new import _files

ROOT = Path(__file__).parents[1]

#: A line of a user's code, and what mypy says of it.
LINES = {
    "ok = al.backtest(Hold(), bars, fill='next_close', sizing='at_fill')": None,
    "mean: al.Expr = al.ts_mean(al.close, 10, min_periods=5)": None,
    "band: al.Expr = al.bollinger(al.close).upper": None,
    "late: al.Expr = al.where(al.hour() >= 15, 0.0, al.adx(al.high, al.low, al.close, n=7))": None,
    "Hold(n=3).n.bit_length()": None,
    "Hold(rows=3)": "call-arg",
    "Hold(n='three')": "arg-type",
    "Hold().n = 4": "misc",
    "al.backtest(Hold(), bars, fill='nxt')": "call-overload",
    "al.sweep(Hold, bars, {}, sizing='by_valeu')": "typeddict-item|arg-type",
    "al.ts_maen(al.close, 10)": "attr-defined",
    "al.ops.ts_maen(al.close, 10)": "attr-defined",
    "al.ts_mean(al.close)": "call-arg",
    "al.ts_mean(al.close, 'ten')": "arg-type",
    "al.adx(al.high, al.low)": "call-arg",
    "al.kama(al.close, length=10)": "call-arg",
    "al.macd(al.close).lines": "attr-defined",
    "number: int = al.ts_mean(al.close, 10)": "assignment",
}

HEAD = """\
import alphalab as al

bars = al.load("sp500")


class Hold(al.Strategy):
    n: int = 5

    def weights(self) -> al.Expr:
        return al.constant(1)


"""


@pytest.mark.slow
def test_mypy_finds_mistakes_and_accepts_the_project_of_new(tmp_path: Path) -> None:
    files = _files("mine", reference_strategies()["sma_cross"].read_text("utf-8"))
    for name in ("strategies/sma_cross.py", "tests/test_sma_cross.py"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(files[name])
    (tmp_path / "user.py").write_text(HEAD + "\n".join(LINES) + "\n")
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "strategies", "tests", "user.py", "--no-error-summary"],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    found: dict[int, str] = {}
    for line in run.stdout.splitlines():
        if match := re.match(r"user\.py:(\d+): error: .*\[([\w-]+)\]$", line):
            found.setdefault(int(match[1]), match[2])
        else:
            assert line.startswith("user.py") and "note:" in line, run.stdout + run.stderr
    first = HEAD.count("\n") + 1
    said = {line: found.get(first + i) for i, line in enumerate(LINES)}
    for line, code in LINES.items():
        assert re.fullmatch(code or "None", str(said[line])), (line, run.stdout, run.stderr)
