"""Edited user code is compiled again, never loaded from the cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from numba.core.caching import _CacheLocator

import alphalab as al
from alphalab.kernels._jit import CACHE_DIR
from alphalab.kernels.market import drivers

OPERATOR = """
import alphalab as al
import constants

@al.op(family="elementwise")
def edited(params, x):
    return x * 2.0 + constants.VALUE
"""

RUN_OPERATOR = """
import numpy as np
import alphalab as al
import edited_code
from alphalab.expr.plan import Plan

plan = Plan({"a": edited_code.edited(al.close)}, [al.Instrument(symbol="A")])
print(plan.run({"close": np.array([[10.0]])}, 1)["a"][0, 0])
"""

DECIDE = """
import numpy as np
import alphalab as al
import constants

class Edited(al.Strategy):
    def signals(self):
        return {"close": al.close}

    @staticmethod
    def decide(signals):
        return signals.close * 0.0 + 0.01 * (2.0 + constants.VALUE)
"""

RUN_DECIDE = """
import numpy as np
import alphalab as al
import edited_code

engine = al.Engine(edited_code.Edited(), [al.Instrument(symbol="A")], al.RunSettings())
price = np.array([[10.0]])
print(round(engine.push(np.array([1]), {"open": price, "close": price}).targets[0, 0] * 100))
"""


@pytest.mark.parametrize(
    ("code", "main", "results"),
    [(OPERATOR, RUN_OPERATOR, (21.0, 31.0, 35.0)), (DECIDE, RUN_DECIDE, (3.0, 4.0, 8.0))],
    ids=["operator", "decide"],
)
def test_edited_code_is_never_answered_from_the_cache(tmp_path, code, main, results):
    cache = tmp_path / "cache"
    kernels = cache / "kernels"
    kernels.mkdir(mode=0o700, parents=True)
    market = _CacheLocator.get_suitable_cache_subpath(drivers.__file__)  # a minute to compile
    shutil.copytree(CACHE_DIR / market, kernels / CACHE_DIR.name / market)

    def write(name: str, text: str) -> None:
        # The same size and the same time: nothing but the content tells that it was edited.
        (tmp_path / name).write_text(text)
        os.utime(tmp_path / name, (1_700_000_000, 1_700_000_000))

    def value() -> float:
        environment = os.environ | {
            "ALPHALAB_CACHE_DIR": str(cache),
            "PYTHONPATH": f"{Path(al.__file__).parents[1]}",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [sys.executable, "-W", "error", "main.py"]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return float(done.stdout)

    def compiled() -> set[Path]:
        return set(cache.rglob("*.nbc"))

    as_written, code_edited, constant_edited = results
    write("main.py", main)
    write("constants.py", "VALUE = 1.0")
    write("edited_code.py", code)
    before = compiled()
    assert value() == as_written
    first = compiled()
    assert first > before
    assert value() == as_written
    assert compiled() == first  # nothing was compiled again
    write("edited_code.py", code.replace("2.0", "3.0"))
    assert value() == code_edited
    write("constants.py", "VALUE = 5.0")
    assert value() == constant_edited


IDENTITY = """
from alphalab.expr.identity import identity

NAMES = {"alpha", "beta", "gamma"}

def function(x, table={"a": (1.0, frozenset("abc"))}):
    return [v for v in x if v in {"d", "e", "f"}], (lambda: NAMES), sum(v for v in x)

print(identity(function))
"""


def test_identity_is_the_same_in_every_process(tmp_path):
    (tmp_path / "main.py").write_text(IDENTITY)
    seen = set()
    for seed in ("1", "2", "3"):
        environment = os.environ | {
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": f"{Path(al.__file__).parents[1]}",
        }
        command = [sys.executable, "-W", "error", "main.py"]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        seen.add(done.stdout)
    assert len(seen) == 1
