"""A journal whose writer is killed, whose disk is full, and whose file is damaged."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from journal_events import PRICES, Note, note, start_writer

from alphalab.core.journal import Journal
from alphalab.core.journal_reader import JournalReader
from alphalab.errors import JournalError

#: Writes for ever, three events at a time, and says after each write how many there are.
ENDLESS = """
with Journal(path, PRICES) as journal:
    i = journal.head.seq
    while True:
        seq = journal.write([note(i + k, 500) for k in range(3)], durable=DURABLE).seq
        i += 3
        print(seq, flush=True)
"""
#: The same with a limit on the size of files: a disk that is full, for this process alone.
LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
journal = Journal(path, PRICES)
try:
    for i in range(10_000):
        print(journal.write([note(i, 500)], durable=False).seq, flush=True)
except JournalError as error:
    print(error, flush=True)
try:
    journal.write([note(0)])
except JournalError as error:
    print(error, flush=True)
journal.close()
"""


def notes_of(path: Path) -> list[str]:
    with JournalReader(path, PRICES) as reader:
        assert reader.verify() is None
        return [event.text for _, event in reader.events() if isinstance(event, Note)]


def check_whole(path: Path, n_told: int) -> None:
    """Check that all writes that were told are there, in order, and that no write is half there."""
    texts = notes_of(path)
    assert len(texts) >= n_told and len(texts) % 3 == 0
    assert [int(text.strip(".")) for text in texts] == list(range(len(texts)))


@pytest.mark.parametrize("durable", [True, False])
def test_a_killed_writer_loses_nothing_that_it_was_told_is_written(
    tmp_path: Path, durable: bool
) -> None:
    path = tmp_path / "some.journal"
    rng = random.Random(4)
    for _ in range(8):
        writer = start_writer(ENDLESS.replace("DURABLE", str(durable)), path)
        assert writer.stdout is not None
        told = [int(writer.stdout.readline()) for _ in range(rng.randrange(1, 60))][-1]
        writer.kill()
        rest = writer.communicate()[0].split()
        check_whole(path, max(told, *map(int, rest[:-1]), 0))


def test_a_full_disk_ends_the_writing_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "some.journal"
    out, err = start_writer(LIMITED, path).communicate()
    told = [int(line) for line in out.splitlines() if line.isdigit()]
    assert len(told) > 10, err
    assert "nothing of this write was kept, all before it is" in out
    assert "takes no more after" in out
    assert len(notes_of(path)) == told[-1]
    with Journal(path, PRICES) as journal:  # there is room for this process
        assert journal.write([note(told[-1], 500)]).seq == told[-1] + 1
    assert [int(text.strip(".")) for text in notes_of(path)] == list(range(told[-1] + 1))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a disk of its own can be mounted by root only")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_up_for_everybody(small_disk: Path) -> None:
    path = small_disk / "some.journal"
    journal = Journal(path, PRICES)
    n_written = 0
    with pytest.raises(JournalError, match="all before it is") as refused:
        while True:
            n_written = journal.write([note(n_written, 500)]).seq
    assert "Make room" in refused.value.fix
    journal.close()
    assert n_written > 20
    with JournalReader(path, PRICES) as reader:
        assert (reader.head.seq, reader.verify()) == (n_written, None)


def unclosed_copy(folder: Path) -> Path:
    """Return the files of 40 writes as a power cut would leave them: the log is not merged."""
    path = folder / "live.journal"
    with Journal(path, PRICES) as journal:
        for i in range(0, 120, 3):
            journal.write([note(i + k, 100) for k in range(3)])
        return copied(path, folder / "cut")


def copied(path: Path, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for file in path.parent.glob(f"{path.name}*"):
        if not file.name.endswith(("-shm", ".lock")):
            shutil.copy(file, folder)
    return folder / path.name


def test_a_torn_write_loses_whole_writes_at_the_end_only(tmp_path: Path) -> None:
    source = unclosed_copy(tmp_path)
    check_whole(source, 120)
    size = Path(f"{source}-wal").stat().st_size
    rng = random.Random(1)
    lengths = set()
    for trial in range(25):
        path = copied(source, tmp_path / f"torn{trial}")
        cut = rng.randrange(size)
        with Path(f"{path}-wal").open("r+b") as log:
            log.truncate(cut)
            if trial % 2:  # the sectors of the last write are there, with other content
                log.write(rng.randbytes(5_000))
        check_whole(path, 0)
        with Journal(path, PRICES) as journal:
            seq = journal.head.seq
            journal.write([note(seq + k) for k in range(3)])
        check_whole(path, seq + 3)
        lengths.add(seq)
    assert len(lengths) > 5


def closed(folder: Path) -> Path:
    path = folder / "some.journal"
    with Journal(path, PRICES) as journal:
        journal.write([note(i, 100) for i in range(300)])
    return path


def test_a_byte_that_was_changed_is_named_or_harmless(tmp_path: Path) -> None:
    source = closed(tmp_path)
    content = source.read_bytes()
    whole = notes_of(source)
    rng = random.Random(2)
    found = 0
    for trial in range(150):
        path = tmp_path / f"flipped{trial}"
        place = rng.randrange(len(content))
        path.write_bytes(
            content[:place]
            + bytes([content[place] ^ (1 << rng.randrange(8))])
            + content[place + 1 :]
        )
        try:
            with JournalReader(path, PRICES) as reader:
                damage = reader.verify()
                if damage is None:  # a byte that nobody reads, such as one of a free page
                    assert [e.text for _, e in reader.events() if isinstance(e, Note)] == whole
                    continue
                assert 0 <= damage.seq <= 301
                before = texts_up_to(reader, damage.seq - 1)
                assert before == whole[: max(damage.seq - 1, 0)]
        except JournalError:
            pass  # the header, or the tables themselves
        found += 1
    assert found > 75


def texts_up_to(reader: JournalReader, last: int) -> list[str]:
    texts = []
    for entry in islice(reader.entries(), max(last, 0)):
        event = PRICES.decode(entry.payload)
        assert isinstance(event, Note)
        texts.append(event.text)
    return texts


@pytest.mark.parametrize("part", [0.3, 0.5, 0.8, 0.97])
def test_a_file_that_was_cut_is_an_error_that_names_where(tmp_path: Path, part: float) -> None:
    path = closed(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    try:
        with JournalReader(path, PRICES) as reader:
            damage = reader.verify()
    except JournalError:
        return
    assert damage is not None and 0 < damage.seq <= 300


def test_a_journal_on_a_read_only_disk_is_read(small_disk: Path) -> None:
    path = closed(small_disk)
    whole = notes_of(path)
    Path(f"{path}.lock").unlink()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert notes_of(path) == whole
    with pytest.raises(JournalError):
        Journal(path, PRICES)
