"""The step: books, orders, matching, money, gate, rebalancing, tally, digest and drivers."""
