"""The thin runner: paper and live trading with the engine of a backtest.

    start.py        what has to be true before the first request; asked.py, choose.py, promoted.py
    runner.py       one start, and one loop: signals come in, one thing is done after the other
    pushing.py      candles become rows, and rows go into the engines; feed.py
    control.py      the state of a run, commands of operators, values of observers; observing.py
    session.py      the state of a run as a fold over its journal; replay.py folds it again
    trader.py       one engine; wanted.py has the orders that it wants at the venue
    order_book.py   the runner's orders; outcomes.py says what an answer means for one
    dispatch.py     cancels, sales, purchases, and what is unknown
    bookkeeper.py   settle.py books what the venue's lists say; reconcile.py compares
    venue.py        what the runner needs of an exchange; venue_ccxt.py is one through ccxt
    offers.py       what exchanges offer; conformance.py asks one what it does
    exchange/       a local exchange, which paper.py starts

It may not import research, agents, pandas or torch: import-linter checks it.
"""
