"""Purged splits: no label of a training row shares a row with a label of a test row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skfolio.model_selection import CombinatorialPurgedCV
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score

import alphalab as al
from alphalab.research.validation.purged import CombinatorialPurged, PurgedKFold


def shares(train, test, ends, embargo) -> bool:
    """Tell, row by row, whether a training label meets a test label or its embargo."""
    for i in train:
        for j in test:
            if i <= ends[j] and j <= ends[i]:
                return True
            if j < i <= ends[j] + embargo:
                return True
    return False


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_labels_of_training_and_test_rows_share_no_row(data):
    n = data.draw(st.integers(20, 60))
    folds = data.draw(st.integers(3, 5))
    embargo = data.draw(st.integers(0, 3))
    ahead = np.array(data.draw(st.lists(st.integers(0, 4), min_size=n, max_size=n)))
    ends = np.minimum(np.arange(n) + ahead, n - 1)
    tested = []
    for cv in (
        PurgedKFold(folds, horizon=ahead, embargo=embargo),
        CombinatorialPurged(folds, 2, horizon=ahead, embargo=embargo),
    ):
        try:
            splits = list(cv.split(np.zeros((n, 1))))
        except al.InputError as error:
            assert "leave no training row" in str(error)
            continue
        assert len(splits) == cv.get_n_splits()
        for train, test in splits:
            assert not shares(train, test, ends, embargo)
            assert not set(train) & set(test)
            # Nothing is left out without a reason.
            for i in set(range(n)) - set(train) - set(test):
                assert shares([i], test, ends, embargo)
        tested = np.concatenate([test for _, test in splits])
        counts = np.bincount(tested, minlength=n)
        assert set(counts) == {counts[0]}


def test_the_check_of_shared_rows_can_fail():
    assert shares([3], [4], np.arange(10) + 1, 0)
    assert shares([6], [4], np.arange(10), 2)
    assert not shares([7], [4], np.arange(10), 2)


@pytest.mark.parametrize(("n_folds", "n_test", "horizon", "embargo"), [(6, 2, 3, 0), (8, 3, 2, 4)])
def test_a_constant_horizon_gives_the_splits_of_skfolio(n_folds, n_test, horizon, embargo):
    x = np.zeros((203, 2))
    own = CombinatorialPurged(n_folds, n_test, horizon=horizon, embargo=embargo)
    theirs = CombinatorialPurgedCV(n_folds, n_test, purged_size=horizon, embargo_size=embargo)
    assert own.n_paths == theirs.n_test_paths
    splits = zip(own.split(x), theirs.split(x), strict=True)
    for (train, test), (their_train, their_tests) in splits:
        assert train.tolist() == their_train.tolist()
        assert test.tolist() == np.concatenate(their_tests).tolist()


def test_paths_hold_every_row_once_and_are_those_of_skfolio():
    cv = CombinatorialPurged(5, 2)
    x = np.arange(53.0)[:, np.newaxis]
    splits = list(cv.split(x))
    number = [np.full(test.size, float(k)) for k, (_, test) in enumerate(splits)]
    paths = cv.paths([x[test, 0] for _, test in splits])
    assert paths.shape == (4, 53)
    assert (paths == x[:, 0]).all()
    theirs = CombinatorialPurgedCV(5, 2).recombined_paths
    by_fold = cv.paths(number)[:, [0, 10, 20, 30, 40]]
    assert by_fold.T.astype(int).tolist() == np.asarray(theirs).tolist()


def test_scikit_learn_takes_them():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3))
    y = x @ [1.0, 0.5, 0.0] + rng.normal(size=300)
    for cv in (PurgedKFold(4, horizon=5, embargo=3), CombinatorialPurged(5, 2, horizon=5)):
        assert cross_val_score(Ridge(), x, y, cv=cv).size == cv.get_n_splits()
        assert GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=cv).fit(x, y).best_score_ > 0.3


def test_overlapping_labels_flatter_a_model_that_is_not_purged():
    """A nearest neighbour reads the label of the row beside it: purged, it knows nothing."""
    from sklearn.model_selection import KFold
    from sklearn.neighbors import KNeighborsRegressor

    returns = np.random.default_rng(1).normal(size=600)
    horizon = 40
    y = np.convolve(returns, np.ones(horizon), "valid")[1:]
    x = np.arange(y.size, dtype=float)[:, np.newaxis]
    model = KNeighborsRegressor(1)
    naive = cross_val_score(model, x, y, cv=KFold(60)).mean()
    purged = cross_val_score(model, x, y, cv=PurgedKFold(60, horizon=horizon)).mean()
    assert purged < naive


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: PurgedKFold(1), "n_splits=1.*at least 2"),
        (lambda: PurgedKFold(3, embargo=-1), "embargo=-1"),
        (lambda: list(PurgedKFold(5).split(np.zeros(4))), "4 rows in 5 folds.*5 rows are needed"),
        (lambda: list(PurgedKFold(3, horizon=-1).split(np.zeros(30))), "horizon=-1"),
        (lambda: list(PurgedKFold(3, horizon=np.ones(5, int)).split(np.zeros(30))), "for 30 rows"),
        (
            lambda: list(PurgedKFold(3, embargo=50).split(np.zeros(30))),
            "embargo=50.*leave no training row.*fold length 10.*smaller embargo",
        ),
        (lambda: CombinatorialPurged(4, 4), "n_test_folds=4 of n_folds=4"),
        (lambda: CombinatorialPurged(40, 20), "at most 100,000"),
        (lambda: CombinatorialPurged(4, 2).paths([np.zeros(3)]), "results of 1 splits"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(al.InputError, match=f"(?s){message}"):
        call()
