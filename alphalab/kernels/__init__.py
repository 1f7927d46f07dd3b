"""Compiled arithmetic: arrays and records in and out. The only place that imports numba."""
