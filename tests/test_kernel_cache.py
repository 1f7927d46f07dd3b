"""Compiled kernels on disk that are damaged, or that another user may have written."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numba
import pytest
from numba import float64

import alphalab as al
from alphalab.kernels import _cache
from alphalab.kernels._jit import DISABLED, cache_root, jit

pytestmark = pytest.mark.skipif(DISABLED, reason="nothing is compiled: NUMBA_DISABLE_JIT is set")

others = pytest.mark.skipif(os.name == "nt", reason="access is not in the mode of a file there")


def twice(x: float) -> float:
    return x * 2.0


def compiled(folder: Path) -> Any:
    return jit(twice, float64(float64), folder=folder)


def was_loaded(kernel: Any) -> bool:
    assert kernel(4.0) == 8.0
    return sum(kernel.stats.cache_hits.values()) == 1


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "one byte less": lambda data: data[:-1],
    "random": lambda data: bytes(range(256)) * (len(data) // 256),
    "one bit": flipped,
    "of numba itself": lambda data: data[_cache._HASH_SIZE :],
}


@pytest.fixture(autouse=True)
def nothing_told() -> Iterator[None]:
    before = set(_cache._TOLD)
    _cache._TOLD.clear()
    yield
    _cache._TOLD.clear()
    _cache._TOLD.update(before)


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_noticed_told_once_and_compiled_again(
    suffix: str, damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert not was_loaded(compiled(tmp_path))
    assert was_loaded(compiled(tmp_path))
    (file,) = tmp_path.rglob(f"*{suffix}")
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    with caplog.at_level(logging.WARNING, "alphalab"):
        assert not was_loaded(compiled(tmp_path))
        (said,) = caplog.messages
        assert said.startswith("Compiled kernels are damaged, and are compiled again: ")
        assert file.name in said
        assert was_loaded(compiled(tmp_path))
        assert len(caplog.messages) == 1


def test_a_whole_file_of_another_kernel_is_damage(tmp_path: Path) -> None:
    compiled(tmp_path)
    (file,) = tmp_path.rglob("*.nbc")
    other = file.with_name("other.nbc")
    other.write_bytes(file.read_bytes())
    other.chmod(0o600)
    assert _cache._read(file) is not None and _cache._read(other) is None


@others
@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_may_write_is_not_run(
    suffix: str, mode: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    compiled(tmp_path)
    (file,) = tmp_path.rglob(f"*{suffix}")
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(mode)
    with caplog.at_level(logging.WARNING, "alphalab"):
        assert not was_loaded(compiled(tmp_path))
    assert "others may write to them" in caplog.text
    assert was_loaded(compiled(tmp_path))


@others
def test_a_folder_that_others_may_write_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ALPHALAB_CACHE_DIR", str(tmp_path / "new" / "cache"))
    root = cache_root()
    assert not was_loaded(compiled(root / "here"))
    assert root.stat().st_mode & 0o777 == 0o700
    assert was_loaded(compiled(root / "here"))
    root.chmod(0o770)
    _cache.is_private.cache_clear()
    with caplog.at_level(logging.WARNING, "alphalab"):
        assert not was_loaded(compiled(root / "here"))
        assert not was_loaded(compiled(root / "here"))
    (said,) = caplog.messages
    assert "others may write to it" in said and "chmod go-w" in said
    _cache.is_private.cache_clear()


@others
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="chown is for root")
def test_what_another_user_owns_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    compiled(tmp_path)
    (file,) = tmp_path.rglob("*.nbc")
    os.chown(file, 65534, 65534)
    with caplog.at_level(logging.WARNING, "alphalab"):
        assert not was_loaded(compiled(tmp_path))
        assert "belong to another user" in caplog.text
        folder = tmp_path / "theirs"
        folder.mkdir(mode=0o700)
        os.chown(folder, 65534, 65534)
        assert not _cache.is_private(folder)
        assert "belongs to another user" in caplog.text


def test_a_folder_that_cannot_be_written_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ALPHALAB_CACHE_DIR", str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING, "alphalab"):
        assert not was_loaded(compiled(cache_root() / "here"))
    assert "not kept" in caplog.text


def test_a_run_with_a_damaged_cache_is_the_run(tmp_path: Path) -> None:
    """In a process of its own: one line on stderr, no word of the user's operator."""
    script = (
        "import numpy as np; import alphalab as al; from alphalab.expr.plan import Plan\n"
        "plan = Plan({'x': al.close.ts_mean(2)}, [al.Instrument(symbol='A')])\n"
        "print(plan.run({'close': np.array([[1.0], [3.0]])}, 2)['x'][1, 0])"
    )
    environment = os.environ | {
        "ALPHALAB_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": str(Path(al.__file__).parents[1]),
        "NUMBA_DISABLE_JIT": "0",
    }

    def run() -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", script],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == "2.0\n"
        return done.stderr

    assert run() == "" and run() == ""
    files = [*tmp_path.rglob("*.nbi"), *tmp_path.rglob("*.nbc")]
    assert len(files) >= 2
    for file in files:
        file.write_bytes(b"")
    (said,) = run().splitlines()
    assert said.startswith("Compiled kernels are damaged, and are compiled again: ")
    assert run() == ""


def test_threads_that_compile_at_one_time_keep_to_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernels, elsewhere = tmp_path / "kernels", tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda _: jit(twice, public=True, folder=kernels), range(400)))
    finally:
        sys.setswitchinterval(interval)
    assert not list(elsewhere.iterdir())
    assert {Path(kernel._cache._cache_path).parent for kernel in made} == {kernels}
    assert not numba.config.CACHE_DIR
