"""Research orchestration: loops that propose alphas, run them and keep what survives.

Nothing here yet. An agent will use `alphalab.research` as a person does and see only what a person
may see: it proposes expression text and parameters, and the same statistics and gates judge them.
It cannot trade.
"""
