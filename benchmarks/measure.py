"""Times side by side, memory of one side alone, tables: what the benchmarks share."""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]


class Times(NamedTuple):
    """What repeated runs of one side took, s."""

    best: float
    median: float
    worst: float
    cpu: float  # median of the processor's time, all threads


def timed(function: Callable[[], Any]) -> tuple[float, float, Any]:
    """Run once: seconds, processor seconds of all threads, and the value."""
    wall, cpu = time.perf_counter(), time.process_time()
    value = function()
    return time.perf_counter() - wall, time.process_time() - cpu, value


def side_by_side(sides: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, Times]:
    """Run every side once in each of so many rounds, in turns, so that noise meets them alike.

    Whatever a side compiles or caches must have happened before: call each once to warm it up.
    """
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    names = list(sides)
    for turn in range(repeats):
        for name in (*names[turn % len(names) :], *names[: turn % len(names)]):
            gc.collect()
            wall, cpu, value = timed(sides[name])
            del value  # before the next side, which may need the memory
            runs[name].append((wall, cpu))
    return {name: summary(spent) for name, spent in runs.items()}


def summary(spent: Sequence[tuple[float, float]]) -> Times:
    """Sum up runs given as (seconds, processor seconds)."""
    walls = [wall for wall, _ in spent]
    cpus = [cpu for _, cpu in spent]
    return Times(min(walls), statistics.median(walls), max(walls), statistics.median(cpus))


def peak_mib() -> float:
    """Return the largest resident memory of this process, MiB, since `forget_peak` if called."""
    return _status("VmHWM")


def resident_mib() -> float:
    """Return the resident memory of this process now, MiB."""
    gc.collect()
    return _status("VmRSS")


def forget_peak() -> None:
    """Let the peak begin again from what is resident now (Linux; elsewhere it goes on)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _status(name: str) -> float:
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:  # not Linux: the peak is all there is
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
    return next(int(line.split()[1]) for line in status.splitlines() if name in line) / 1024


def alone(script: str | Path, *arguments: str, python: str | None = None) -> Any:
    """Run a script in a process of its own and return the JSON object it prints last."""
    done = subprocess.run(
        [python or sys.executable, str(script), *arguments], capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{' '.join([str(script), *arguments])} failed:\n{done.stderr[-4000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def installed(module: str) -> bool:
    """Tell whether a peer can be imported here."""
    return importlib.util.find_spec(module) is not None


def has(package: str) -> bool:
    """Tell whether a distribution is installed here."""
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def environment(*packages: str) -> dict[str, Any]:
    """Return when and where this was measured."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        **{name: version(name) for name in ("alphalab", "numba", "numpy", "pandas", *packages)},
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if "model name" in line), "unknown")


def largest_difference(x: Any, y: Any) -> float:
    """Largest difference, relative to y where that is above 1.

    Infinite if the shapes, the NaNs or the infinities are not the same.
    """
    import numpy as np

    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.shape != y.shape:
        return float("inf")
    finite = np.isfinite(x)
    if not np.array_equal(x[~finite], y[~finite], equal_nan=True) or np.isinf(y[finite]).any():
        return float("inf")
    x, y = x[finite], y[finite]
    difference = np.abs(x - y) / np.maximum(np.abs(y), 1.0)
    return float(np.max(difference, initial=0.0)) if not np.isnan(y).any() else float("inf")


def show(title: str, rows: Sequence[Mapping[str, Any]], note: str = "") -> None:
    """Print rows as a table, three significant digits each; as Markdown where nobody looks on."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    markdown = not console.is_terminal
    table = Table(box=box.MARKDOWN if markdown else box.HEAVY_HEAD)
    for place, name in enumerate(rows[0]):
        table.add_column(name, justify="left" if place == 0 else "right")
    for row in rows:
        table.add_row(*(figure(value) for value in row.values()))
    if markdown:
        console = Console(width=400, soft_wrap=True)
    console.print(f"{title}\n", style="bold", highlight=False)
    console.print(table)
    console.print(f"\n{note}\n" if note else "", highlight=False)


def figure(value: Any) -> str:
    """Write a number with three significant digits, anything else as it is."""
    if value is None:
        return ""
    if isinstance(value, bool | str) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if value != value or value in (float("inf"), float("-inf")):
        return str(value)
    size = abs(value)
    if 0 < size < 1e-3:
        return f"{value:.1e}"
    return (
        f"{value:,.0f}" if size >= 1000 else f"{value:.{3 if size < 1 else 2 if size < 10 else 1}f}"
    )


def finish(found: Mapping[str, Any], as_json: bool, tell: Callable[[], None]) -> None:
    """Print the findings as one line of JSON, or as the script tells them."""
    if as_json:
        print(json.dumps(found))
    else:
        tell()
