"""Output of commands: results on stdout, everything else on stderr, one schema for machines.

With ``--json`` stdout holds exactly one JSON object; ``schema`` reads ``alphalab.KIND/VERSION``.
Without it a terminal gets tables and colours (``NO_COLOR`` turns these off), and a pipe or a file
gets plain aligned lines.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from typing import Annotated, Any, Literal, NamedTuple

import typer

SCHEMA_VERSION = 1

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
QuietFlag = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no warnings.")]
# Read by `main`, where errors end up.
DebugFlag = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


class Output(NamedTuple):
    """The output of a command.

    Attributes
    ----------
    json : bool
        One JSON object on stdout instead of text.
    quiet : bool
        Neither progress nor warnings on stderr.
    """

    json: bool = False
    quiet: bool = False

    @property
    def shows_progress(self) -> bool:
        """True on a terminal, unless --quiet was given."""
        return not self.quiet and sys.stderr.isatty()

    def user_code(self) -> AbstractContextManager[Any]:
        """Return a context for the user's code: with ``--json`` its prints go to stderr."""
        return redirect_stdout(sys.stderr) if self.json else nullcontext()

    def object(self, kind: str, content: Mapping[str, Any]) -> None:
        """Print one JSON object; numbers that are not finite become null."""
        import msgspec

        schema = {"schema": f"alphalab.{kind}/{SCHEMA_VERSION}"}
        text = msgspec.json.encode({**schema, **content})
        sys.stdout.write(msgspec.json.format(text, indent=2).decode() + "\n")

    def text(self, text: str = "") -> None:
        """Print a line of the result."""
        sys.stdout.write(text + "\n")

    def table(self, rows: Sequence[Sequence[str]], header: Sequence[str], title: str = "") -> None:
        """Print rows of text: a drawn table on a terminal, aligned lines elsewhere.

        Columns whose every cell begins with a digit, a sign or ``n/a`` are aligned on the right.
        """
        right = [bool(rows) and all(_is_number(row[i]) for row in rows) for i in range(len(header))]
        if title:
            self.text(title)
        if not sys.stdout.isatty() or not _fits([header, *rows], right):
            self._lines([header, *rows], right)
            return
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=SIMPLE_HEAD)
        for name, is_right in zip(header, right, strict=True):
            side: Literal["right", "left"] = "right" if is_right else "left"
            table.add_column(name, justify=side, overflow="fold", no_wrap=is_right)
        for row in rows:
            table.add_row(*map(Text, row))
        Console().print(table)

    def note(self, text: str) -> None:
        """Print a remark that is not part of the result."""
        if not self.quiet:
            _to_stderr(text, "dim")

    def warn(self, text: str) -> None:
        """Print a warning about the result."""
        if not self.quiet:
            _to_stderr(f"warning: {text}", "yellow")

    def error(
        self, code: str, message: str, *, rule: str = "", fix: str = "", at: str = ""
    ) -> None:
        """Print an error: one JSON object on stdout, or text on stderr.

        Parameters
        ----------
        code : str
            Stable, for machines.
        message, rule, fix : str
            What was given, the rule it breaks and the remedy.
        at : str
            The line of the strategy that led to it.
        """
        if self.json:
            content = {"code": code, "message": message, "rule": rule, "fix": fix, "at": at}
            self.object("error", {"error": content})
            return
        advice = " ".join(part for part in (rule and f"Rule: {rule}", fix) if part)
        lines = [
            f"error[{code}]: {message}",
            f"  {advice}" if advice else "",
            f"  At {at}" if at else "",
        ]
        _to_stderr("\n".join(filter(None, lines)), "red")

    def _lines(self, rows: Sequence[Sequence[str]], right: Sequence[bool]) -> None:
        widths = _widths(rows)
        for row in rows:
            cells = zip(row, widths, right, strict=True)
            line = "  ".join(c.rjust(w) if is_right else c.ljust(w) for c, w, is_right in cells)
            self.text(line.rstrip())


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _fits(rows: Sequence[Sequence[str]], whole: Sequence[bool]) -> bool:
    """Return True if a terminal has room for the columns that must not wrap: numbers, times."""
    needed = [
        w if is_whole else min(w, 12) for w, is_whole in zip(_widths(rows), whole, strict=True)
    ]
    return sum(needed) + 3 * len(needed) <= shutil.get_terminal_size().columns


def _is_number(text: str) -> bool:
    return text == "n/a" or text[:1].isdigit() or text[:1] in "+-"


def _to_stderr(text: str, style: str) -> None:
    if not sys.stderr.isatty():
        sys.stderr.write(text + "\n")
        return
    from rich.console import Console
    from rich.text import Text

    Console(stderr=True, soft_wrap=True).print(Text(text, style=style))
