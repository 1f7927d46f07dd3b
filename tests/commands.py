"""Running the command line: in this process, in a new process, on a terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

IN_A_PROCESS = "import sys; from alphalab.cli.main import main; sys.exit(main())"


class Run(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def object(self) -> dict[str, Any]:
        return json.loads(self.out)


def process(*arguments: str, **environment: str) -> Run:
    """Run the command as a shell would: a process of its own, its output in pipes."""
    done = subprocess.run(
        [sys.executable, "-c", IN_A_PROCESS, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )
    return Run(done.returncode, done.stdout, done.stderr)


def on_a_terminal(*arguments: str, **environment: str) -> str:
    """Run the command on a pseudo terminal and return everything it showed."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", IN_A_PROCESS, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", **environment},
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # how Linux says that the other side is closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    assert child.wait(timeout=120) == 0, shown.decode()
    return shown.decode()


def strategy_file(folder: Path, body: str, *, head: str = "") -> Path:
    path = folder / "mine.py"
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    path.write_text(f"import alphalab as al\n{head}\n\nclass Mine(al.Strategy):\n{lines}")
    return path


def text_file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path
