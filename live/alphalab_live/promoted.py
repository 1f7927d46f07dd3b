"""What may trade: artifacts that are verified, in a stage that allows it, and fit the venue."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from alphalab.artifact.keys import Keyring
from alphalab.artifact.open import Artifact, open_artifact
from alphalab.artifact.stages import ORDER, StagePolicy, standing
from alphalab.config import RunSettings
from alphalab.core.engine import Engine
from alphalab.core.events import Run
from alphalab.core.strategy import Strategy
from alphalab.errors import ArtifactError, ParameterError, RefusedError
from alphalab_live.feed import PRICES
from alphalab_live.run_folder import RunFolder
from alphalab_live.settings import LiveSettings
from alphalab_live.trader import Trader

#: Columns of a row that the runner can fill: candles, and the funding of perpetual contracts.
COLUMNS = (*PRICES, "funding")


class Promoted(NamedTuple):
    """An artifact that may trade, its strategy, and the settings it trades with."""

    artifact: Artifact
    strategy: Strategy
    settings: RunSettings

    @property
    def warmup(self) -> int:
        """Rows of history that it starts with."""
        return self.artifact.strategy.warmup or 0

    def trader(self, place: int, interval: int, *, sends: bool) -> Trader:
        """Return a new engine for it."""
        engine = Engine(
            self.strategy,
            self.artifact.instruments.instruments,
            self.settings,
            changes=self.artifact.instruments.changes,
            external=sends,
        )
        return Trader(place, engine, interval)


def promoted(
    folder: Path,
    ring: Keyring,
    policy: StagePolicy,
    live: LiveSettings,
    *,
    real: bool,
    pins: Collection[str],
    now: int,
) -> Promoted:
    """Return an artifact that may trade.

    Parameters
    ----------
    folder : Path
    ring : Keyring
        The keys that are trusted.
    policy : StagePolicy
    live : LiveSettings
        Its capital is traded.
    real : bool
        True: real money. False: a paper account, or nothing is sent.
    pins : collection of str
        SHA-256 of source files that may run.
    now : int
        ns UTC.

    Raises
    ------
    ArtifactError
        An artifact that was changed, has expired, or is signed by nobody who is trusted.
    RefusedError
        A stage that does not allow it, more capital than its cap, or settings that no venue keeps.
    """
    trusted = ring.public()
    artifact = open_artifact(folder, trusted, now=now)
    stands = standing(artifact, trusted, policy, now=now)
    name, settings = artifact.manifest.name, artifact.settings
    needed = "limited" if real else "paper"
    if ORDER.index(stands.stage) < ORDER.index(needed):
        raise RefusedError(
            f"{name} is in the stage {stands.stage}",
            rule=f"{'real money' if real else 'a paper account'} needs the stage {needed}.",
            fix=f"alphalab artifact stage {folder} --to {needed} --why ... --key ...",
        )
    settings = msgspec.structs.replace(settings, cash=live.capital_of(name, settings.cash))
    if real and settings.cash > stands.cap:
        raise RefusedError(
            f"{name} with a capital of {settings.cash:,.0f}",
            rule=f"its stage {stands.stage} allows {stands.cap:,.0f}.",
            fix=f"Set capital = {stands.cap:.0f} in the live settings.",
        )
    check_tradable(name, artifact, settings)
    return Promoted(artifact, artifact.make_strategy(pins), settings)


def check_tradable(name: str, artifact: Artifact, settings: RunSettings) -> None:
    """Refuse settings that no venue keeps.

    Raises
    ------
    RefusedError
        What it is, and what to do.
    """
    if settings.sizing != "at_decision":
        raise RefusedError(
            f"{name} sizes its orders {settings.sizing}",
            rule="what trades counts units at the decision: no venue takes an order for a value.",
            fix='Validate and promote it with sizing = "at_decision".',
        )
    if settings.fill != "next_open":
        raise RefusedError(
            f"{name} fills at {settings.fill}",
            rule="an order is sent when its row is decided, and meets the next prices.",
            fix='Validate and promote it with fill = "next_open".',
        )
    if settings.execution.delay or settings.holdings or settings.conversions:
        raise RefusedError(
            f"{name} has a delay, holdings or conversions",
            rule="the runner trades one currency, from cash, without a delay.",
            fix="Validate and promote it without them.",
        )
    if artifact.strategy.warmup is None:
        raise RefusedError(
            f"{name} has no certified warm-up",
            rule="a strategy starts with the history after which it decides as with all history.",
            fix="Validate and promote it again.",
        )
    for instrument in artifact.instruments.instruments:
        if instrument.kind == "inverse" or not (instrument.lot and instrument.tick):
            raise RefusedError(
                f"{name}: {instrument.symbol} is {instrument.kind}, tick {instrument.tick:g}, "
                f"lot {instrument.lot:g}",
                rule="the runner trades spot and linear contracts with a tick and a lot.",
                fix="Validate and promote it with the instrument as the exchange lists it.",
            )


def check_together(chosen: Sequence[Promoted]) -> None:
    """Refuse artifacts that cannot trade in one account.

    Raises
    ------
    ParameterError
        A symbol that two of them trade, markets of two kinds, or two currencies.
    """
    owners: dict[str, str] = {}
    kinds, currencies = set(), set()
    for one in chosen:
        name, instruments = one.artifact.manifest.name, one.artifact.instruments.instruments
        kinds |= {"spot" if x.kind == "spot" else "contracts" for x in instruments}
        currencies.add(one.settings.currency or instruments[0].currency)
        for symbol in (x.symbol for x in instruments):
            if symbol in owners:
                raise ParameterError(
                    f"{symbol} is traded by {owners[symbol]} and by {name}",
                    rule="each symbol of an account is traded by one artifact: a venue nets the "
                    "positions of a symbol, and its fills could not be told apart.",
                    fix="Trade one of them in an account of its own.",
                )
            owners[symbol] = name
    for found, rule in ((kinds, "one kind of markets"), (currencies, "one currency")):
        if len(found) > 1:
            raise ParameterError(
                f"artifacts of {' and of '.join(sorted(found))} in one run",
                rule=f"an account has {rule}.",
                fix="Begin a run for each.",
            )


def observed_columns(
    traders: Sequence[Trader], ages: Mapping[str, float]
) -> tuple[tuple[str, int], ...]:
    """Return the columns that observers fill, and how long a value of each holds, ns.

    Parameters
    ----------
    traders : sequence of Trader
    ages : mapping of str to float
        `LiveSettings.observe`, seconds.

    Raises
    ------
    ParameterError
        A column that no live row has and nobody observes, or one that is observed and not read.
    """
    read = {name for trader in traders for name in trader.columns}
    for name in sorted(read - set(COLUMNS) - set(ages)):
        raise ParameterError(
            f"a strategy reads the column {name!r}",
            rule=f"live rows have {', '.join(COLUMNS)}, and the columns of observers.",
            fix=f"Say in the live settings how long its values hold: [observe], {name} = 3600",
        )
    for name in sorted(set(ages) - (read - set(COLUMNS))):
        raise ParameterError(
            f"observe names {name!r}",
            rule="it names columns that a strategy reads and that no candle has.",
            fix="Correct [observe] in the live settings.",
        )
    return tuple((name, int(age * 1e9)) for name, age in sorted(ages.items()))


def of_run(folder: RunFolder, run: Run, ring: Keyring, pins: Collection[str]) -> list[Promoted]:
    """Return the artifacts of a run as they were when it was started.

    Raises
    ------
    ArtifactError
        A copy that is not what the journal says.
    """
    found = []
    for place, (expected, capital) in enumerate(zip(run.artifacts, run.capital, strict=True)):
        path = folder.artifact(place)
        artifact = open_artifact(path, ring.public(), now=folder.manifest(place).created)
        if artifact.id != expected:
            raise ArtifactError(
                f"{path} is {artifact.id[:12]}, and the run trades {expected[:12]}",
                rule="a run trades the artifacts that it began with.",
                fix="Restore the folder of the run, or begin a new run.",
            )
        settings = msgspec.structs.replace(artifact.settings, cash=capital)
        found.append(Promoted(artifact, artifact.make_strategy(pins), settings))
    return found


def check_same_engines(traders: Sequence[Trader], run: Run) -> None:
    """Refuse to go on with engines other than those that began the run.

    Raises
    ------
    RefusedError
        Another version of alphalab or of a package computes differently.
    """
    found = tuple(trader.engine.id for trader in traders)
    if found != run.engines:
        raise RefusedError(
            f"the engines are {', '.join(x[:12] for x in found)}, and the run began with "
            f"{', '.join(x[:12] for x in run.engines)}",
            rule="a run goes on with what it began with.",
            fix=f"Install the versions of its start: {', '.join(map(' '.join, run.versions))}.",
        )
