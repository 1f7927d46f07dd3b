"""A disk that fails or is slow, for a process of its own: `fsync` is replaced before it starts."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

#: The library counts the calls that sync a journal; call AT fails once, or takes SECONDS longer.
_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int calls = 0;

static int faulty(int fd) {
    char name[64], path[4096];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(name, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return strstr(path, "run.journal") != NULL && ++calls == atoi(getenv("SYNC_AT"));
}

static int synced(int fd, const char *name) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    if (!faulty(fd)) return real(fd);
    double seconds = atof(getenv("SYNC_SECONDS"));
    if (seconds == 0) { errno = EIO; return -1; }
    struct timespec wait = {(time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9)};
    nanosleep(&wait, NULL);
    return real(fd);
}

int fsync(int fd) { return synced(fd, "fsync"); }
int fdatasync(int fd) { return synced(fd, "fdatasync"); }
"""


def sync_fault(folder: Path, *, at: int, seconds: float = 0.0) -> dict[str, str]:
    """Return the environment of a process whose sync number `at` of a journal fails or is slow.

    Parameters
    ----------
    folder : Path
        The library is built there; a machine without a C compiler skips the test.
    at : int
        Counted from 1.
    seconds : float
        How much longer it takes; 0: it fails with EIO, and the next ones succeed.
    """
    compiler = shutil.which("cc")
    if compiler is None or os.name != "posix":
        pytest.skip("there is no C compiler")
    source, library = folder / "sync.c", folder / "sync.so"
    source.write_text(_SOURCE)
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    fault = {"SYNC_AT": str(at), "SYNC_SECONDS": str(seconds)}
    return {**os.environ, "LD_PRELOAD": str(library), **fault}
