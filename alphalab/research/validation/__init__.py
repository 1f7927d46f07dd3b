"""Splits and the walk-forward."""
