"""Agents: what proposes alphas. Research judges them with the statistics and gates that judge all.

An agent sees only what a person may see. It proposes texts, and it cannot trade.
"""
