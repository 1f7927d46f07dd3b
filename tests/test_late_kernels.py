"""Late kernels, references to named tuples, and kernels that are parts of others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from alphalab.kernels._jit import DISABLED

pytestmark = pytest.mark.skipif(DISABLED, reason="nothing is compiled: NUMBA_DISABLE_JIT is set")

KERNELS = """
from collections import namedtuple

import numpy as np
from numba import float64, int64, void
from numba.core.types import NamedTuple

from alphalab.kernels import _late
from alphalab.kernels._jit import entry_of, jit, jit_late, jit_pointer
from alphalab.kernels._reference import Reference, by_reference

Pair = namedtuple("Pair", "numbers count")
SERIES = float64[::1]
PAIR = Reference(NamedTuple([SERIES, int64], Pair))

@jit
def doubled(x):
    return 2.0 * x

@jit_late(void(PAIR))
def double_all(pair):
    for i in range(pair.count):
        pair.numbers[i] = doubled(pair.numbers[i])

@jit_late(float64(SERIES, int64))
def checked(numbers, i):
    if i >= numbers.size:
        raise IndexError("outside")
    return numbers[i]

@jit_pointer(float64(float64))
def apply(address, x):
    return address(x)

def _driver(numbers, count, i, address):
    pair = by_reference(Pair(numbers, count))
    if count > 0:
        double_all(pair)
    return apply(address, checked(numbers, i))

def halved(x):
    return 0.5 * x

driver = jit(_driver, float64(SERIES, int64, int64, int64))
half = entry_of(jit(halved, float64(float64)))

def filled():
    return sorted(late.symbol.rpartition(".")[2] for late in _late._LATE.values()
                  if late.symbol.startswith("alphalab.late.kernels_of_a_test") and late._slot.value)
"""

RUN = """
from kernels_of_a_test import driver, filled, half, np

numbers = np.array([1.0, 2.0, 3.0])
assert filled() == []
assert driver(numbers, 0, 1, half) == 1.0
assert filled() == ["checked"]  # the other is not compiled
assert driver(numbers, 2, 1, half) == 2.0
assert numbers.tolist() == [2.0, 4.0, 3.0]
assert filled() == ["checked", "double_all"]
try:
    driver(numbers, 0, 3, half)
except IndexError as error:
    assert str(error) == "outside"
else:
    raise AssertionError("no error")
print(sum(driver.stats.cache_hits.values()))
"""


def test_late_kernels_compile_when_first_called_and_are_found_on_disk(tmp_path: Path) -> None:
    (tmp_path / "kernels_of_a_test.py").write_text(KERNELS)
    path = os.pathsep.join([str(tmp_path), *sys.path])
    variables = os.environ | {"PYTHONPATH": path, "ALPHALAB_CACHE_DIR": str(tmp_path / "cache")}
    hits = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", RUN], env=variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        hits.append(int(done.stdout))
    assert hits == [0, 1]
    # A part has no code of its own, and no file.
    kept = {file.name.split("-")[0].rpartition(".")[2] for file in tmp_path.rglob("*.nbi")}
    assert kept == {"_driver", "double_all", "checked", "halved"}


INTERRUPTED = """
import ctypes
import signal
import time

from alphalab.kernels import _late

class Interrupted(_late.Late):
    calls = 0

    def fill(self):
        self.calls += 1
        if self.calls == 1:
            signal.raise_signal(signal.SIGINT)
            time.sleep(30)

late = Interrupted("of_a_test", lambda: None)
try:
    _late._enter(ctypes.addressof(late._slot))
    print(late.calls)
    time.sleep(30)
except KeyboardInterrupt:
    print("interrupted")
"""

BROKEN = """
import ctypes

from alphalab.kernels import _late

late = _late.Late("of_a_test", lambda: 1 / 0)
_late._enter(ctypes.addressof(late._slot))
print("not reached")
"""


@pytest.mark.slow
def test_an_interrupt_waits_until_a_late_kernel_is_there() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["2", "interrupted"]


def test_a_late_kernel_that_does_not_compile_ends_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", BROKEN], capture_output=True, text=True)
    assert done.returncode != 0
    assert "ZeroDivisionError" in done.stderr
    assert done.stdout == ""
