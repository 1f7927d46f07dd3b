"""The arguments of the driver: packed by name; arrays of another layout are refused."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from alphalab.kernels._jit import DISABLED
from alphalab.kernels.market import drivers
from alphalab.kernels.market.arguments import COLUMNS, ENVS, OUTPUT, ROWS, WORKSPACE, Group
from alphalab.types import FILL

pytestmark = pytest.mark.nojit

GROUP = Group("Three", prices=(np.float64, 2), times=(np.int64, 1), fills=(FILL, 1))


def arrays() -> dict[str, Any]:
    return {"prices": np.ones((3, 2)), "times": np.arange(3), "fills": np.zeros(3, FILL)}


def test_arrays_are_packed_by_name_and_not_copied() -> None:
    given = arrays()
    packed = GROUP.pack(**dict(reversed(given.items())))
    assert packed._fields == GROUP.names == ("prices", "times", "fills")
    assert all(getattr(packed, name) is array for name, array in given.items())


def test_parts_along_the_first_axis_and_empty_arrays_are_packed() -> None:
    parts = {name: array[1:] for name, array in arrays().items()}
    assert GROUP.pack(**parts).prices.shape == (2, 2)
    empty = {name: array[:0] for name, array in arrays().items()}
    assert GROUP.pack(**empty).fills.size == 0


def _read_only(array: Any) -> Any:
    array.flags.writeable = False
    return array


def _misaligned(shape: tuple[int, ...]) -> Any:
    n = int(np.prod(shape)) * 8
    return np.zeros(n + 1, np.uint8)[1:].view(np.float64).reshape(shape)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("prices", np.ones((3, 2), np.float32)),
        ("prices", np.ones((3, 2), np.int64)),
        ("prices", np.ones((3, 2), ">f8")),
        ("prices", np.ones(6)),
        ("prices", np.ones((3, 2), order="F")),
        ("prices", np.ones((6, 2))[::2]),
        ("prices", np.ones((3, 4))[:, :2]),
        ("prices", _read_only(np.ones((3, 2)))),
        ("prices", _misaligned((3, 2))),
        ("times", np.arange(3, dtype=np.uint64)),
        ("times", np.arange(3).astype("M8[ns]")),
        ("fills", np.zeros(3, FILL)[["row", "time"]]),
        ("fills", np.zeros(3, [(name, "f8") for name in FILL.names or ()])),
    ],
)
def test_an_array_of_another_layout_is_refused(name: str, array: Any) -> None:
    with pytest.raises(TypeError, match=rf"Three\.{name} is a writable C-contiguous array"):
        GROUP.pack(**arrays() | {name: array})


@pytest.mark.parametrize("change", [{"volumes": np.ones(3)}, {"times": None}])
def test_a_missing_or_unknown_array_is_refused(change: dict[str, Any]) -> None:
    given = {name: array for name, array in (arrays() | change).items() if array is not None}
    with pytest.raises(TypeError, match=r"volumes|times"):
        GROUP.pack(**given)


@pytest.mark.parametrize("group", [COLUMNS, WORKSPACE, ROWS, OUTPUT, ENVS])
def test_the_type_is_the_same_in_the_next_process(group: Group) -> None:
    """Or the compiled driver on disk is not found again."""
    assert pickle.loads(pickle.dumps(group.kind)) is group.kind
    with pytest.raises(pickle.PicklingError):
        pickle.dumps(GROUP.kind)


def test_no_array_is_in_two_groups() -> None:
    names = [name for group in (COLUMNS, WORKSPACE, ROWS, OUTPUT, ENVS) for name in group.names]
    assert len(names) == len(set(names))


@pytest.mark.skipif(not DISABLED, reason="with the compiler the driver is compiled code")
def test_without_the_compiler_the_driver_is_the_function() -> None:
    assert drivers.run() is drivers._run
