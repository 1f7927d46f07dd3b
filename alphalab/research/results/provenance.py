"""What results say of their data: its identity, and the verdict on its quality.

The gate in front of every run is here, too: data with errors is refused unless told otherwise.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias, get_args

import msgspec
import numpy as np

from alphalab.data.panel.bars import Bars
from alphalab.data.quality.findings import Finding, Verdict
from alphalab.data.quality.of_bars import quality_of
from alphalab.data.quality.settings import OnErrors, QualitySettings
from alphalab.errors import ParameterError, RefusedError

#: How a run is told what to do about the quality of its data; a verdict is stated as it is.
Quality: TypeAlias = OnErrors | QualitySettings | Verdict

#: Rules whose breach the engine refuses by itself, with the row: no run goes on without a rate.
_ENFORCED = frozenset({"funding"})
_MOST = 3
_MOST_LISTED = 20


class Gate(NamedTuple):
    """What is asked of the quality of data before, or while, a strategy is run on it."""

    settings: QualitySettings
    on_errors: OnErrors

    @classmethod
    def of(cls, quality: OnErrors | QualitySettings) -> Gate | None:
        """Return the gate that a run was told of; None: nothing is checked.

        Raises
        ------
        ParameterError
            Neither a word that is known nor settings.
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
        # One verdict, whatever becomes of errors.
        return cls(msgspec.structs.replace(quality, on_errors="refuse"), quality.on_errors)

    def check(self, bars: Bars) -> Verdict:
        """Return the verdict of bars: the quick rules, made once for each bars."""
        return quality_of(bars, self.settings)

    def pass_(self, verdict: Verdict, source: str) -> None:
        """Refuse to go on with errors, unless they are accepted.

        Raises
        ------
        RefusedError
            The first errors, and what to do.
        """
        errors = [finding for finding in verdict.errors if finding.rule not in _ENFORCED]
        if errors and self.on_errors == "refuse":
            look = f"alphalab data check {source}" if source else "al.check(bars)"
            raise RefusedError(
                f"{source or 'the bars'}: data with {_errors(errors)}: {_few(errors)}",
                rule="nothing is run on data with errors.",
                fix=f"Look at all of it with {look}, and correct it; or go on with "
                "quality='accept' (--quality accept), and every result says so.",
            )

    def events(self, n_splits: int, actions: str, source: str) -> None:
        """Refuse to run on prices of which splits are known that nobody applies.

        Raises
        ------
        RefusedError
            There are some, and errors are not accepted.
        """
        if n_splits and actions == "none" and self.on_errors == "refuse":
            splits = "1 split is" if n_splits == 1 else f"{n_splits:,} splits are"
            raise RefusedError(
                f"{source or 'the bars'}: {splits} known, and not applied",
                rule="what is held changes its units in a split.",
                fix='Run with actions="cash" or "reinvest" (--dividends cash), or on adjusted '
                "prices (?adjust=splits behind an address); or go on as it is with "
                "quality='accept' (--quality accept).",
            )


def accepted(bars: Bars, quality: Quality = "refuse", *, actions: str = "cash") -> Verdict | None:
    """Return the verdict of bars that a run states, or refuse to run on them.

    Parameters
    ----------
    bars : Bars
    quality : {"refuse", "accept", "unchecked"}, QualitySettings or Verdict
        What becomes of data with errors; settings say it in `QualitySettings.on_errors`. A verdict
        was accepted before. Without a check there is none, and every result says so.
    actions : {"none", "cash", "reinvest"}
        What the run does with splits and dividends.

    Raises
    ------
    RefusedError
        The data has errors, and they are not accepted.
    ParameterError
        Neither of these.

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
    """Return what a result says of its data, as plain data.

    ``id`` is what to ask a store for to get it again, or the hash of the content where no store has
    it; ``content`` is that hash in any case. ``quality`` is None where nothing was checked.
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
    """Return the verdict as results carry it, as plain data: the gravest findings, all counted."""
    said = verdict.to_dict()
    return {
        "status": said["status"],
        "counts": said["counts"],
        "findings": said["findings"][:_MOST_LISTED],
        "skipped": said["skipped"],
        "settings": said["settings"],
    }


def identity_text(bars: Bars) -> str:
    """Return source and identity of bars as words for reports."""
    said = f"{bars.source or 'bars given by the caller'}; id {bars.version or bars.id}"
    return f"{said}; content {bars.id}" if bars.version else said


def quality_text(verdict: Verdict | None) -> str:
    """Return the verdict as words for reports: the gravest findings, and what was not looked at."""
    if verdict is None:
        return "not checked"
    if not verdict.findings:
        said = "Nothing was found."
    else:
        said = f"{verdict.summary()}. {_few(verdict.findings)}"
    accepted_ = " The errors were accepted." if verdict.errors else ""
    whys = "; ".join(dict.fromkeys(verdict.skipped.values()))
    left_out = f" Not looked at ({', '.join(verdict.skipped)}): {whys}." if whys else ""
    return f"{said}{accepted_}{left_out}"


def quality_warnings(verdict: Verdict | None) -> tuple[str, ...]:
    """Return what has to be read before the figures: errors that were accepted."""
    if verdict is None or not verdict.errors:
        return ()
    return (f"The data has {_errors(verdict.errors)}, accepted: {_few(verdict.errors)}",)


def _errors(errors: Any) -> str:
    return f"{len(errors):,} error{'' if len(errors) == 1 else 's'}"


def _few(findings: Any) -> str:
    shown: list[Finding] = list(findings[:_MOST])
    more = len(findings) - len(shown)
    said = " ".join(f"{finding}" for finding in shown)
    return f"{said} And {more:,} more." if more else said
