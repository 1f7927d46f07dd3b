"""The pages as a site: it builds, every page is in its navigation, and a lost link is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


def build(config: Path, site: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            # With --quiet, mkdocs counts no warnings, and --strict refuses nothing.
            *(sys.executable, "-m", "mkdocs", "build", "--strict"),
            *("--config-file", str(config), "--site-dir", str(site)),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        timeout=300,
    )


def pages_of(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    for part in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from pages_of(part)


def test_the_site_builds_without_a_lost_link(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    done = build(ROOT / "mkdocs.yml", tmp_path / "site")
    assert done.returncode == 0, done.stderr
    made = {p.relative_to(tmp_path / "site").as_posix() for p in tmp_path.rglob("*.html")}
    assert {
        "index.html",
        "expressions.html",
        "decisions/001-kernels-without-reference-counts.html",
    } < made
    page = (tmp_path / "site" / "expressions.html").read_text()
    assert "fonts.googleapis" not in page and 'src="https' not in page


def test_every_page_is_in_the_navigation_once() -> None:
    yaml = pytest.importorskip("yaml")
    shown = list(pages_of(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    docs = ROOT / "docs"
    pages = [path.relative_to(docs).as_posix() for path in docs.rglob("*.md")]
    assert sorted(shown) == sorted(p for p in pages if not p.startswith("decisions/0"))


@pytest.mark.parametrize("link", ["none.md", "index.md#none"])
def test_a_lost_link_is_refused(tmp_path: Path, link: str) -> None:
    pytest.importorskip("mkdocs")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(f"# Title\n\n[a link]({link})\n")
    config = tmp_path / "mkdocs.yml"
    config.write_text(
        f"INHERIT: {ROOT / 'mkdocs.yml'}\nhooks: []\nnav: [index.md]\nplugins: []\ntheme: mkdocs\n"
        f"docs_dir: {tmp_path / 'docs'}\n"
    )
    done = build(config, tmp_path / "site")
    assert done.returncode != 0
    assert link.partition("#")[2] or link in done.stderr
