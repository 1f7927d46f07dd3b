"""Run the benchmarks and write what they print into docs/benchmarks.md.

python benchmarks/page.py [NAME ...]

Each table stands between ``<!-- NAME -->`` and ``<!-- end of NAME -->``, and is replaced. A
benchmark that fails leaves the page as it is, and is the exit code.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import measure

PAGE = measure.ROOT / "docs" / "benchmarks.md"
NAMES = ("sweep", "single", "push", "expressions", "scaling", "scan", "one_million_bars")


def replaced(page: str, name: str, text: str) -> str:
    """Return the page with the text between the marks of this name."""
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    if page.count(start) != 1 or page.count(end) != 1:
        raise SystemExit(f"the page has no place for {name!r}: {start.strip()} to {end.strip()}")
    before, _, rest = page.partition(start)
    return f"{before}{start}\n{text.strip()}\n\n{end}{rest.partition(end)[2]}"


def tidy(text: str) -> str:
    """Take the blanks from the ends of the lines, and runs of empty lines down to one."""
    lines = [line.rstrip() for line in text.splitlines()]
    kept = [line for line, before in zip(lines, ["", *lines], strict=False) if line or before]
    return "\n".join(kept)


def where() -> str:
    """Say when and on what."""
    peers = ("vectorbt", "vectorbt-rust", "backtesting", "KunQuant")
    found = measure.environment(*filter(measure.has, peers))
    versions = [f"{name} {found[name]}" for name in list(found)[list(found).index("python") :]]
    return (
        f"{found['date']}, {found['cpu']}, {found['cores']} cores, load {found['load']} at the "
        f"start; {', '.join(versions)}."
    )


def main(names: list[str]) -> int:
    page = replaced(PAGE.read_text(), "where", where())
    for name in names or NAMES:
        print(f"{name} ...", file=sys.stderr)
        script = Path(__file__).with_name(f"{name}.py")
        done = subprocess.run([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
        if done.returncode:
            print(done.stdout, file=sys.stderr)
            return done.returncode
        page = replaced(page, name, tidy(done.stdout))
        PAGE.write_text(page)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
