"""Jobs on threads, processes, Dask and Ray."""
