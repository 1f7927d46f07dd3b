"""A crash at every write, commit and request: no order lost, none doubled, the same end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from live_cases import Case
from live_crashes import (
    Whole,
    bytes_of,
    check_books,
    check_same_end,
    scripted,
    trade,
    undisturbed,
)

CRASHES = 500
LONGEST_LIFE = 100  # points; a start has about 55 of them


@pytest.fixture(scope="module")
def case() -> Case:
    return scripted()


@pytest.fixture(scope="module")
def whole(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Return the session without a crash, which is the backtest."""
    path = tmp_path_factory.mktemp("whole")
    found = undisturbed(case, path)
    want = case.backtest()
    assert found.rows == (want.ledger.tobytes(), want.qty.tobytes())
    return found


def test_the_session_has_every_kind_of_point(whole: Whole) -> None:
    assert len(whole.points) > 400
    for what in (
        "write of Row, Intent",
        "commit of Report, Intent",
        "commit of a snapshot",
        "request POST fapi/v1/order",
        "request POST fapi/v1/algoOrder",
        "request DELETE fapi/v1/order",
        "request GET fapi/v1/userTrades",
    ):
        assert any(what in name for name in whole.points), what


def check_crashes(case: Case, whole: Whole, folder: Path, points: range) -> int:
    """Check a crash at each of some points; return how many there were."""
    for point in points:
        path = folder / str(point)
        ended = trade(case, path, [point])
        assert ended.points.deaths == [whole.points[point]]
        check_same_end(case, path, whole, ended)
    return len(points)


def test_a_crash_at_some_points(case: Case, whole: Whole, tmp_path: Path) -> None:
    assert check_crashes(case, whole, tmp_path, range(7, len(whole.points), 43)) > 10


@pytest.mark.slow
def test_a_crash_at_every_point(case: Case, whole: Whole, tmp_path: Path) -> None:
    points = range(len(whole.points))
    assert check_crashes(case, whole, tmp_path, points) == len(whole.points)


def random_lives(seed: int, crashes: int) -> Iterator[int]:
    yield from np.random.default_rng(seed).integers(0, LONGEST_LIFE, crashes).tolist()


def check_random_crashes(folder: Path, rows: int, crashes: int) -> None:
    """Check one session that dies at random points, also of its restarts."""
    case = scripted(rows)
    ended = trade(case, folder, random_lives(0, crashes))
    assert len(ended.points.deaths) == crashes
    want = case.backtest()
    rows_of_backtest = (want.ledger.tobytes(), want.qty.tobytes())
    check_same_end(case, folder, Whole([], ended.orders, rows_of_backtest), ended)
    assert set(ended.orders.values()) == {1}


def test_the_market_goes_on_while_the_runner_is_dead(tmp_path: Path) -> None:
    for moves in (1, 3):
        path = tmp_path / str(moves)
        ended = trade(scripted(40), path, random_lives(moves, 6), moves=moves)
        assert len(ended.points.deaths) == 6
        check_books(scripted(40), path, ended)


def test_some_random_crashes_of_one_session(tmp_path: Path) -> None:
    check_random_crashes(tmp_path, 30, 12)


@pytest.mark.slow
def test_500_random_crashes_of_one_session(tmp_path: Path) -> None:
    check_random_crashes(tmp_path, 1_000, CRASHES)


def test_the_check_can_fail(case: Case, whole: Whole, tmp_path: Path) -> None:
    ended = trade(case, tmp_path)
    assert bytes_of(tmp_path) == whole.rows
    name = next(iter(whole.orders))
    one_more = whole._replace(orders=whole.orders + Counter([name]))
    with pytest.raises(AssertionError, match=f"lost .'{name}'"):
        check_same_end(case, tmp_path, one_more, ended)
    one_less = whole._replace(orders=Counter(x for x in whole.orders if x != name))
    with pytest.raises(AssertionError, match=f"doubled .'{name}'"):
        check_same_end(case, tmp_path, one_less, ended)
    with pytest.raises(AssertionError, match="other rows"):
        check_same_end(case, tmp_path, whole._replace(rows=(b"", b"")), ended)
