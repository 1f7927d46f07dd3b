"""Gymnasium environments over alphalab's step.

Nothing here yet. `env.step` will push one row through the engine that a backtest pushes in blocks,
so that what an agent learns on is what it is later measured on: a single environment and a
vectorised one, registered with Gymnasium by name.
"""
