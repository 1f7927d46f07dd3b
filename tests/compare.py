"""Comparison of results: NaN and infinities must be in the same places."""

from __future__ import annotations

from typing import Any

import numpy as np


def assert_same(actual: Any, expected: Any, rtol: float = 1e-9, atol: Any = 0.0) -> None:
    """Fail unless ``|actual - expected| <= atol + rtol * |expected|`` in every cell.

    NaN is the same as NaN only, an infinity as the infinity of its sign only, and 0.0 as -0.0.
    `atol` is a number, or an array of the same shape.
    """
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert actual.shape == expected.shape, f"shape {actual.shape}, expected {expected.shape}"
    _refuse("NaN", np.isnan(actual) != np.isnan(expected), actual, expected)
    infinite = np.isinf(actual) | np.isinf(expected)
    _refuse("infinity", infinite & (actual != expected), actual, expected)
    finite = np.isfinite(expected)
    error, allowed = np.zeros(actual.shape), np.broadcast_to(atol, actual.shape)[finite]
    error[finite] = np.abs(actual[finite] - expected[finite])
    far = np.zeros(actual.shape, bool)
    # Written so that an `atol` that is NaN fails.
    far[finite] = ~(error[finite] <= allowed + rtol * np.abs(expected[finite]))
    _refuse(f"value (rtol={rtol:g})", far, actual, expected)


def assert_identical(actual: Any, expected: Any) -> None:
    """Fail unless both arrays hold the same bits; NaN equals NaN, 0.0 does not equal -0.0."""
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert actual.shape == expected.shape, f"shape {actual.shape}, expected {expected.shape}"
    bits = np.ascontiguousarray(actual).view(np.uint64)
    same = bits == np.ascontiguousarray(expected).view(np.uint64)
    _refuse("bits", ~(same | (np.isnan(actual) & np.isnan(expected))), actual, expected)


def _refuse(what: str, wrong: Any, actual: Any, expected: Any) -> None:
    if not wrong.any():
        return
    first = tuple(int(i) for i in np.argwhere(wrong)[0])
    raise AssertionError(
        f"{what} differs in {int(wrong.sum())} of {wrong.size} cells, first at {first}: "
        f"{actual[first]!r}, expected {expected[first]!r}"
    )
