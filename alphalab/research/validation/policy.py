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
        True if the check is not made; the record says so and why.
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
        The limit is the least or the most that passes.
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
        "A decision that uses later data cannot be made in live trading.",
    ),
    "warm_up": _kind(
        *("Warm-up, share of the rows", "most", 0.5),
        "A warm-up longer than half of the data leaves too few rows to test the strategy.",
    ),
    "round_trips": _kind(
        *("Round trips", "least", 30.0),
        "Fewer trades are too few for the central limit theorem, so statistics mean nothing.",
    ),
    "cost": _kind(
        *("Cost of a trade, bps of its value", "least", 1.0),
        "Real trades cost at least a basis point; without costs the profit is overstated.",
    ),
    "probabilistic_sharpe": _kind(
        *("Probabilistic Sharpe ratio", "least", 0.95),
        "The usual significance level, 5 %, of a Sharpe ratio above 0.",
    ),
    "deflated_sharpe": _kind(
        *("Deflated Sharpe ratio", "least", 0.95),
        "The best of many trials has a high Sharpe ratio by chance; this one has to exceed it.",
    ),
    "superiority": _kind(
        *("P value of superior ability", "most", 0.05),
        "With a larger P value, the gain of the best parameters may be chance.",
    ),
    "loss_out_of_sample": _kind(
        *("Probability of loss out of sample", "most", 0.25),
        "Parameters that are best in one half of the data should gain in the other half.",
    ),
    "pbo": _kind(
        *("Probability of overfitting", "most", 0.5),
        "At 0.5 the best trial in sample is as likely as not below the median out of sample.",
    ),
    "worst_paths": _kind(
        *("Sharpe ratio of the worst path in twenty", "least", 0.0),
        "Parameters chosen on some parts of the data should not lose on the other parts.",
    ),
    "double_costs": _kind(
        *("Sharpe ratio kept at double costs", "least", 0.5),
        "Costs are estimates, and they grow with the size of orders.",
    ),
    "delay": _kind(
        *("Sharpe ratio kept one row later", "least", 0.5),
        "Live orders are sometimes one row late, and the strategy should still gain.",
    ),
    "fill_path": _kind(
        *("Sharpe ratio kept on the worst path inside bars", "least", 0.5),
        "Bars do not record the path of the price inside them.",
    ),
    "later_starts": _kind(
        *("Share of later starts that gain", "least", 0.8),
        "The gain should not depend on the first day of the data.",
    ),
    "neighbours": _kind(
        *("Sharpe ratio kept by the median neighbour", "least", 0.6),
        "A parameter that works at one value only is fitted to noise.",
    ),
    "years": _kind(
        *("Share of years that gain", "least", 0.5),
        "A strategy that gains in few years depends on conditions of those years.",
    ),
    "regimes": _kind(
        *("Sharpe ratio in the worst volatility regime", "least", -0.5),
        "Live trading may begin in the regime in which the strategy is worst.",
    ),
    "shuffled_drawdown": _kind(
        *("Drawdown of one order of trades in twenty", "most", 0.5),
        "The same trades are as likely in another order; a loss of half the account is too much.",
    ),
    "capacity": _kind(
        *("Capacity, times the starting cash", "least", 1.0),
        "At its capacity the market impact of a strategy costs half of its profit.",
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
