"""The pages of docs/: examples run, commands work, links lead somewhere, lists are complete."""

from __future__ import annotations

import doctest
import inspect
import re
import shlex
from pathlib import Path

import pytest
from page_steps import run_page

from alphalab import errors
from alphalab.expr import ops
from alphalab.kernels.market import orders

ROOT = Path(__file__).parents[1]
PAGES = [
    *("artifacts.md", "fetch.md", "indicators.md", "journal.md", "point_in_time.md", "quality.md"),
    *("scan.md", "sources.md", "store.md", "sweeps.md", "time.md", "trials.md", "validation.md"),
]
TUTORIALS = [
    *("decide.md", "expressions.md", "first_strategy.md", "results.md", "settings.md"),
    *("from_freqtrade.md", "tutorial_artifact.md", "tutorial_live.md"),
]
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
WITHOUT_COMMANDS = ["environments.md", "models.md", "portfolios.md"]


@pytest.mark.parametrize("page", [*PAGES, *WITHOUT_COMMANDS])
def test_examples_run(page: str) -> None:
    failed, tried = doctest.testfile(
        str(ROOT / "docs" / page), module_relative=False, optionflags=OPTIONS
    )
    assert tried > 5
    assert failed == 0


@pytest.mark.parametrize("page", PAGES)
def test_commands_work(cli, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ALPHALAB_TRIALS")  # the ledger of this folder
    blocks = re.findall(r"```console\n(.*?)```", (ROOT / "docs" / page).read_text(), re.S)
    commands = [line for block in blocks for line in block.splitlines()]
    assert commands
    for command in commands:
        name, *arguments = shlex.split(command)
        run = cli(*arguments)
        assert (name, run.code) == ("alphalab", 0), run.err


@pytest.mark.parametrize("page", TUTORIALS)
def test_tutorials_run_step_by_step(
    cli, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ALPHALAB_TRIALS")  # the ledger of this folder
    monkeypatch.setenv("ALPHALAB_KEYS", str(tmp_path / "keys"))
    assert run_page((ROOT / "docs" / page).read_text(), cli) > 5


@pytest.mark.parametrize(
    ("page", "what"),
    [
        ("```console\n$ alphalab ops ema\nFamily: ... no such words\n```", "no such words"),
        ("```console\n$ alphalab ops ema\nFamily:\nema(\n```", "ema"),  # another order
        ("```console\n$ alphalab ops ema  # exit code 3\n```", "exit code 3"),
        ("```console\n$ ls\n```", "ls"),
        ("```python\n>>> 1 + 1\n3\n\n```", "1 \\+ 1"),
    ],
)
def test_a_tutorial_that_is_wrong_fails(cli, page: str, what: str) -> None:
    with pytest.raises(AssertionError, match=what):
        run_page(page, cli)


EVERY_PAGE = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))


def anchors_of(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the titles of a page."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def lost_links(page: Path) -> list[str]:
    """Return the links of a page whose file or anchor does not exist."""
    lost = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            lost.append(link)
    return lost


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md", *EVERY_PAGE])
def test_links_lead_somewhere(page: str) -> None:
    assert lost_links(ROOT / page) == []


def test_lost_links_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One title\n[a](#one-title) [b](#none) [c](none.md) [d](page.md#two)\n")
    assert lost_links(page) == ["#none", "none.md", "page.md#two"]


def test_the_index_of_the_readme_has_every_page() -> None:
    links = re.findall(r"\]\(([^)#]+)", (ROOT / "README.md").read_text())
    single = [page for page in EVERY_PAGE if not page.startswith("docs/decisions/0")]
    assert set(single) <= set(links)


def test_each_decision_has_a_number_of_its_own() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    numbers = [f"{i:03}" for i in range(1, len(pages) + 1)]
    assert [page.name[:3] for page in pages] == numbers
    assert [page.read_text()[:5] for page in pages] == [f"# {number}" for number in numbers]


def section(title: str) -> str:
    """Return the text of docs/public.md below a title, up to the next one."""
    return (ROOT / "docs" / "public.md").read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_public_page_has_every_error() -> None:
    shown = re.findall(r"^\| `al\.errors\.(\w+)` \| (\d) \|", section("al.errors"), re.M)
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass)]
    ours = [c for c in classes if issubclass(c, errors.AlphalabError)]
    assert dict(shown) == {c.__name__: str(c.exit_code) for c in ours}


def test_the_public_page_has_every_operator() -> None:
    shown = re.findall(r"`(\w+)`", section("al.ops").partition("|---|---|")[2])
    columns = re.findall(r"^\| `(\w+)` \|", section("alphalab"), re.M)
    ours = {name for name in dir(ops) if name.islower()} - set(columns)
    assert sorted(shown) == sorted(ours)


def test_the_public_page_has_every_order() -> None:
    shown = re.findall(r"^\| `al\.orders\.(\w+)` \|", section("al.orders"), re.M)
    ours = [name for name in vars(orders) if name.islower() and not name.startswith(("_", "jit"))]
    functions = [name for name in ours if callable(getattr(orders, name))]
    assert sorted(shown) == sorted(functions)
