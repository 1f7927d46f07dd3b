"""A local exchange: the protocol of a real one, filled by the compiled code of the backtest.

    async with LocalExchange(bars, [Account(key="key", secret="secret")]) as exchange:
        client = ccxt.pro.binanceusdm(exchange.ccxt_config())
        phase = await exchange.step()

`docs/exchange.md` has its endpoints, streams, error codes, faults, and what is not there.
"""

from alphalab_live.exchange.accounts import Account, Rights
from alphalab_live.exchange.desk import Phase
from alphalab_live.exchange.faults import Fault, Faults
from alphalab_live.exchange.limits import Limits
from alphalab_live.exchange.local import LocalExchange, ccxt_urls

__all__ = [
    "Account",
    "Fault",
    "Faults",
    "Limits",
    "LocalExchange",
    "Phase",
    "Rights",
    "ccxt_urls",
]
