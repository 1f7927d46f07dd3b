"""Elementwise operators: `update(params, x, ...) -> y` computes one cell.

Arithmetic follows IEEE 754. Logic is three-valued: a truth value is 1.0, 0.0, or NaN for unknown;
any other number counts as true.
"""

from __future__ import annotations

import numpy as np

from alphalab.kernels._jit import jit


@jit
def truth(condition):
    return 1.0 if condition else 0.0


@jit
def add(params, x, y):
    return x + y


@jit
def sub(params, x, y):
    return x - y


@jit
def mul(params, x, y):
    return x * y


@jit
def div(params, x, y):
    return x / y


@jit
def neg(params, x):
    return -x


@jit
def power(params, x, y):
    # C's pow gives nan ** 0 = 1 and 1 ** nan = 1; here the result is NaN.
    return np.nan if np.isnan(x) or np.isnan(y) else np.power(x, y)


@jit
def signed_power(params, x, y):
    size = np.nan if np.isnan(x) or np.isnan(y) else np.power(abs(x), y)
    return np.sign(x) * size


@jit
def gt(params, x, y):
    return np.nan if np.isnan(x) or np.isnan(y) else truth(x > y)


@jit
def ge(params, x, y):
    return np.nan if np.isnan(x) or np.isnan(y) else truth(x >= y)


@jit
def lt(params, x, y):
    return np.nan if np.isnan(x) or np.isnan(y) else truth(x < y)


@jit
def le(params, x, y):
    return np.nan if np.isnan(x) or np.isnan(y) else truth(x <= y)


@jit
def eq(params, x, y):
    return np.nan if np.isnan(x) or np.isnan(y) else truth(x == y)


@jit
def ne(params, x, y):
    return np.nan if np.isnan(x) or np.isnan(y) else truth(x != y)


@jit
def and_(params, x, y):
    if x == 0.0 or y == 0.0:
        return 0.0
    return np.nan if np.isnan(x) or np.isnan(y) else 1.0


@jit
def or_(params, x, y):
    if (x != 0.0 and not np.isnan(x)) or (y != 0.0 and not np.isnan(y)):
        return 1.0
    return np.nan if np.isnan(x) or np.isnan(y) else 0.0


@jit
def not_(params, x):
    return np.nan if np.isnan(x) else truth(x == 0.0)


@jit
def where(params, condition, x, y):
    if np.isnan(condition):
        return np.nan
    return x if condition != 0.0 else y


@jit
def abs_(params, x):
    return abs(x)


@jit
def log(params, x):
    return np.log(x)


@jit
def exp(params, x):
    return np.exp(x)


@jit
def sqrt(params, x):
    return np.sqrt(x)


@jit
def sign(params, x):
    return np.sign(x)


@jit
def floor(params, x):
    return np.floor(x)


@jit
def tanh(params, x):
    return np.tanh(x)


@jit
def clip(params, x):
    return x if np.isnan(x) else min(max(x, params[0]), params[1])


@jit
def minimum(params, x, y):
    return np.nan if np.isnan(x) or np.isnan(y) else min(x, y)


@jit
def maximum(params, x, y):
    return np.nan if np.isnan(x) or np.isnan(y) else max(x, y)


@jit
def is_nan(params, x):
    return truth(np.isnan(x))


@jit
def fill_nan(params, x):
    return params[0] if np.isnan(x) else x


@jit
def finite(params, x):
    return x if np.isfinite(x) else params[0]
