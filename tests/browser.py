"""A real browser, headless: what a page is once its scripts have run."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def dom_of(page: Path, profile: Path) -> str:
    """Return the document of a page as the browser has it in the end; skip where there is none."""
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        pytest.skip("no browser here: install chromium (`make test` does, as root, by apt-get)")
    done = subprocess.run(
        [
            *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *(f"--user-data-dir={profile}", "--virtual-time-budget=10000", "--dump-dom"),
            page.resolve().as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert done.stdout.rstrip().endswith("</html>"), done.stderr[-2000:]
    return done.stdout
