"""What a run of a built-in data set imports: no store, no exchange, no ingestion."""

from __future__ import annotations

import json
import subprocess
import sys

RUN = """
import json, sys
import alphalab as al

class Hold(al.Strategy):
    def weights(self):
        return al.where(al.close > 0, 1.0, 0.0)

al.backtest(Hold(), al.load("synthetic:rows=300,symbols=1"))
print(json.dumps(sorted(sys.modules)))
"""


def test_a_backtest_of_a_data_set_imports_no_store() -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN], capture_output=True, text=True, check=True, timeout=300
    )
    modules = json.loads(done.stdout)
    rooms = ("store", "exchanges", "ingestion", "trades")
    others = ("deltalake", "duckdb", "exchange_calendars")
    unwanted = tuple(f"alphalab.data.{room}." for room in rooms)
    assert not [name for name in modules if name.startswith(unwanted) or name in others]
    assert "alphalab.data.panel.bars" in modules
