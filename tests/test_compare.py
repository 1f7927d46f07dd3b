from __future__ import annotations

import numpy as np
import pytest
from compare import assert_identical, assert_same

NAN, INF = np.nan, np.inf

pytestmark = pytest.mark.nojit


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (1.0, 1.0),
        ([1.0, NAN, INF, -INF], [1.0, NAN, INF, -INF]),
        ([1.0 + 1e-10], [1.0]),
        ([0.0], [-0.0]),
        ([[1, 2]], [[1.0, 2.0]]),
        ([], []),
    ],
)
def test_same(actual, expected):
    assert_same(actual, expected)


@pytest.mark.parametrize(
    ("actual", "expected", "complaint"),
    [
        ([1.0], [2.0], "value"),
        ([1.0], [-1.0], "value"),
        ([1.0 + 1e-8], [1.0], "value"),
        ([1e-12], [0.0], "value"),
        ([NAN], [1.0], "NaN"),
        ([1.0], [NAN], "NaN"),
        ([NAN], [INF], "NaN"),
        ([INF], [1e308], "infinity"),
        ([1e308], [INF], "infinity"),
        ([INF], [-INF], "infinity"),
        ([1.0, NAN], [NAN, 1.0], "NaN"),
        ([1.0], 1.0, "shape"),
        ([[1.0, 2.0]], [[1.0], [2.0]], "shape"),
        ([1.0, 1.0], [1.0], "shape"),
    ],
)
def test_different(actual, expected, complaint):
    with pytest.raises(AssertionError, match=complaint):
        assert_same(actual, expected)


def test_tolerances():
    assert_same([1.05], [1.0], rtol=0.1)
    assert_same([0.05], [0.0], atol=0.1)
    assert_same([0.05, 5.0], [0.0, 0.0], atol=[0.1, 10.0])
    with pytest.raises(AssertionError, match="value"):
        assert_same([1.15], [1.0], rtol=0.1)
    with pytest.raises(AssertionError, match=r"1 of 2 cells, first at \(1,\)"):
        assert_same([0.05, 0.2], [0.0, 0.0], atol=0.1)
    with pytest.raises(AssertionError, match="value"):
        assert_same([0.05, 5.0], [0.0, 0.0], atol=[10.0, 0.1])
    # A tolerance that is not known, or has no end where it must not, hides nothing.
    with pytest.raises(AssertionError, match="value"):
        assert_same([1.0], [2.0], atol=NAN)
    with pytest.raises(AssertionError, match="infinity"):
        assert_same([INF], [1.0], atol=INF)


def test_identical():
    assert_identical([1.0, NAN, INF], [1.0, NAN, INF])
    assert_identical([np.copysign(NAN, -1.0)], [NAN])
    for actual, expected in [
        ([1.0], [np.nextafter(1.0, 2.0)]),
        ([0.0], [-0.0]),
        ([NAN], [1.0]),
        ([1.0], [NAN]),
        ([INF], [-INF]),
    ]:
        with pytest.raises(AssertionError, match="bits"):
            assert_identical(actual, expected)
    with pytest.raises(AssertionError, match="shape"):
        assert_identical([1.0, 1.0], [1.0])
