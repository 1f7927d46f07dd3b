"""The thin runner: paper and live trading with the engine of a backtest.

    start.py        what has to be true before the first request
    runner.py       rows come in, decisions go out, one thing after the other
    session.py      the state of a run: a fold over its journal; replay.py folds it again
    trader.py       one engine, and the orders that it wants at the venue
    order_book.py   the runner's orders; outcomes.py says what an answer means for one
    dispatch.py     cancels, sales, purchases, and what is unknown
    bookkeeper.py   settle.py books what the venue's lists say; reconcile.py compares
    venue.py        what the runner needs of an exchange; venue_ccxt.py is one through ccxt
    exchange/       a local exchange, which paper.py starts

It may not import research, agents, pandas or torch: import-linter checks it.
"""
