"""Validation: splits and the walk-forward."""
