"""Bars: the panel of market data, where it comes from, and the rules it keeps."""
