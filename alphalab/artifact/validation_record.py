"""`ValidationRecord`: what a gate examined, figure by figure, and what it decided."""

from __future__ import annotations

from typing import Literal

from alphalab.errors import ParameterError
from alphalab.settings import Settings


class Check(Settings, frozen=True):
    """One check of a gate: a figure against its threshold.

    Parameters
    ----------
    name : str
        Name of the check, unique within a record, such as ``deflated_sharpe``.
    figure, threshold : float or None
        What was measured, and the limit of the policy in the same unit. Finite. None: the check
        has no number, or could not be computed; `reason` says which.
    passed : bool
        True if the figure keeps to the threshold.
    reason : str
        One sentence for the reader of the verdict.

    Raises
    ------
    ParameterError
        A figure or threshold that is NaN or infinite, or a value of another type.

    Examples
    --------
    >>> Check(name="pbo", figure=0.2, threshold=0.5, passed=True, reason="PBO 0.20 <= 0.50").passed
    True
    """

    name: str
    figure: float | None
    threshold: float | None
    passed: bool
    reason: str


class ValidationRecord(Settings, frozen=True):
    """The outcome of one validation, as the gate writes it and an artifact carries it.

    Parameters
    ----------
    policy_id : str
        SHA-256 of the canonical text of the policy, 64 hexadecimal digits.
    checks : tuple of Check
        Every check of the policy, in its order; at least one, names unique.
    verdict : {"passed", "refused"}
        ``passed`` if and only if every check passed.
    strategy_id : str
        Identity of the strategy with its parameters: `alphalab.artifact.identity.strategy_id`.
    data_ids : tuple of str
        Identities of all data the validation read, the data of the backtest first.
    settings_id : str
        `RunSettings.id` of the backtest.
    digest : str
        Digest of the backtest that was validated.
    created : int
        Time of the validation, int64 ns UTC.
    ledger_head : str
        Head of the trial ledger when its trials were counted, ``SEQ:HASH`` as
        `alphalab.core.journal_reader.Head` prints it. Empty: the ledger was off.
    n_trials : int
        Different trials of the family in that ledger, this validation's own included.
    n_effective : int
        Independent trials that the deflated Sharpe ratio was computed with: clusters of those in
        the ledger, or of the parameter neighbours where it was off.
    warmup_rows : int, optional
        Rows of history after which a cold start was certified to decide what full history decides.
        None: the gate did not examine it.
    version : int
        Version of this layout.

    Raises
    ------
    ParameterError
        A verdict that contradicts its checks, no checks, or two of one name.

    Examples
    --------
    >>> check = Check(name="rows", figure=900.0, threshold=500.0, passed=True, reason="900 >= 500")
    >>> record = ValidationRecord(
    ...     policy_id="0" * 64, checks=(check,), verdict="passed", strategy_id="1" * 64,
    ...     data_ids=("2" * 64,), settings_id="3" * 64, digest="4" * 32,
    ...     created=1_700_000_000_000_000_000, ledger_head="", n_trials=1, n_effective=1,
    ... )
    >>> record.refusals
    ()
    """

    policy_id: str
    checks: tuple[Check, ...]
    verdict: Literal["passed", "refused"]
    strategy_id: str
    data_ids: tuple[str, ...]
    settings_id: str
    digest: str
    created: int
    ledger_head: str
    n_trials: int
    n_effective: int
    warmup_rows: int | None = None
    version: Literal[1] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        names = [check.name for check in self.checks]
        if not names or len(set(names)) < len(names):
            raise ParameterError(
                f"ValidationRecord with checks {', '.join(names) or '(none)'}",
                rule="a record has at least one check, and each name once.",
            )
        if (self.verdict == "passed") != all(check.passed for check in self.checks):
            failed = ", ".join(check.name for check in self.refusals) or "none"
            raise ParameterError(
                f"ValidationRecord(verdict={self.verdict!r}), failed checks: {failed}",
                rule="the verdict is 'passed' if and only if every check passed.",
            )

    @property
    def refusals(self) -> tuple[Check, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if not check.passed)
