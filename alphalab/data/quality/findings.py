"""`Finding` and `Verdict`: the result of a check."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import numpy as np

from alphalab.data.clock.times import iso
from alphalab.data.formats.html import html_table
from alphalab.data.quality.registry import ASKED, RULES, SEVERITIES, Severity
from alphalab.types import IntArray

#: Largest number of times that a finding keeps.
MOST_TIMES = 10_000

_SCHEMA = "alphalab.data.check/1"


def _no_times() -> IntArray:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Finding:
    """The violations of one rule by one symbol.

    Attributes
    ----------
    rule : str
    severity : {"error", "warning", "info"}
    symbol : str
        Empty: several symbols.
    count : int
        Number of rows, or of missing bars.
    first, last : int or None
        First and last time, ns UTC.
    rows : tuple of int
        Row numbers of the first ones in the source, from 0.
    message : str
        What the rule found, in words.
    at : ndarray of shape (K,)
        Times of the first rows, ns UTC, for pictures; `to_dict` leaves them out.
    """

    rule: str
    severity: Severity
    symbol: str
    count: int
    first: int | None
    last: int | None
    rows: tuple[int, ...]
    message: str
    at: IntArray = field(default_factory=_no_times)

    @property
    def fix(self) -> str:
        """What to do about it."""
        return RULES[self.rule].fix

    def __str__(self) -> str:
        """Return rule, symbol and message on one line."""
        return f"{self.rule}{f' ({self.symbol})' if self.symbol else ''}: {self.message}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data; times are ISO-8601 UTC."""
        return {
            "rule": self.rule,
            "severity": self.severity,
            "symbol": self.symbol,
            "count": self.count,
            "first": None if self.first is None else iso(self.first),
            "last": None if self.last is None else iso(self.last),
            "rows": list(self.rows),
            "message": self.message,
            "fix": self.fix,
        }


@dataclass(frozen=True, eq=False)
class Verdict:
    """The result of a check: all findings about one source.

    Attributes
    ----------
    source, kind : str
        What was checked: ``bars``, ``trades``, ``funding`` or ``actions``.
    n_rows : int
    symbols : tuple of str
    start, end : int or None
        First and last time, ns UTC; None without rows.
    findings : tuple of Finding
        Errors first, then by rule and symbol.
    skipped : dict of str to str
        Rules that were not checked, and the reason.
    settings : str
        The settings it was made with, as canonical JSON.

    Examples
    --------
    >>> from alphalab.data.samples.datasets import sp500
    >>> from alphalab.data.quality.check import check
    >>> verdict = check(sp500())
    >>> verdict
    <Verdict ok: bars of sp500, 5,031 rows, 1 symbol>
    >>> verdict.status, verdict.findings
    ('ok', ())
    """

    source: str
    kind: str
    n_rows: int
    symbols: tuple[str, ...]
    start: int | None
    end: int | None
    findings: tuple[Finding, ...]
    skipped: dict[str, str]
    settings: str

    @property
    def counts(self) -> dict[Severity, int]:
        """How many findings are errors, warnings and infos."""
        found = Counter(finding.severity for finding in self.findings)
        return {severity: found[severity] for severity in SEVERITIES}

    @property
    def status(self) -> Literal["ok", "warnings", "errors"]:
        """The verdict in one word: ``ok``, ``warnings`` or ``errors``."""
        counts = self.counts
        return "errors" if counts["error"] else "warnings" if counts["warning"] else "ok"

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that are errors."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def silent(self) -> tuple[str, ...]:
        """The rules that were checked for all symbols and found nothing."""
        levels = msgspec.json.decode(self.settings)["severity"]
        said = {finding.rule for finding in self.findings} | self.skipped.keys()
        said |= {rule for rule, level in levels.items() if level == "off"}
        return tuple(rule for rule in ASKED[self.kind] if rule not in said)

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as plain data, the object that ``alphalab data check --json`` prints.

        Equal data and settings give an equal object.
        """
        return {
            "schema": _SCHEMA,
            "status": self.status,
            "source": self.source,
            "kind": self.kind,
            "rows": self.n_rows,
            "symbols": list(self.symbols),
            "start": None if self.start is None else iso(self.start),
            "end": None if self.end is None else iso(self.end),
            "counts": {f"{name}s": count for name, count in self.counts.items()},
            "findings": [finding.to_dict() for finding in self.findings],
            "skipped": self.skipped,
            "settings": msgspec.json.decode(self.settings),
        }

    def summary(self) -> str:
        """Return the verdict as a few words: ``ok``, or the number of findings by severity."""
        said = [f"{counted(n, name)}" for name, n in self.counts.items() if n]
        return ", ".join(said) or "ok"

    def __repr__(self) -> str:
        """Return verdict and size on one line."""
        size = f"{counted(self.n_rows, 'row')}, {counted(len(self.symbols), 'symbol')}"
        source = f" of {self.source}" if self.source else ""
        return f"<Verdict {self.summary()}: {self.kind}{source}, {size}>"

    def _repr_html_(self) -> str:
        head = ("severity", "rule", "symbol", "rows", "finding", "remedy")
        rows = [(x.severity, x.rule, x.symbol, x.count, x.message, x.fix) for x in self.findings]
        return html_table(repr(self)[1:-1], head, rows)


def ordered(findings: list[Finding]) -> tuple[Finding, ...]:
    """Return findings, errors first, then in the order of the rules."""
    rules = list(RULES)
    key = {
        id(finding): (SEVERITIES.index(finding.severity), rules.index(finding.rule))
        for finding in findings
    }
    return tuple(sorted(findings, key=lambda finding: key[id(finding)]))


def counted(number: int, noun: str) -> str:
    """Return a number and what it counts: ``1 row``, ``2 rows``."""
    plural = noun if noun == "info" or number == 1 else f"{noun}s"
    return f"{number:,} {plural}"
