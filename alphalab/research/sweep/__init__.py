"""Sweeps: variants of a strategy, their outcome, pictures and reports."""
