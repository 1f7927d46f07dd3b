"""Compile the kernels that many tests use, into the cache on disk."""

from __future__ import annotations

from alphalab.kernels import _late
from alphalab.kernels.market import digest, drivers, env_driver, reports, tally, venue

if __name__ == "__main__":
    for compile_ in (
        *(drivers.run, digest.fold_run, tally.fold_all),
        *(reports.report_driver, venue.venue, env_driver.advance),
    ):
        compile_()
    _late.compile_all()
