"""Accounts of the exchange: keys, rights, settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from alphalab.config import RunSettings


@dataclass
class Rights:
    """What a key may do, as the exchange answers it."""

    read: bool = True
    trade: bool = True
    withdraw: bool = False
    transfer: bool = False


@dataclass(frozen=True)
class Account:
    """An account of the local exchange: a spot wallet and a futures wallet.

    Parameters
    ----------
    key, secret : str
        The pair that signs its requests.
    settings : RunSettings
        Cash of each wallet, fees and other costs, margin, and how orders meet a bar: those of the
        backtest that has to be repeated. What belongs to its strategy is not read.
    rights : Rights
        What the key may do.
    """

    key: str = "key"
    secret: str = "secret"
    settings: RunSettings = field(default_factory=RunSettings)
    rights: Rights = field(default_factory=Rights)
