"""The thin runner: paper and live trading with the engine of a backtest.

Nothing here yet. It will push one row at a time through `alphalab.core`, write every event to a
journal before anything is sent, and read that journal to start again. It may not import research,
agents, pandas or torch: import-linter checks it.
"""
