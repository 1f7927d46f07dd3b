"""`Report`: collects the findings of a check and the rules it skipped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from alphalab.data.quality.findings import MOST_TIMES, Finding, ordered
from alphalab.data.quality.registry import Severity
from alphalab.data.quality.series import Hit, Series
from alphalab.data.quality.settings import QualitySettings


class Report:
    """The findings so far, and the rules that were skipped."""

    def __init__(self, settings: QualitySettings) -> None:
        self.settings = settings
        self.findings: list[Finding] = []
        self.skipped: dict[str, dict[str, list[str]]] = {}

    def add(self, s: Series, hits: Iterable[Hit]) -> None:
        """Add the hits of a rule as findings, unless the rule is off."""
        for hit in hits:
            severity = self._severity(hit.rule)
            if severity is None:
                continue
            at = s.time[hit.places] if hit.at is None else hit.at
            self.findings.append(
                Finding(
                    rule=hit.rule,
                    severity=severity,
                    symbol=s.symbol,
                    count=len(hit.places) if hit.n is None else hit.n,
                    first=int(at.min()) if at.size else None,
                    last=int(at.max()) if at.size else None,
                    rows=tuple(s.number[hit.places[: self.settings.max_rows]].tolist()),
                    message=f"{hit.message}.",
                    at=at[:MOST_TIMES].copy(),
                )
            )

    def skip(self, rules: Iterable[str], symbol: str, why: str) -> None:
        """Record why rules were skipped for a symbol."""
        for rule in rules:
            if self._severity(rule) is not None:
                self.skipped.setdefault(rule, {}).setdefault(why, []).append(symbol)

    def sorted(self, n_symbols: int) -> tuple[Finding, ...]:
        """Return the findings, errors first; the same finding for all symbols becomes one."""
        same: dict[tuple[str, str], list[Finding]] = {}
        for finding in self.findings:
            same.setdefault((finding.rule, finding.message), []).append(finding)
        found: list[Finding] = []
        for group in same.values():
            shared = len({finding.symbol for finding in group}) == n_symbols > 1
            found += [_for_all(group, n_symbols)] if shared else group
        return ordered(found)

    def reasons(self, n_symbols: int) -> dict[str, str]:
        """Return the reasons of skipped rules, with the symbols unless all were skipped."""
        return {
            rule: "; ".join(
                why if len(symbols) == n_symbols else f"{why} ({_some(symbols)})"
                for why, symbols in whys.items()
            )
            for rule, whys in sorted(self.skipped.items())
        }

    def _severity(self, rule: str) -> Severity | None:
        level = self.settings.level(rule)
        return None if level == "off" else level


def _for_all(group: list[Finding], n_symbols: int) -> Finding:
    message = f"{group[0].message.rstrip('.')}; the same for all {n_symbols:,} symbols."
    count = sum(finding.count for finding in group)
    return replace(group[0], symbol="", count=count, rows=(), message=message)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
