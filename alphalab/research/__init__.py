"""Research: backtests, results, metrics, reports and hand-overs to other libraries."""
