"""Compilation and its cache on disk.

Numba notices a change in a kernel's own file, but not in the file of a function that the kernel
calls. So the cache folder is named by a hash of all kernel sources: a change anywhere in this
package starts a new folder.
"""

from __future__ import annotations

import gc
import hashlib
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

# With Intel's vector library, numba computes exp and log differently in the middle and at the end
# of a block, so results would depend on the block size. Numba reads the variable at import.
os.environ.setdefault("NUMBA_DISABLE_INTEL_SVML", "1")
# Where colorama is installed, numba writes terminal codes into its errors. Ours quote them.
os.environ.setdefault("NUMBA_DISABLE_ERROR_MESSAGE_HIGHLIGHTING", "1")

import numba
import numpy as np

from alphalab.kernels._cache import keep
from alphalab.kernels._late import Late, address_of, teach_late, teach_pointer
from alphalab.kernels._parts import PartCompiler

if numba.config.USING_SVML:
    raise ImportError(
        "numba was imported with Intel's vector library, which makes results depend on the size of "
        "a block: set NUMBA_DISABLE_INTEL_SVML=1, or import alphalab before numba"
    )

DISABLED = bool(numba.config.DISABLE_JIT)


def _import_array_functions() -> None:
    """Import numba's array functions, but not scipy.

    They import scipy.linalg to learn whether it is there, which takes a sixth of a short run. Numba
    imports it again before it compiles a function that needs it.
    """
    from numba.np import linalg

    check, linalg.ensure_blas = linalg.ensure_blas, lambda: None
    try:
        importlib.import_module("numba.np.arraymath")
    finally:
        linalg.ensure_blas = check


if not DISABLED:
    _import_array_functions()


def source_hash() -> str:
    """Return the hash of the sources of kernels, codes and record layouts: 16 hex digits."""
    package = Path(__file__).parents[1]
    digest = hashlib.blake2b(digest_size=8)
    for path in [
        *sorted(package.glob("kernels/**/*.py")),
        package / "codes.py",
        package / "types.py",
    ]:
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def cache_root() -> Path:
    """Return the folder of all compiled kernels: in `ALPHALAB_CACHE_DIR` or the user's cache."""
    if given := os.environ.get("ALPHALAB_CACHE_DIR"):
        return Path(given) / "kernels"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return base / "alphalab" / "kernels"


CACHE_DIR = cache_root() / source_hash()


def jit(
    function: Callable[..., Any],
    signature: Any = None,
    *,
    allocates: bool = False,
    inline: bool = True,
    public: bool = False,
    boundscheck: bool = False,
    folder: Path | None = CACHE_DIR,
) -> Any:
    """Compile a function to strict IEEE arithmetic; cached on disk if its source is in a file.

    Parameters
    ----------
    function : callable
    signature : numba signature, optional
        With a signature the function is compiled (or loaded) now. Without one it is compiled when
        another kernel first calls it; Python must not call it then, unless it allocates or is
        public.
    allocates : bool
        True if the function makes arrays. If not, it is compiled without reference counts and
        inlined into its caller, which made the step fourteen times faster.
    inline : bool
        True to inline a function that makes no arrays. Use False for a function that is rarely
        called or has many callers.
    public : bool
        True if user code calls the function, perhaps from plain Python.
    boundscheck : bool
        True to raise an error for an index outside its array: for user code.
    folder : Path, optional
        Cache folder; None: not cached on disk.
    """
    if DISABLED:
        return function
    # Set `_nrt` in both cases: numba would otherwise inherit it from the caller.
    options: dict[str, Any] = {"nogil": True, "_nrt": allocates}
    if not allocates:
        options["forceinline"] = inline
    if signature is None and not (allocates or public):  # only other kernels call it
        options["no_cpython_wrapper"] = options["no_cfunc_wrapper"] = True
        options["pipeline_class"] = PartCompiler
        folder = None  # it has no code of its own
    if boundscheck:
        options["boundscheck"] = True
    compiler = numba.njit(fastmath=False, error_model="numpy", **options)(function)
    if folder is not None and Path(function.__code__.co_filename).exists():
        keep(compiler, function, folder, cache_root())
    if signature is not None:
        with _no_collection():
            compiler.compile(signature)
        compiler.disable_compile()
    return compiler


@contextmanager
def _no_collection() -> Iterator[None]:
    """Collect no garbage: it took a fifth of the compilation time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def jit_allocating(function: Callable[..., Any], signature: Any = None) -> Any:
    """Compile a function that makes arrays."""
    return jit(function, signature, allocates=True)


def jit_public(function: Callable[..., Any]) -> Any:
    """Compile a function that user code calls."""
    return jit(function, public=True)


def jit_apart(function: Callable[..., Any], signature: Any = None) -> Any:
    """Compile a function that makes no arrays and is not inlined into its caller."""
    return jit(function, signature, inline=False)


def jit_late(signature: Any, *, allocates: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function when another kernel first calls it; it is not inlined.

    Parameters
    ----------
    signature : numba signature
    allocates : bool
        True if the function makes arrays.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        if not DISABLED:
            name = f"{function.__module__}.{function.__qualname__}"
            compile_ = partial(jit, function, signature, allocates=allocates, inline=False)
            teach_late(function, signature, Late(name, compile_))
        return function

    return decorate


def jit_pointer(signature: Any) -> Callable[[Callable[..., Any]], Any]:
    """Let kernels call `function(address, *arguments)`: the code at an address from `entry_of`.

    The function itself runs with the JIT off.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        if not DISABLED:
            teach_pointer(function, signature)
        return function

    return decorate


def entry_of(function: Any) -> Any:
    """Return the address of the code of a compiled function; with the JIT off, the function."""
    return function if DISABLED else address_of(function)


def silent() -> AbstractContextManager[Any]:
    """Return a context without NumPy floating-point warnings, as in compiled code."""
    return np.errstate(all="ignore") if DISABLED else nullcontext()


def compiled(function: Callable[..., Any]) -> bool:
    """Return True if the function is compiled by numba."""
    return isinstance(function, numba.core.dispatcher.Dispatcher)
