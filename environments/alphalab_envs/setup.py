"""`Setup`: what the environments of one task share: bars, features, episodes, settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import numpy as np

from alphalab.config import RunSettings
from alphalab.core.rewards import Reward
from alphalab.core.step_engine import Outside, StepEngine, Stretch
from alphalab.core.timeline import Timeline
from alphalab.data.load import load
from alphalab.data.panel.bars import Bars
from alphalab.data.quality.settings import OnErrors, QualitySettings
from alphalab.errors import DataError, ParameterError
from alphalab.research.results.provenance import accepted
from alphalab.research.run.options import RunOptions, run_settings
from alphalab.types import FloatArray, IntArray
from alphalab_envs.episodes import Episodes, Span, runs, spans_of
from alphalab_envs.features import check, named, table_of
from alphalab_envs.observation import ACCOUNT, places_of
from alphalab_envs.paths import path_of
from alphalab_envs.randomise import Draws, Randomise


class SetupOptions(TypedDict, total=False):
    """Keywords of `Setup`, which documents them."""

    features: Mapping[str, Any] | None
    rows: slice | Sequence[int] | IntArray | None
    episode: int | None
    window: int
    account: Sequence[str]
    reward: str | Reward
    randomise: Randomise | None
    quality: OnErrors | QualitySettings


class EnvOptions(SetupOptions, RunOptions, total=False):
    """Keywords that all environments share: of `Setup`, and of `alphalab.backtest`."""


class Setup:
    """What the environments of one task share.

    Parameters
    ----------
    bars : Bars or str
        All rows, or the address or name that `alphalab.load` takes. Features see the rows before
        an episode, whether or not episodes may lie in them.
    features : mapping of str to Expr or str, optional
        Expressions that an observation shows for every asset. None: the return of the last row.
    rows : slice or sequence of int, optional
        Rows inside which episodes stay, such as those of a training period; a fold of
        `PurgedKFold.split`. An episode never crosses a gap. None: all.
    episode : int, optional
        Steps of an episode. Its start is drawn. None: from the first row that is possible to the
        last.
    window : int
        Rows of features in an observation.
    account : sequence of str
        Which parts of the account an observation shows after the features: ``cash``, ``drawdown``,
        ``held``, ``asked``, ``age``; all unless given. A policy that `alphalab.policy` shall run
        sees none of them, or ``asked``.
    reward : str or Reward
        A kind of `Reward`, or a reward with a weight.
    randomise : Randomise, optional
    quality : {"refuse", "accept", "unchecked"} or QualitySettings
        As in `alphalab.backtest`.
    **options
        Settings of the run, as in `alphalab.backtest`: cash, costs, limits, exits, margin, ...

    Raises
    ------
    AlphalabError
        Bars, features, rows or settings that break a rule.
    """

    def __init__(
        self,
        bars: Bars | str,
        options: RunOptions,
        *,
        features: Mapping[str, Any] | None = None,
        rows: slice | Sequence[int] | IntArray | None = None,
        episode: int | None = None,
        window: int = 1,
        account: Sequence[str] = ACCOUNT,
        reward: str | Reward = "log_return",
        randomise: Randomise | None = None,
        quality: OnErrors | QualitySettings = "refuse",
    ) -> None:
        self.bars = load(bars) if isinstance(bars, str) else bars
        if not isinstance(self.bars, Bars):
            raise ParameterError(
                f"bars={type(bars).__name__}", rule="bars are Bars, or a name that al.load takes."
            )
        if not isinstance(window, int) or window < 1:
            raise ParameterError(f"window={window!r}", rule="a window has one row or more.")
        self.settings: RunSettings = run_settings(Outside, options)
        self.verdict = accepted(self.bars, quality, actions=self.settings.actions)
        self.instruments = _instruments(self.bars)
        self.features, self.window = named(features), window
        self.account = tuple(account)
        n_assets = self.bars.n_symbols
        self.places = places_of(window * len(self.features) * n_assets, n_assets, self.account)
        self.reward = Reward(kind=reward) if isinstance(reward, str) else reward  # type: ignore[arg-type]
        self.randomise = Randomise() if randomise is None else randomise
        self._draws = Draws(self.randomise, self.settings)
        self._read(list(runs(rows, self.bars.n_rows)), episode)

    def _read(self, found: list[tuple[int, int]], episode: int | None) -> None:
        """Make the paths, compute all features, and find the rows in which episodes may lie."""
        history = Stretch(self.bars.time, self.bars.columns)
        rng, drawn = np.random.default_rng(self.randomise.seed), self.randomise
        self.stretches = [history] + [
            path_of(history, found, block=drawn.block, gap_bps=drawn.gap_bps, rng=rng)
            for _ in range(drawn.paths)
        ]
        tables = [table_of(self.features, x, self.instruments) for x in self.stretches]
        self.table = np.concatenate(tables)
        warmup = max((expr.warmup for expr in self.features.values()), default=0)
        least = warmup + self.window - 1
        spans = spans_of(found, least, episode)
        at = history.time.size
        for path in self.stretches[1:]:
            last = at + path.time.size - 1
            spans += [Span(x.first, last) for x in spans_of([(at, last)], at + least, episode)]
            at += path.time.size
        for span in spans:
            rows = slice(span.first - self.window + 1, span.last + 1)
            check(self.table, rows, list(self.features), self.bars.symbols)
        self.episodes = Episodes(spans, episode)

    def rows(self, first: int, end: int) -> tuple[FloatArray, Any]:
        """Return closes (R, N) and times (R,), datetime64, of some rows of one stretch."""
        for stretch in self.stretches:
            if first < stretch.time.size:
                rows = slice(first, end)
                return stretch.columns["close"][rows], stretch.time[rows].astype("M8[ns]")
            first, end = first - stretch.time.size, end - stretch.time.size
        raise IndexError(first)

    def engine(self, n: int, *, record: bool = False, tally: bool = False) -> StepEngine:
        """Return an engine of n accounts."""
        return StepEngine(
            self.stretches,
            self.instruments,
            self.settings,
            self.table,
            n_accounts=n,
            window=self.window,
            reward=self.reward,
            record=record,
            tally=tally,
        )

    def begin(
        self,
        engine: StepEngine,
        c: int,
        rng: np.random.Generator,
        options: Mapping[str, Any] | None,
    ) -> dict[str, float]:
        """Draw the next episode of account c; return what was drawn."""
        given = dict(options or {})
        start = given.pop("start", None)
        if given:
            raise ParameterError(
                f"options={dict(options or {})}", rule='the only option of a reset is "start".'
            )
        drawn = self._draws.draw(rng, engine.rules[c], engine.instruments[c])
        rows = self.episodes.draw(rng) if start is None else self.episodes.at(start)
        engine.start[c], engine.stop[c] = rows
        return {"start": rows[0], "stop": rows[1], **drawn}


def _instruments(bars: Bars) -> tuple[Any, ...]:
    """Return the instruments in force; refuse bars during which they change."""
    timeline = Timeline(bars.instruments, bars.instrument_changes)
    ((_, state), *more) = timeline.spans(bars.time, bars.n_rows)
    if more:
        raise DataError(
            f"bars with {len(more) + 1} states of their instruments",
            rule="ticks, lots, minimum values and fees are the same in all rows of an environment.",
            fix="Take the rows between two changes: bars.between(...).",
        )
    return timeline.states[state]
