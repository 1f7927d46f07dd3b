"""A hook of the docs site: the navigation lists each page of docs/decisions."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """Add the decisions, in the order of their numbers, below their index."""
    folder = Path(config.docs_dir) / "decisions"
    explanation = next(part["Explanation"] for part in config.nav if "Explanation" in part)
    decisions = next(part["Decisions"] for part in explanation if "Decisions" in part)
    decisions += [f"decisions/{page.name}" for page in sorted(folder.glob("[0-9]*.md"))]
    return config
