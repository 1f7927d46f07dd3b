"""Compilation and its cache on disk.

Numba notices that a kernel's own file changed, not that a function it calls changed. So compiled
code is kept in a folder named by the hash of every kernel source: a change anywhere in this package
starts a new folder.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

# Where Intel's vector library is installed, numba would compute exp and log in the middle of a
# block by other rules than at its end. Numba reads this when it is imported.
os.environ.setdefault("NUMBA_DISABLE_INTEL_SVML", "1")

import numba
import numpy as np

from alphalab.kernels._cache import keep

if numba.config.USING_SVML:
    raise ImportError(
        "numba was imported with Intel's vector library, which makes results depend on the size of "
        "a block: set NUMBA_DISABLE_INTEL_SVML=1, or import alphalab before numba"
    )

DISABLED = bool(numba.config.DISABLE_JIT)


def source_hash() -> str:
    """Return the hash of all that is compiled in: kernels, codes and layouts; 16 digits."""
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
    """Return the folder of compiled kernels: `ALPHALAB_CACHE_DIR` or the user's cache."""
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
    """Compile a function to strict IEEE arithmetic; kept on disk when it stands in a file.

    Parameters
    ----------
    function : callable
    signature : numba signature, optional
        With one the function is compiled (or loaded) at once, without one where another kernel
        first names it; Python must not call that, unless it allocates or is public.
    allocates : bool
        Whether it makes arrays. One that does not is compiled without reference counts and inlined
        into its caller, which made the step fourteen times faster.
    inline : bool
        Whether one that makes no arrays is part of its caller: not where it is seldom needed, or
        called from many places.
    public : bool
        Whether users name it, and might call it from Python.
    boundscheck : bool
        Whether an index outside its array is an error: for code that is not ours.
    folder : Path, optional
        Where it is kept on disk. None: nowhere.
    """
    if DISABLED:
        return function
    # Said in both cases: numba would take over from the caller what is left out.
    options: dict[str, Any] = {"nogil": True, "_nrt": allocates}
    if not allocates:
        options["forceinline"] = inline
    if signature is None and not (allocates or public):
        # Part of a larger kernel: what Python would enter by took a quarter of the compilation.
        options["no_cpython_wrapper"] = options["no_cfunc_wrapper"] = True
    if boundscheck:
        options["boundscheck"] = True
    compiler = numba.njit(fastmath=False, error_model="numpy", **options)(function)
    if folder is not None and Path(function.__code__.co_filename).exists():
        keep(compiler, function, folder, cache_root())
    if signature is not None:
        compiler.compile(signature)
        compiler.disable_compile()
    return compiler


def jit_allocating(function: Callable[..., Any], signature: Any = None) -> Any:
    """Compile a function that makes arrays."""
    return jit(function, signature, allocates=True)


def jit_public(function: Callable[..., Any]) -> Any:
    """Compile a function that users name in theirs."""
    return jit(function, public=True)


def jit_apart(function: Callable[..., Any], signature: Any = None) -> Any:
    """Compile a function that is called, not made part of its caller."""
    return jit(function, signature, inline=False)


def silent() -> AbstractContextManager[Any]:
    """Return a context in which numpy is as silent as compiled IEEE arithmetic."""
    return np.errstate(all="ignore") if DISABLED else nullcontext()


def compiled(function: Callable[..., Any]) -> bool:
    """Tell whether a function has been compiled by numba."""
    return isinstance(function, numba.core.dispatcher.Dispatcher)
