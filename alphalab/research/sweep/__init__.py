"""Sweeps: variants, their outcomes, plots and reports."""
