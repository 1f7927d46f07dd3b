"""What a validation demands: a limit for each check, with a sentence that says why."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal, NamedTuple

from alphalab.errors import InputError, ParameterError, UnknownNameError
from alphalab.settings import Settings

Side = Literal["least", "most"]


class Rule(Settings, frozen=True):
    """One check of a policy.

    Parameters
    ----------
    limit : float
        The least or the most that passes, as `CHECKS` says.
    why : str
        A sentence that says why.
    skipped : bool
        Whether the check is not made; the record says so and why.
    """

    limit: float
    why: str
    skipped: bool = False


class Kind(NamedTuple):
    """What a check measures.

    Attributes
    ----------
    label : str
        Its name in tables.
    side : {"least", "most"}
        Whether the limit is the least or the most that passes.
    rule : Rule
        What a policy demands unless it says otherwise.
    """

    label: str
    side: Side
    rule: Rule


def _kind(label: str, side: Side, limit: float, why: str) -> Kind:
    return Kind(label, side, Rule(limit=limit, why=why))


#: Every check by name, in the order of the verdict.
CHECKS: dict[str, Kind] = {
    "causality": _kind(
        *("Leaks found", "most", 0.0),
        "A decision that has seen the future cannot be traded.",
    ),
    "warm_up": _kind(
        *("Warm-up, share of the rows", "most", 0.5),
        "A strategy whose history is longer than half of the data was not tested on the rest.",
    ),
    "round_trips": _kind(
        *("Round trips", "least", 30.0),
        "Fewer trades are an anecdote: the central limit theorem has nothing to work on.",
    ),
    "cost": _kind(
        *("Cost of a trade, bps of its value", "least", 1.0),
        "Nobody trades for less than a basis point; a backtest without costs proves nothing.",
    ),
    "probabilistic_sharpe": _kind(
        *("Probabilistic Sharpe ratio", "least", 0.95),
        "The usual one in twenty: a Sharpe ratio above 0 is no accident of this one record.",
    ),
    "deflated_sharpe": _kind(
        *("Deflated Sharpe ratio", "least", 0.95),
        "The best of many trials is good by chance; this asks for more than chance gives.",
    ),
    "superiority": _kind(
        *("P value of superior ability", "most", 0.05),
        "None of the parameters around it may be needed to explain the gain by luck.",
    ),
    "loss_out_of_sample": _kind(
        *("Probability of loss out of sample", "most", 0.25),
        "Parameters that are best in one half of the data should still gain in the other.",
    ),
    "pbo": _kind(
        *("Probability of overfitting", "most", 0.5),
        "At one half the best trial in sample is no better than any other out of sample.",
    ),
    "worst_paths": _kind(
        *("Sharpe ratio of the worst path in twenty", "least", 0.0),
        "Whatever part of history comes last, choosing on the rest should not lose.",
    ),
    "double_costs": _kind(
        *("Sharpe ratio kept at double costs", "least", 0.5),
        "Costs are guessed, and they grow with size.",
    ),
    "delay": _kind(
        *("Sharpe ratio kept one row later", "least", 0.5),
        "Orders are late now and then; an edge that needs this row is not there in practice.",
    ),
    "fill_path": _kind(
        *("Sharpe ratio kept on the worst path inside bars", "least", 0.5),
        "Nobody knows which way the price took inside a bar.",
    ),
    "later_starts": _kind(
        *("Share of later starts that gain", "least", 0.8),
        "The first day of the data was not chosen, and should not matter.",
    ),
    "neighbours": _kind(
        *("Sharpe ratio kept by the median neighbour", "least", 0.6),
        "A parameter that works at one value only has been fitted to chance.",
    ),
    "years": _kind(
        *("Share of years that gain", "least", 0.5),
        "An edge that pays in few years is a bet on those.",
    ),
    "regimes": _kind(
        *("Sharpe ratio in the worst volatility regime", "least", -0.5),
        "The next market may be the one it is worst in.",
    ),
    "shuffled_drawdown": _kind(
        *("Drawdown of one order of trades in twenty", "most", 0.5),
        "The same trades in another order happen just as likely; nobody sits through more.",
    ),
    "capacity": _kind(
        *("Capacity, times the starting cash", "least", 1.0),
        "At this size its own impact eats half of the profit.",
    ),
}


class Policy(Settings, frozen=True):
    """The limits of a validation, one rule for each check of `CHECKS`.

    Parameters
    ----------
    rules : dict of str to Rule
        Those that differ from the defaults.

    Raises
    ------
    ParameterError
        A rule without a reason.
    UnknownNameError
        A check that does not exist.

    Examples
    --------
    >>> strict = Policy(rules={"pbo": Rule(limit=0.2, why="We search a lot.")})
    >>> strict.rule("pbo").limit, strict.rule("deflated_sharpe").limit
    (0.2, 0.95)
    """

    rules: dict[str, Rule] = {}  # noqa: RUF012

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, rule in self.rules.items():
            if name not in CHECKS:
                raise UnknownNameError("check", name, CHECKS)
            if not rule.why.strip():
                raise ParameterError(
                    f"the policy's check {name!r}", rule="every limit has a sentence why."
                )

    def rule(self, name: str) -> Rule:
        """Return the rule of a check."""
        return self.rules.get(name, CHECKS[name].rule)


def read_policy(path: Path) -> Policy:
    """Read a policy from a TOML file: a table for each check that differs from the defaults.

    A table reads ``limit = 0.2`` and ``why = "..."``; ``skipped = true`` with a reason leaves the
    check out.

    Raises
    ------
    InputError
        No such file, or one that is no TOML.
    UnknownNameError, ParameterError
        A check that does not exist, a limit without a reason, or a name that is no setting.
    """
    try:
        given = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"--policy {path}: {error.strerror}", rule="a policy is a file.") from None
    except ValueError as error:
        raise InputError(
            f"{path}: {error}", rule="a policy is TOML: tables like [pbo] with limit and why."
        ) from None
    return Policy(rules={name: _rule(path, name, table) for name, table in given.items()})


def _rule(path: Path, name: str, table: Any) -> Rule:
    if name not in CHECKS:
        raise UnknownNameError("check", name, CHECKS)
    known = Rule.__struct_fields__
    if not isinstance(table, dict) or "why" not in table or not {"limit", "skipped"} & set(table):
        raise ParameterError(
            f"{path}: [{name}]",
            rule="a check has a limit (or skipped = true), and why = a sentence.",
        )
    for field in table:
        if field not in known:
            raise UnknownNameError(f"setting of [{name}]", field, known)
    return Rule(**{"limit": CHECKS[name].rule.limit, **table})
