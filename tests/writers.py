"""Processes that write into a store: several at a time, or killed while writing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_HERE = str(Path(__file__).parent)


def writer(body: str, url: str, options: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start a process that has a `store`, says "ready", and runs the body at a line of input."""
    program = f"""
import json, sys
sys.path.insert(0, {_HERE!r})
import deltalake, tenacity
from alphalab.data.store.store import Store
from store_rows import *
store = Store({url!r}, options=json.loads({json.dumps(options or {})!r}))
print("ready", flush=True)
sys.stdin.readline()
{body}
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return process


def start(*processes: subprocess.Popen[str]) -> None:
    """Wait until all are ready, then let them go."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


def finish(*processes: subprocess.Popen[str]) -> list[str]:
    """Return what the processes printed, when all have ended well."""
    said = [process.communicate(timeout=60) for process in processes]
    for process, (_, err) in zip(processes, said, strict=True):
        assert process.returncode == 0, err
    return [out for out, _ in said]
