"""`Asked`: what an operator asks of ``alphalab live run``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from alphalab.artifact.stages import StagePolicy
from alphalab.errors import InputError, ParameterError
from alphalab_live.run_folder import RunFolder

PAPER, _CCXT = "paper", "ccxt:"


class Asked(NamedTuple):
    """What an operator asks for; the fields are the flags of ``alphalab live run``."""

    artifacts: tuple[Path, ...]
    venue: str
    folder: Path | None
    sends: bool
    settings: Path | None
    interval: str | None
    account: str
    api_keys: Path | None
    resume: str | None
    ignore_holdings: bool
    data: dict[str, Any] | None
    funding: Path | None
    pause: float
    pins: tuple[str, ...]
    keys: Path | None
    policy: StagePolicy

    @property
    def is_paper(self) -> bool:
        """True for a paper account."""
        return self.venue == PAPER

    @property
    def is_real(self) -> bool:
        """True if orders go to an exchange."""
        return self.sends and not self.is_paper

    @property
    def run_folder(self) -> RunFolder:
        """The folder of the run: as given, or named after the first artifact.

        Raises
        ------
        InputError
            Neither a folder nor an artifact.
        """
        if self.folder is not None:
            return RunFolder(self.folder)
        if not self.artifacts:
            raise InputError(
                "alphalab live run without an artifact",
                rule="a run begins with artifacts, and goes on with its folder.",
                fix="Give ARTIFACT, or --run FOLDER.",
            )
        return RunFolder(Path("runs") / self.artifacts[0].resolve().name)


def exchange_of(venue: str) -> str:
    """Return ccxt's name of the exchange of a venue.

    Raises
    ------
    ParameterError
        A text that names no venue.

    Examples
    --------
    >>> exchange_of("ccxt:binance")
    'binance'
    """
    if not venue.startswith(_CCXT) or venue == _CCXT:
        raise ParameterError(
            f"venue {venue!r}",
            rule="a venue is paper, or ccxt: and the name of an exchange.",
            fix="Such as ccxt:binance for spot, ccxt:binanceusdm for USD-M futures.",
        )
    return venue.removeprefix(_CCXT)
