"""Identity and quality of the data of a run, and the gate that refuses data with errors."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias, get_args

import msgspec
import numpy as np

from alphalab.data.panel.bars import Bars
from alphalab.data.quality.findings import Finding, Verdict
from alphalab.data.quality.of_bars import quality_of
from alphalab.data.quality.settings import OnErrors, QualitySettings
from alphalab.errors import ParameterError, RefusedError

#: The keyword `quality` of a run; a verdict was accepted before and is reported unchanged.
Quality: TypeAlias = OnErrors | QualitySettings | Verdict

#: Rules that the engine enforces itself, with the row: a funding rate is never missing in a run.
_ENFORCED = frozenset({"funding"})
_MOST = 3
_MOST_LISTED = 20


class Gate(NamedTuple):
    """The quality rules for the data of a run, and the reaction to errors."""

    settings: QualitySettings
    on_errors: OnErrors

    @classmethod
    def of(cls, quality: OnErrors | QualitySettings) -> Gate | None:
        """Return the gate for the keyword `quality`; None: the data is not checked.

        Raises
        ------
        ParameterError
            Neither one of the three words nor settings.
        """
        if not isinstance(quality, QualitySettings):
            if quality not in get_args(OnErrors):
                raise ParameterError(
                    f"quality={quality!r}",
                    rule='quality is "refuse", "accept", "unchecked" or QualitySettings(...).',
                )
            quality = QualitySettings(on_errors=quality)
        if quality.on_errors == "unchecked":
            return None
        # The verdict, and its cache, do not depend on the reaction to errors.
        return cls(msgspec.structs.replace(quality, on_errors="refuse"), quality.on_errors)

    def check(self, bars: Bars) -> Verdict:
        """Return the verdict on bars by the quick rules; it is cached for each `Bars`."""
        return quality_of(bars, self.settings)

    def pass_(self, verdict: Verdict, source: str) -> None:
        """Refuse data with errors, unless errors are accepted.

        Raises
        ------
        RefusedError
            The message shows the first errors and the remedy.
        """
        errors = [finding for finding in verdict.errors if finding.rule not in _ENFORCED]
        if errors and self.on_errors == "refuse":
            look = f"alphalab data check {source}" if source else "al.check(bars)"
            raise RefusedError(
                f"{source or 'the bars'}: data with {_errors(errors)}: {_few(errors)}",
                rule="a strategy is not run on data with errors.",
                fix=f"See all errors with {look} and correct the data; or run with "
                "quality='accept' (--quality accept), and every result reports it.",
            )

    def events(self, n_splits: int, actions: str, source: str) -> None:
        """Refuse prices with known splits if the run does not apply them.

        Raises
        ------
        RefusedError
            There are splits, and errors are not accepted.
        """
        if n_splits and actions == "none" and self.on_errors == "refuse":
            splits = "1 split is" if n_splits == 1 else f"{n_splits:,} splits are"
            raise RefusedError(
                f"{source or 'the bars'}: {splits} known, and not applied",
                rule="positions are rescaled at a split.",
                fix='Run with actions="cash" or "reinvest" (--dividends cash), or on adjusted '
                "prices (?adjust=splits behind an address); or run without them with "
                "quality='accept' (--quality accept).",
            )


def accepted(bars: Bars, quality: Quality = "refuse", *, actions: str = "cash") -> Verdict | None:
    """Return the verdict on the bars of a run, or refuse them.

    Parameters
    ----------
    bars : Bars
    quality : {"refuse", "accept", "unchecked"}, QualitySettings or Verdict
        The reaction to errors, or settings with `QualitySettings.on_errors`. A verdict was accepted
        before and is returned. "unchecked" gives None, and every result reports it.
    actions : {"none", "cash", "reinvest"}
        How the run applies splits and dividends.

    Raises
    ------
    RefusedError
        The data has errors that are not accepted.
    ParameterError
        Another value of `quality`.

    Examples
    --------
    >>> import alphalab as al
    >>> accepted(al.load("sp500"))
    <Verdict ok: bars of sp500, 5,031 rows, 1 symbol>
    """
    if isinstance(quality, Verdict):
        return quality
    gate = Gate.of(quality)
    if gate is None:
        return None
    verdict = gate.check(bars)
    gate.pass_(verdict, bars.source)
    gate.events(_n_splits(bars), actions, bars.source)
    return verdict


def _n_splits(bars: Bars) -> int:
    ratio = bars.columns.get("split")
    return 0 if ratio is None else int(np.count_nonzero(~np.isnan(ratio) & (ratio != 1.0)))


def data_of(bars: Bars, verdict: Verdict | None) -> dict[str, Any]:
    """Return identity and quality of the data of a result, as plain data.

    ``id`` is an address that loads the same data from a store, or the hash of the content if the
    data is not from a store; ``content`` is that hash in any case. ``quality`` is None for data
    that was not checked.
    """
    return {
        "id": bars.version or bars.id,
        "content": bars.id,
        "source": bars.source,
        "rows": bars.n_rows,
        "symbols": list(bars.symbols),
        "start": bars.start,
        "end": bars.end,
        "notes": [str(note) for note in bars.notes],
        "quality": None if verdict is None else quality_of_data(verdict),
    }


def quality_of_data(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as plain data: the gravest findings, and the counts of all."""
    data = verdict.to_dict()
    return {
        "status": data["status"],
        "counts": data["counts"],
        "findings": data["findings"][:_MOST_LISTED],
        "skipped": data["skipped"],
        "settings": data["settings"],
    }


def plain(value: Any) -> Any:
    """Return a value as JSON holds it: str, int, float, bool, None, list and dict."""
    return msgspec.json.decode(msgspec.json.encode(value))


def identity_text(bars: Bars) -> str:
    """Return source and identity of bars as text for reports."""
    text = f"{bars.source or 'bars given by the caller'}; id {bars.version or bars.id}"
    return f"{text}; content {bars.id}" if bars.version else text


def quality_text(verdict: Verdict | None) -> str:
    """Return a verdict as text for reports: the gravest findings, and the rules not checked."""
    if verdict is None:
        return "not checked"
    if not verdict.findings:
        found = "No findings."
    else:
        found = f"{verdict.summary()}. {_few(verdict.findings)}"
    accepted_ = " The errors were accepted." if verdict.errors else ""
    whys = "; ".join(dict.fromkeys(verdict.skipped.values()))
    left_out = f" Not checked ({', '.join(verdict.skipped)}): {whys}." if whys else ""
    return f"{found}{accepted_}{left_out}"


def quality_warnings(verdict: Verdict | None) -> tuple[str, ...]:
    """Return the warning for errors that were accepted."""
    if verdict is None or not verdict.errors:
        return ()
    return (f"The data has {_errors(verdict.errors)}, accepted: {_few(verdict.errors)}",)


def _errors(errors: Any) -> str:
    return f"{len(errors):,} error{'' if len(errors) == 1 else 's'}"


def _few(findings: Any) -> str:
    shown: list[Finding] = list(findings[:_MOST])
    more = len(findings) - len(shown)
    text = " ".join(f"{finding}" for finding in shown)
    return f"{text} And {more:,} more." if more else text
