"""`Randomise`: what differs from episode to episode, so that an agent learns no single market."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from msgspec import Meta

from alphalab.config import RunSettings
from alphalab.errors import ParameterError
from alphalab.settings import Bps, Rows, RowsOrNone, Settings
from alphalab.types import Records

Many = Annotated[int, Meta(ge=0, le=10_000)]


class Randomise(Settings, frozen=True):
    """What differs from episode to episode (domain randomisation).

    Tobin et al., Domain Randomization for Transferring Deep Neural Networks (2017). Costs and
    delays are drawn uniformly when an episode begins, from the generator that the seed of `reset`
    starts. The rows of an episode are drawn in any case. Paths are made once, with the environment.

    Parameters
    ----------
    fee_bps, spread_bps, slippage_bps : pair of float, optional
        Lowest and highest value of the field of `alphalab.Costs`. None: as set in the costs.
    delay : pair of int, optional
        Fewest and most rows of `Execution.delay`.
    paths : int
        Other histories that episodes are drawn from as well, each as likely as the given one. Rows
        are drawn in blocks, with the moves of all assets together, so that short dependence and
        correlation stay: moving blocks, Kuensch (1989).
    block : int
        Rows of a block.
    gap_bps : float
        Standard deviation of an additional jump between close and next open on these paths.
    seed : int
        Seed of the paths.

    Raises
    ------
    ParameterError
        A range in the wrong order, or a number outside its bounds.

    Examples
    --------
    >>> Randomise(fee_bps=(2, 20), paths=3).fee_bps
    (2.0, 20.0)
    """

    fee_bps: tuple[Bps, Bps] | None = None
    spread_bps: tuple[Bps, Bps] | None = None
    slippage_bps: tuple[Bps, Bps] | None = None
    delay: tuple[RowsOrNone, RowsOrNone] | None = None
    paths: Many = 0
    block: Rows = 20
    gap_bps: Bps = 0.0
    seed: Annotated[int, Meta(ge=0)] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("fee_bps", "spread_bps", "slippage_bps", "delay"):
            pair = getattr(self, name)
            if pair is not None and pair[0] > pair[1]:
                raise ParameterError(
                    f"Randomise({name}={pair})", rule="the lowest value comes first."
                )
        if self.gap_bps and not self.paths:
            raise ParameterError(
                f"Randomise(gap_bps={self.gap_bps:g}, paths=0)",
                rule="gaps are added to paths; the given history stays as it is.",
                fix="Set paths=8 or another number.",
            )


class Draws:
    """Draws the costs and the delay of an episode, and writes them into an account's rules.

    Raises
    ------
    ParameterError
        A range that the settings of the run do not allow.
    """

    def __init__(self, randomise: Randomise, settings: RunSettings) -> None:
        costs = settings.costs
        self._randomise, self._half_spread = randomise, costs.spread_bps / 2
        self._slippage = costs.slippage_bps
        _check(randomise, settings)

    def draw(self, rng: np.random.Generator, rules: Any, instruments: Records) -> dict[str, float]:
        """Draw for one account, write into its rules and instruments, and return the values."""
        drawn: dict[str, float] = {}
        for name in ("fee_bps", "spread_bps", "slippage_bps"):
            if pair := getattr(self._randomise, name):
                drawn[name] = float(rng.uniform(*pair))
        if pair := self._randomise.delay:
            drawn["delay"] = rules["delay"] = int(rng.integers(pair[0], pair[1] + 1))
        if "fee_bps" in drawn:
            instruments["maker"] = instruments["taker"] = drawn["fee_bps"] / 1e4
        if "spread_bps" in drawn or "slippage_bps" in drawn:
            half = drawn["spread_bps"] / 2 if "spread_bps" in drawn else self._half_spread
            rules["slippage"] = (half + drawn.get("slippage_bps", self._slippage)) / 1e4
        return drawn


def _check(randomise: Randomise, settings: RunSettings) -> None:
    costs = settings.costs
    if randomise.fee_bps and costs.tiers:
        raise ParameterError(
            "Randomise(fee_bps=...) with fee tiers", rule="the fee of a tier is not drawn."
        )
    if randomise.spread_bps and costs.quotes != "none":
        raise ParameterError(
            f"Randomise(spread_bps=...) with quotes={costs.quotes!r}",
            rule="a spread is drawn, or read from the quotes.",
        )
    if randomise.delay and settings.fill != "next_open":
        raise ParameterError(
            f"Randomise(delay=...) with fill={settings.fill!r}",
            rule="a delayed order fills at a later open.",
            fix='Use fill="next_open".',
        )
    spread = randomise.spread_bps or (0.0, costs.spread_bps)
    slippage = randomise.slippage_bps or (0.0, costs.slippage_bps)
    worst = spread[1] / 2 + slippage[1] + costs.share_impact_bps + costs.root_impact_bps
    if worst >= 10_000:
        raise ParameterError(
            f"Randomise: half the spread, slippage and impact add up to {worst:g} bps",
            rule="the friction of a taker is below 10,000 bps.",
        )
