"""Folders of awkward names: a store is in the folder that was named, or it is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from commands import Run
from store_rows import bar_rows

from alphalab.data.load import load
from alphalab.data.store.failures import in_our_words
from alphalab.data.store.store import Store
from alphalab.errors import DataError

REACHED = [
    "a b",
    " a ",
    "ü 日本 🙂",
    "-dash",
    "--store",
    "x" * 255,
    "100%",
    "%zz",
    "a%2",
    "a#b?c=d&e",
    "a;b,c",
    "it's",
    'a "b"',
    "*",
    "{a}",
    "<a>",
    "~x",
    "$HOME",
    "s3:",
    "file:",
    "...",
    ".hidden",
    "a@b:c",
    "a`b",
]
REFUSED = [
    "a%20b",
    "%2e%2e",
    "a%2Fb",
    "%5Bx%5D",
    "[x]",
    "a]",
    "a^b",
    "a|b",
    "a\\b",
    "a\nb",
    "a\tb",
    "\x7f",
    "\udcff",
]


def everything(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "A.csv"
    days = "".join(f"2024-01-0{day},{day},{day},{day},{day},1\n" for day in range(1, 6))
    path.write_text("time,open,high,low,close,volume\n" + days)
    return path


@pytest.mark.parametrize("name", REACHED)
def test_a_folder_is_ingested_into_and_read_back(
    name: str, csv: Path, tmp_path: Path, cli: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "there"
    place.mkdir()
    monkeypatch.chdir(place)  # by its name alone, and then by its whole path
    flags = ("--venue", "v", "--interval", "1d", "--label", "close", "--store", name)
    assert cli("data", "ingest", csv, *flags).code == 0
    folder = place / name
    assert everything(place) and everything(place) == everything(folder)
    assert load("store:v/1d/A", store=folder).close.ravel().tolist() == [1, 2, 3, 4, 5]
    assert Store(name).write("bars", bar_rows("B", 0, 3)).version == 1
    assert cli("data", "sql", "select count(*) from bars", "--store", name).out.strip()[-1] == "8"
    assert everything(place) == everything(folder)


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("below", ["", "plain"])
def test_a_folder_that_deltalake_does_not_reach_is_refused(
    name: str, below: str, csv: Path, tmp_path: Path, cli: Callable[..., Run]
) -> None:
    """It would write beside it, outside the folder around it, or stop in a panic."""
    before = everything(tmp_path)
    folder = tmp_path / "there" / name / below
    run = cli("data", "ingest", csv, "--venue", "v", "--interval", "1d", "--store", folder)
    assert run.code == 2
    assert "in the path of a store" in run.err and "Rename the folder" in run.err
    assert everything(tmp_path) == before


def test_a_link_to_a_folder_that_is_not_reached_is_refused(tmp_path: Path) -> None:
    (tmp_path / "[x]").mkdir()
    (tmp_path / "plain").symlink_to(tmp_path / "[x]")
    with pytest.raises(DataError, match=r"'\[' in the path of a store"):
        Store(tmp_path / "plain")


def test_a_file_address_is_a_path(tmp_path: Path) -> None:
    folder = tmp_path / "a b"
    Store(folder.as_uri()).write("bars", bar_rows("A", 0, 3))
    assert everything(tmp_path) == everything(folder)
    assert Store(folder).read("bars").num_rows == 3
    with pytest.raises(DataError, match="in the path of a store"):
        Store((tmp_path / "[x]").as_uri())
    with pytest.raises(DataError, match="is no local address"):
        Store("file://elsewhere/folder")


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    for name in ("x" * 256, "/".join(["x" * 200] * 30)):
        with pytest.raises(DataError, match="name too long"):
            Store(tmp_path / name)


def test_a_panic_is_told_as_an_error(tmp_path: Path) -> None:
    """Whatever else makes deltalake panic: a panic is no Exception, and would end the process."""
    import pyarrow as pa
    from deltalake import write_deltalake

    with pytest.raises(DataError, match="deltalake stopped unexpectedly"), in_our_words("there"):
        write_deltalake(str(tmp_path / "[x]"), pa.table({"x": [1]}))
