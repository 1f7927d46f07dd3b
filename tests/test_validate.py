"""The gate: it says no to noise, yes to a planted edge, and gives every reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from planted_alpha import Follow, planted_bars

import alphalab as al
from alphalab.artifact.identity import strategy_id
from alphalab.artifact.validation_record import ValidationRecord
from alphalab.data.panel.history import History
from alphalab.research.validation.evidence import Evidence, gather, run_validated
from alphalab.research.validation.gate import Validation, judge
from alphalab.research.validation.policy import CHECKS, Policy, Rule, read_policy
from alphalab.research.validation.verdict import Trials

COSTS = al.Costs(fee_bps=2)


@pytest.fixture(scope="module", autouse=True)
def no_ledger() -> Iterator[None]:
    """No verdict here depends on what ran before; test_counted_validation.py has the ledger."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALPHALAB_TRIALS", "off")
        yield


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    """What is found of a strong edge."""
    settings = al.RunSettings(costs=COSTS)
    history = History(planted_bars(strength=0.25))
    result = run_validated(Follow(), history, settings)
    return gather(Follow(), history, result, seed=0, watch=lambda step: None)


@pytest.fixture(scope="module")
def edge(evidence: Evidence) -> Validation:
    """A strong edge, and ten trials that were counted."""
    return judge(evidence, Trials(10.0, 1e-4, counted=True, head="a" * 64, n_all=25), now=1)


@pytest.fixture(scope="module")
def noise() -> Validation:
    return al.validate(Follow(), planted_bars(strength=0.0), costs=COSTS)


def test_a_planted_edge_passes_every_check(edge):
    assert edge.passed, [check.reason for check in edge.record.refusals]
    assert [check.name for check in edge.record.checks] == list(CHECKS)


def test_noise_is_refused_with_reasons(noise):
    assert not noise.passed
    refused = {check.name: check for check in noise.record.refusals}
    assert {"probabilistic_sharpe", "deflated_sharpe", "superiority"} <= set(refused)
    for name, check in refused.items():
        assert CHECKS[name].rule.why in check.reason
        assert repr(noise).startswith("<Validation Follow: refused: ")


def test_the_record_names_what_it_was_made_of(edge):
    bars = planted_bars(strength=0.25)
    record = edge.record
    assert record.strategy_id == strategy_id(Follow())
    assert record.data_ids == (bars.id,)
    assert record.digest == al.backtest(Follow(), bars, costs=COSTS).digest
    assert record.settings_id == al.RunSettings(costs=COSTS).id
    assert (record.n_trials, record.ledger_head, record.created) == (25, "a" * 64, 1)
    assert record.warmup_rows == 5
    assert record.policy_id == Policy().id


def test_trials_that_nobody_counted_are_not_invented(noise):
    assert (noise.record.n_trials, noise.record.ledger_head) == (0, "")
    reason = next(c.reason for c in noise.record.checks if c.name == "deflated_sharpe")
    assert "not counted: parameter neighbours alone" in reason


def test_more_trials_refuse_what_few_let_through(evidence):
    again = judge(evidence, Trials(1e6, 4e-3, counted=True), now=1)
    assert [check.name for check in again.record.refusals] == ["deflated_sharpe"]


def test_the_same_seed_gives_the_same_record(noise):
    again = al.validate(Follow(), planted_bars(strength=0.0), costs=COSTS)
    first, second = (msgspec.structs.replace(x.record, created=0) for x in (noise, again))
    assert first == second


def test_a_leak_is_refused(edge):
    late = al.validate(Follow(), planted_bars(strength=0.25), costs=COSTS, fill="same_close")
    assert "causality" in [check.name for check in late.record.refusals]
    reason = late.record.refusals[0].reason
    assert "a trade at a price that its decision has seen" in reason


def test_a_strategy_without_parameters_has_nothing_to_choose_from():
    text = "where(ts_mean(column('signal'), 5) > 0, 1.0, 0.0)"
    found = al.validate(al.ExprStrategy(text=text), planted_bars(strength=0.25), costs=COSTS)
    by_name = {check.name: check for check in found.record.checks}
    for name in ("pbo", "worst_paths", "loss_out_of_sample", "neighbours"):
        assert by_name[name].passed
        assert "no numeric parameter to move" in by_name[name].reason


def test_costs_that_nobody_pays_are_refused():
    found = al.validate(Follow(), planted_bars(strength=0.25))
    assert [check.name for check in found.record.refusals] == ["cost"]


def test_costs_and_capacity_are_those_of_the_fills(edge):
    e = edge.evidence
    fills, bars = e.result.record.fills, e.result.bars
    assert e.cost_bps == pytest.approx(2.0)
    returns = bars.close[1:, 0] / bars.close[:-1, 0] - 1.0
    impact = 0.0
    for fill in fills:
        row = max(int(fill["row"]), 20)
        value, volume = abs(fill["qty"]) * fill["price"], 1e6 * bars.close[fill["row"], 0]
        spread = returns[row - 20 : row].std(ddof=1)
        impact += spread * np.sqrt(value / volume) * value
    assert e.capacity.impact == pytest.approx(impact)
    k = e.capacity.cash / e.result.settings.cash
    assert impact * k**1.5 == pytest.approx(0.5 * e.capacity.profit * k)


