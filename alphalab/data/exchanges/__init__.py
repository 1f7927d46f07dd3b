"""Candles, trades, funding rates and instruments of exchanges, through their ccxt clients."""
