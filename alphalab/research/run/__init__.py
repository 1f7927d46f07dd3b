"""The drivers of one run: backtest, evaluate, scan."""
