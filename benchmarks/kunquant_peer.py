"""KunQuant's side of `expressions.py`: float64, blocked layout, its widest lanes and threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import KunQuant.Op as op
import KunQuant.ops as ops
import numpy as np
from KunQuant.Driver import KunCompilerConfig
from KunQuant.jit import cfake
from KunQuant.ops.MiscOp import DiffWithWeightedSum
from KunQuant.predefined import talib
from KunQuant.runner import KunRunner
from KunQuant.Stage import Function

#: Two ways to compute means and variances, neither always the faster.
MODES = {"running": "no_warn", "summing": True}


def widest() -> int:
    """Return how many float64 this processor computes with at a time."""
    return 8 if "avx512dq" in Path("/proc/cpuinfo").read_text() else 4


class Panel:
    """Columns (T, N) in its fastest layout: blocks of assets, the last one filled with NaN."""

    def __init__(self, columns: Mapping[str, np.ndarray], lanes: int) -> None:
        self.shape = next(iter(columns.values())).shape
        self.lanes = lanes
        rows, assets = self.shape
        self.blocks = -(-assets // lanes)
        self.columns = {name: self.blocked(values) for name, values in columns.items()}
        self.columns["share"] = self.blocked(np.full(self.shape, 1.0 / assets))
        self.out = np.empty((self.blocks, rows, lanes))

    def blocked(self, values: np.ndarray) -> np.ndarray:
        rows, assets = self.shape
        padded = np.full((rows, self.blocks * self.lanes), np.nan)
        padded[:, :assets] = values
        blocks = padded.reshape(rows, self.blocks, self.lanes).transpose(1, 0, 2)
        return np.ascontiguousarray(blocks)

    def values(self) -> np.ndarray:
        rows, assets = self.shape
        return self.out.transpose(1, 0, 2).reshape(rows, -1)[:, :assets].copy()


def words(columns: Iterable[str]) -> SimpleNamespace:
    """Return what the cases of `operators.py` write with, within a Builder."""
    every = SimpleNamespace(
        **{name: getattr(ops, name) for name in dir(ops) if not name.startswith("_")}
    )
    every.DiffWithWeightedSum = DiffWithWeightedSum
    return SimpleNamespace(
        ops=every,
        op=op,
        talib=talib,
        constant=op.ConstantOp,
        zero=op.ConstantOp(0.0),
        one=op.ConstantOp(1.0),
        nan=op.ConstantOp("nan"),
        **{name: op.Input(name) for name in columns},
    )


class Compiled:
    """Cases, each compiled both ways for each of the lanes it can have."""

    def __init__(
        self,
        cases: Mapping[str, Callable[[SimpleNamespace], Any]],
        columns: Mapping[str, np.ndarray],
        threads: int,
    ) -> None:
        n_assets = next(iter(columns.values())).shape[1]
        lanes = {8, 4} if widest() == 8 else {4}
        # An operator across assets that knows no NaN needs lanes that fill the last block.
        self.panels = {
            n: Panel(columns, n) for n in sorted(lanes) if n == widest() or not n_assets % n
        }
        self.executor = KunRunner.createMultiThreadExecutor(threads)
        self.names = [
            (name, f"{name}_{n}_{mode}", n, mode)
            for name in cases
            for n in self.panels
            for mode in MODES
        ]
        start = time.perf_counter()
        library = cfake.compileit(
            [
                (module, self._function(cases[name], self.panels[n]), _settings(n, mode))
                for name, module, n, mode in self.names
            ],
            "operators",
            cfake.CppCompilerConfig(),
        )
        self.compile_s = time.perf_counter() - start
        self.modules = {module: library.getModule(module) for _, module, _, _ in self.names}

    @staticmethod
    def _function(case: Callable[[SimpleNamespace], Any], panel: Panel) -> Function:
        builder = op.Builder()
        with builder:
            op.Output(case(words(panel.columns)), "out")
        return Function(builder.ops)

    def runs(self, name: str) -> dict[str, Callable[[], np.ndarray]]:
        """Return each way to compute a case; called, it leaves its values in `panel.out`."""
        return {
            module: self._run(self.modules[module], self.panels[n])
            for case, module, n, mode in self.names
            if case == name
        }

    def _run(self, module: Any, panel: Panel) -> Callable[[], Panel]:
        def run() -> Panel:
            KunRunner.runGraph(
                self.executor, module, panel.columns, 0, panel.shape[0], {"out": panel.out}
            )
            return panel

        return run


def _settings(lanes: int, mode: str) -> KunCompilerConfig:
    return KunCompilerConfig(
        dtype="double",
        blocking_len=lanes,
        input_layout="STs",
        output_layout="STs",
        options={"no_fast_stat": MODES[mode]},
    )
