"""``alphalab doctor``: check the installation and say how to repair it."""

from __future__ import annotations

import importlib
import platform
import re
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple

import typer

from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag

# For developers of alphalab itself.
_INTERNAL_EXTRAS = {"dev"}


class Finding(NamedTuple):
    """The result of one check."""

    subject: str
    state: Literal["ok", "missing", "broken"]
    detail: str
    fix: str = ""


def doctor(json: JsonFlag = False, quiet: QuietFlag = False, debug: DebugFlag = False) -> None:
    """Check this installation. Exits with 1 if something that alphalab needs is broken."""
    out = Output(json=json, quiet=quiet)
    findings = list(examine())
    broken = [finding for finding in findings if finding.state == "broken"]
    if json:
        content = {
            "healthy": not broken,
            "versions": versions(),
            "findings": [finding._asdict() for finding in findings],
        }
        out.object("doctor", content)
    else:
        out.table([finding[:3] for finding in findings], ("subject", "state", "detail"))
        for finding in findings:
            if finding.fix:
                out.text(f"{finding.subject}: {finding.fix}")
    if broken:
        raise typer.Exit(1)


def show_versions() -> None:
    """Print the versions that a bug report needs.

    Examples
    --------
    >>> show_versions()
    alphalab 0.1.0
    python ...
    """
    for name, version in versions().items():
        print(name, version)


def versions() -> dict[str, str]:
    """Return the versions of alphalab, Python, the system and the required packages, by name."""
    from alphalab import __version__

    required, _ = _requirements()
    installed = {name: version for name in required if (version := _version(name))}
    system = {"python": platform.python_version(), "system": platform.platform()}
    return {"alphalab": __version__, **system, **installed}


def examine() -> Iterator[Finding]:
    """Check Python, packages, the kernel cache, data sets and extras."""
    required, extras = _requirements()
    yield Finding("python", "ok", f"{platform.python_version()} on {platform.platform()}")
    for name in required:
        yield _package(name)
    yield _kernel_cache()
    yield from _data_sets()
    for extra, names in extras.items():
        yield _extra(extra, names)


def _requirements() -> tuple[list[str], dict[str, list[str]]]:
    """Return the required packages, and the packages of each extra."""
    required: list[str] = []
    extras: dict[str, list[str]] = {}
    for line in metadata.requires("alphalab") or []:
        match = re.match(r"[A-Za-z0-9._-]+", line)
        name = match.group() if match else line
        marker = re.search(r"extra == ['\"]([^'\"]+)['\"]", line)
        if not marker:
            required.append(name)
        elif marker[1] not in _INTERNAL_EXTRAS and name != "alphalab":
            extras.setdefault(marker[1], []).append(name)
    return required, extras


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _package(name: str) -> Finding:
    """Import a required package: an installed package can still be broken."""
    try:
        importlib.import_module(name.replace("-", "_"))
    except Exception as error:
        detail = f"{type(error).__name__}: {error}".splitlines()[0]
        return Finding(name, "broken", detail, f"pip install --force-reinstall {name}")
    return Finding(name, "ok", _version(name))


def _kernel_cache() -> Finding:
    from alphalab.kernels._jit import CACHE_DIR, DISABLED, cache_root

    if DISABLED:
        return Finding("kernels", "ok", "not compiled: NUMBA_DISABLE_JIT is set, runs are slow")
    try:
        CACHE_DIR.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=CACHE_DIR):
            pass
    except OSError as error:
        fix = "Set ALPHALAB_CACHE_DIR to a folder that can be written."
        return Finding("kernels", "broken", f"{CACHE_DIR}: {error.strerror}", fix)
    size = _megabytes(cache_root())
    state = f"{_megabytes(CACHE_DIR):.1f} MB of these kernels, {size:.1f} MB in all, writable"
    return Finding("kernels", "ok", f"cached in {CACHE_DIR}: {state}")


def _megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def _data_sets() -> Iterator[Finding]:
    from alphalab.data.load import DATASETS
    from alphalab.errors import AlphalabError, MissingExtraError

    for name, (words, read) in DATASETS.items():
        try:
            bars = read()
        except MissingExtraError as error:
            yield Finding(f"data {name}", "missing", words, error.fix)
        except AlphalabError as error:
            yield Finding(f"data {name}", "broken", error.what, error.fix)
        else:
            yield Finding(f"data {name}", "ok", f"{bars.n_rows:,} rows: {words}")


def _extra(extra: str, names: list[str]) -> Finding:
    missing = [name for name in names if not _version(name)]
    if missing:
        detail = f"without {', '.join(missing)}"
        return Finding(f"extra {extra}", "missing", detail, f"pip install 'alphalab[{extra}]'")
    return Finding(f"extra {extra}", "ok", ", ".join(names))
