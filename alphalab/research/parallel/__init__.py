"""Parallel runs: in threads, in processes, on Dask and on Ray."""
