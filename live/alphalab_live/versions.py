"""Versions of everything that decides what a run computes and sends."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from alphalab.core.events import Pairs

_PACKAGES = ("aiohttp", "alphalab", "ccxt", "llvmlite", "msgspec", "numba", "numpy")


def versions() -> Pairs:
    """Return names and versions, sorted by name.

    Examples
    --------
    >>> dict(versions())["python"].count(".")
    2
    """
    found = {"python": platform.python_version(), "system": platform.platform()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return tuple(sorted(found.items()))
