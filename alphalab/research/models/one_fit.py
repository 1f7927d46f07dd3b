"""One fit of a model: learn from the training rows, speak about the next rows, check, keep."""

from __future__ import annotations

import hashlib
import pickle
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import joblib
import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone

from alphalab.errors import DataError, ParameterError, StrategyError
from alphalab.types import FloatArray

#: Cuts at which a fit is checked for values that use later rows.
CUTS = 8

#: How far a value may move when later rows are dropped: rounding of sums in another order.
ROUNDING = 1e-9


class Sample(NamedTuple):
    """The rows of one fit: those it learns from, then those it speaks about.

    Attributes
    ----------
    x : ndarray of shape (R, N, K)
        Features of R rows from the first training row on, NaN where unknown.
    y : ndarray of shape (R, N), or None
        Labels.
    n_train : int
        Rows whose labels have ended at the fit; the first ones.
    n_seen : int
        Rows before the first one that the model speaks about.
    """

    x: FloatArray
    y: FloatArray | None
    n_train: int
    n_seen: int


class Fitted(NamedTuple):
    """What one fit says.

    Attributes
    ----------
    values : dict of str to ndarray of shape (R, N)
        Of each output, NaN where a feature is unknown.
    n_rows : int
        Complete rows that were learned from, of all symbols.
    model : str
        Hash of the fitted model; empty where it cannot be pickled.
    """

    values: dict[str, FloatArray]
    n_rows: int
    model: str


class Job(msgspec.Struct, frozen=True):
    """What all fits of a forward walk share."""

    model: BaseEstimator
    name: str
    output: str
    per_symbol: bool
    min_rows: int
    seed: int


def fit_once(job: Job, sample: Sample, when: str) -> Fitted:
    """Fit a clone of the model, and return its values for the rows after those it has seen.

    Parameters
    ----------
    job : Job
    sample : Sample
    when : str
        Time of the fit, for messages.

    Raises
    ------
    DataError
        Fewer complete rows than `min_rows`.
    StrategyError
        A model that raises, returns another shape or NaN, or looks at later rows.
    """
    n_assets = sample.x.shape[1]
    columns = [[j] for j in range(n_assets)] if job.per_symbol else [list(range(n_assets))]
    values: dict[str, FloatArray] = {}
    hashes, n_rows, short = [], 0, []
    for some in columns:
        y = None if sample.y is None else sample.y[:, some]
        part = sample._replace(x=sample.x[:, some], y=y)
        complete = _complete(part)
        if complete.sum() < job.min_rows:
            short.append(int(complete.sum()))
            continue
        model = _fitted(job, part, complete, when)
        for name, found in _checked(job, model, part, when).items():
            shape = len(found), n_assets
            values.setdefault(name, np.full(shape, np.nan))[:, some] = found
        hashes.append(_hash_of(model))
        n_rows += int(complete.sum())
    if not values:
        raise DataError(
            f"the fit at {when} has {max(short)} rows without an unknown feature or label",
            rule=f"a fit learns from at least min_rows={job.min_rows} rows.",
            fix="Use a longer train, or features that are known earlier.",
        )
    known = hashlib.sha256("".join(hashes).encode()).hexdigest()[:16] if all(hashes) else ""
    return Fitted(values, n_rows, known)


def _hash_of(model: Any) -> str:
    try:
        return str(joblib.hash(model))
    except pickle.PicklingError:  # such as a class of a function
        return ""


def _complete(sample: Sample) -> NDArray[np.bool_]:
    """Return which training cells have all features and a label, (n_train, N)."""
    known = np.isfinite(sample.x[: sample.n_train]).all(axis=2)
    if sample.y is not None:
        known &= np.isfinite(sample.y[: sample.n_train])
    return np.asarray(known)


