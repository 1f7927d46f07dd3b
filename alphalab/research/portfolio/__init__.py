"""Portfolios: weights that an optimiser chooses from the past."""
