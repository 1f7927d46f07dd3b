"""The live command in a process of its own, forked from one that has imported everything.

A real process with a real end, without the seconds that imports take in each.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

from alphalab.cli.main import main

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["alphalab_live.start", "alphalab_live.commands.app", "ccxt.pro"])


def start(*arguments: str) -> BaseProcess:
    """Start ``alphalab live run`` in this folder, and with this keyring."""
    given = (Path.cwd(), os.environ["ALPHALAB_KEYS"], arguments)
    process = _FORKS.Process(target=_run, args=given)
    process.start()
    return process


def _run(folder: Path, keys: str, arguments: Sequence[str]) -> None:
    from live_desk import know_live_commands

    os.chdir(folder)
    os.environ["ALPHALAB_KEYS"] = keys
    know_live_commands()
    with open(os.devnull, "w") as nowhere:
        sys.stdout = sys.stderr = nowhere
        sys.exit(main(["live", "run", *arguments]))
