"""Files that lie about what they hold: refused in words that name the file, and never a crash."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import feather, parquet

from alphalab.data.formats.files import read_table
from alphalab.data.load import load
from alphalab.errors import AlphalabError, DataError

N_ROWS = 30


def table() -> pa.Table:
    days = pa.array(np.arange(1, N_ROWS + 1) * 86_400_000_000, pa.timestamp("us", "Etc/UTC"))
    prices = {name: np.linspace(1.0, 2.0, N_ROWS) for name in ("open", "high", "low", "close")}
    return pa.table({"time": days, "symbol": ["ACME"] * N_ROWS, **prices, "volume": [1.0] * N_ROWS})


def feather_file(folder: Path, old: bytes = b"", new: bytes = b"") -> Path:
    """Write a Feather file in which some bytes are others."""
    path = folder / "a.feather"
    feather.write_feather(table(), path, compression="uncompressed")
    content = path.read_bytes()
    assert old in content and len(old) == len(new)
    path.write_bytes(content.replace(old, new))
    return path


def test_the_whole_file_is_read(tmp_path: Path) -> None:
    assert load(feather_file(tmp_path)).close.shape == (N_ROWS, 1)


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"volume", b"vol\xffme"), (b"Etc/UTC", b"Etc\x80UTC")],
    ids=["name of a column", "name of a zone"],
)
def test_metadata_that_is_no_text_is_refused(tmp_path: Path, old: bytes, new: bytes) -> None:
    with pytest.raises(DataError, match=r"a\.feather cannot be read as \.feather: 'utf-8' codec"):
        read_table(feather_file(tmp_path, old, new))


def test_text_outside_its_memory_is_refused(tmp_path: Path) -> None:
    """Its offsets point far away: reading a symbol was a segmentation fault."""
    offsets = np.arange(N_ROWS + 1, dtype=np.int32) * 4
    away = offsets.copy()
    away[-1] = 2**30
    with pytest.raises(DataError, match=r"a\.feather cannot be read"):
        read_table(feather_file(tmp_path, offsets.tobytes(), away.tobytes()))


@pytest.mark.parametrize("line", [b"2020-01-03,1,\xff", b"2020-01-03,1,1,1,\xc3", b"\x80"])
def test_a_ragged_line_that_is_no_text_is_told_alone(
    tmp_path: Path, line: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"time,open,close\n2020-01-01,1,1\n2020-01-02,1,1\n" + line + b"\n")
    with pytest.raises(DataError, match=r"line 4 is no UTF-8 text: it holds the byte b'\\x"):
        read_table(path)
    assert capfd.readouterr() == ("", "")


WRITERS = {
    "a.feather": lambda path: feather.write_feather(table(), path, compression="uncompressed"),
    "b.feather": lambda path: feather.write_feather(table(), path, compression="lz4"),
    "a.parquet": lambda path: parquet.write_table(table(), path),
    "a.csv": lambda path: path.write_text(
        "time,open,high,low,close,volume\n"
        + "".join(f"2020-01-{day:02d},{day},{day},{day},{day},1\n" for day in range(1, 29))
    ),
}


@settings(max_examples=150)
@given(data=st.data())
@pytest.mark.parametrize("name", WRITERS)
def test_whatever_is_damaged_is_read_or_refused(
    name: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / name
    WRITERS[name](path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        load(path)
    except AlphalabError as error:
        assert path.name in str(error)