def _fitted(job: Job, sample: Sample, complete: NDArray[np.bool_], when: str) -> Any:
    model = seeded(clone(job.model), job.seed)
    x = sample.x[: sample.n_train][complete]
    y = () if sample.y is None else (sample.y[: sample.n_train][complete],)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            return model.fit(x, *y)
    except Exception as error:
        raise StrategyError(
            f"{type(model).__name__}.fit at {when} on {len(x):,} rows raised "
            f"{type(error).__name__}: {error}",
            rule="the model is fitted on features without NaN, with one label for each row.",
        ) from error


def seeded(model: Any, seed: int) -> Any:
    """Return the model with every `random_state` that is None set to the seed."""
    open_ = {
        name: seed
        for name, value in model.get_params().items()
        if name.split("__")[-1] == "random_state" and value is None
    }
    return model.set_params(**open_)


def _checked(job: Job, model: Any, sample: Sample, when: str) -> dict[str, FloatArray]:
    """Return the model's values for the rows it speaks about, (R, N), from those rows alone.

    They must not change when later rows are dropped, at any of a few cuts: a model that smooths, or
    that scales by what it is given, would look ahead.
    """
    values = _values(job, model, sample, when)
    n = sample.x.shape[0] - sample.n_seen
    for cut in np.unique(np.linspace(1, n - 1, CUTS).astype(int)) if n > 1 else ():
        fewer = sample._replace(x=sample.x[: sample.n_seen + cut])
        for name, found in _values(job, model, fewer, when).items():
            same = np.isclose(found, values[name][:cut], ROUNDING, ROUNDING, equal_nan=True)
            if same.all():
                continue
            row = int(np.argmin(same.all(axis=1)))
            raise StrategyError(
                f"{type(model).__name__} fitted at {when}: {name!r} of row {row} after the fit "
                "changes when later rows are dropped",
                rule="a value uses its own row and earlier ones.",
                fix="Use a filter in place of a smoother (al.models.GaussianHmm), and put scaling "
                "into a scikit-learn Pipeline, which learns it in fit.",
            )
    return values


def _values(job: Job, model: Any, sample: Sample, when: str) -> dict[str, FloatArray]:
    # A filter goes through the rows before, so that it knows its state at the first row.
    first = 0 if is_sequential(model) else sample.n_seen
    x = sample.x[first:]
    known = np.isfinite(x).all(axis=2)
    result: dict[str, FloatArray] = {}
    for name, found in _said(job, model, x[known], when).items():
        cells = np.full(known.shape, np.nan)
        cells[known] = found
        result[name] = cells[sample.n_seen - first :]
    return result


def _said(job: Job, model: Any, x: FloatArray, when: str) -> Mapping[str, FloatArray]:
    """Return the outputs for rows without NaN, (n,) each, by their names."""
    said = getattr(model, job.output, None)
    if said is None:
        raise ParameterError(
            f"output={job.output!r}",
            rule=f"it is a method of the fitted model; {type(model).__name__} has no such method.",
        )
    if not len(x):
        return {}
    try:
        values = said(x)
    except Exception as error:
        raise StrategyError(
            f"{type(model).__name__}.{job.output} after the fit at {when} raised "
            f"{type(error).__name__}: {error}",
            rule="it takes the features of rows without NaN.",
        ) from error
    if isinstance(values, Mapping):
        named = {f"{job.name}_{key}" if key else job.name: v for key, v in values.items()}
    else:
        table = np.asarray(values, np.float64)
        if table.ndim == 1:
            named = {job.name: table}
        else:
            named = {f"{job.name}_{k}": table[:, k] for k in range(table.shape[-1])}
    for name, found in named.items():
        if np.shape(found) != (len(x),) or not np.isfinite(found).all():
            what = "NaN" if np.shape(found) == (len(x),) else f"shape {np.shape(found)}"
            raise StrategyError(
                f"{type(model).__name__}.{job.output} after the fit at {when} returned {what} for "
                f"{name!r}",
                rule=f"it returns one finite number for each row: {len(x):,} here.",
            )
    return named


def is_sequential(model: Any) -> bool:
    """Return True if the model is a filter: its value of a row depends on the rows before."""
    return bool(getattr(model, "sequential", False))