def test_json_and_page_are_written_whole(noise, tmp_path: Path):
    text = noise.to_json(tmp_path / "deep" / "validation.json").read_text()
    said = json.loads(text)
    record = msgspec.convert(
        {name: said[name] for name in ValidationRecord.__struct_fields__}, ValidationRecord
    )
    assert record == noise.record
    assert said["overfitting"]["pbo"] == noise.evidence.pbo.probability
    assert len(said["stress"]) == len(noise.evidence.stress)
    html = noise.to_html(tmp_path / "report.html").read_text()
    for words in (
        "Follow: refused",
        "Paths of cross-validation",
        "Deflated Sharpe ratio against",
        "Trials were not counted",
        "costs x3",
        "Volatility regimes",
    ):
        assert words in html


# Policies.


def test_a_policy_changes_limits_and_says_why(tmp_path: Path):
    file = tmp_path / "policy.toml"
    file.write_text(
        '[probabilistic_sharpe]\nlimit = 0.5\nwhy = "A pilot."\n'
        '[capacity]\nskipped = true\nwhy = "No volume."\n'
    )
    policy = read_policy(file)
    assert policy.rule("probabilistic_sharpe") == Rule(limit=0.5, why="A pilot.")
    assert policy.rule("capacity").skipped
    assert policy.rule("pbo") == CHECKS["pbo"].rule
    assert policy.id != Policy().id


def test_a_skipped_check_says_so():
    policy = Policy(rules={"cost": Rule(limit=1.0, why="A study of signals.", skipped=True)})
    found = al.validate(Follow(), planted_bars(strength=0.25), policy=policy)
    reason = next(check.reason for check in found.record.checks if check.name == "cost")
    assert found.passed
    assert reason == "skipped by the policy: A study of signals."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[pob]\nlimit = 1\nwhy = 'x'", "unknown check 'pob': did you mean 'pbo'"),
        ("[pbo]\nlimit = 1", r"\[pbo\].*why = a sentence"),
        ("[pbo]\nwhy = 'x'", r"\[pbo\].*has a limit"),
        ("[pbo]\nlimit = 1\nwhy = ' '", "every limit has a sentence why"),
        ("[pbo]\nlimit = 1\nwhy = 'x'\nwy = 2", "unknown setting of .pbo. 'wy'"),
        ("[pbo]\nlimit = 'low'\nwhy = 'x'", "limit='low'"),
        ("pbo = ", "a policy is TOML"),
        ("pbo = 0.5", r"\[pbo\]"),
    ],
)
def test_a_bad_policy_is_refused(tmp_path: Path, text, message):
    file = tmp_path / "policy.toml"
    file.write_text(text)
    with pytest.raises(al.errors.InputError, match=f"(?s){message}"):
        read_policy(file)


def test_every_limit_has_a_sentence():
    for kind in CHECKS.values():
        assert kind.rule.why.endswith(".")


def test_the_page_has_every_limit_and_every_leak():
    from leak_zoo import leaks

    page = (Path(__file__).parents[1] / "docs" / "validation.md").read_text()
    for name, kind in CHECKS.items():
        limit = f"at {kind.side} {kind.rule.limit:g}"
        assert f"| `{name}` | {kind.label} | {limit} | {kind.rule.why} |" in page
    for name in leaks():
        assert f"\n| {name} | " in page


# Bad input.


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: al.validate(Follow, planted_bars(300)), "takes a strategy with its parameters"),
        (lambda: al.validate(Follow(), planted_bars(15)), "15"),
        (
            lambda: al.validate(
                al.ExprStrategy(text="where(close > 1e9, 1, 0)"), planted_bars(300)
            ),
            "all 300 returns are 0.*Did the strategy trade",
        ),
        (lambda: read_policy(Path("no/such.toml")), "--policy no/such.toml"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(al.errors.InputError, match=f"(?s){message}"):
        call()


# The command.


def test_the_command_refuses_with_3_and_writes_both_files(cli, tmp_path: Path):
    out = tmp_path / "out"
    run = cli("validate", "sma_cross", "-d", "sp500", "--start", "2012-01-01", "--out", out)
    assert run.code == 3
    assert "refused: Cost of a trade, bps of its value 0, demanded >= 1." in run.out
    assert "Verdict: refused\n" in run.out
    assert "Trials: 1 independent trial, not counted: parameter neighbours alone\n" in run.out
    assert "Trials were not counted" in run.err and "Validated in " in run.err
    assert json.loads((out / "validation.json").read_text())["verdict"] == "refused"
    assert "SmaCross: refused" in (out / "report.html").read_text()


def test_the_command_lets_through_what_a_policy_allows(cli, tmp_path: Path):
    policy = tmp_path / "lax.toml"
    why = 'why = "Only to see it pass."'
    rules = (f"[{name}]\nskipped = true\n{why}\n" for name in CHECKS)
    policy.write_text("".join(rules))
    args = ("validate", "sma_cross", "-d", "sp500", "--start", "2012-01-01", "--json")
    run = cli(*args, "--policy", policy, "--out", tmp_path / "out")
    assert run.code == 0
    assert run.object["schema"] == "alphalab.validation/1"
    assert run.object["verdict"] == "passed"
    assert np.isfinite(run.object["sharpe"]["value"])


def test_a_folder_that_is_a_file_is_refused_before_the_work(cli, tmp_path: Path):
    (tmp_path / "out").write_text("")
    run = cli("validate", "sma_cross", "-d", "sp500", "--out", tmp_path / "out")
    assert run.code == 2
    assert "is a file" in run.err
