"""The journal: what was written is read, what was changed is named, and one process writes."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_events import (
    NAN,
    OLD_PRICES,
    ONE_OF_EACH,
    PRICES,
    STORED,
    Note,
    Price,
    PriceV1,
    note,
    start_writer,
)

from alphalab.core.event_codec import Codec, Event, array_bytes, tag
from alphalab.core.events import RUN_EVENTS, State
from alphalab.core.journal import Journal
from alphalab.core.journal_reader import Head, JournalReader, chained, genesis
from alphalab.errors import JournalError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.journal"


@pytest.fixture
def written(path: Path) -> Path:
    """A closed journal of 50 notes in 10 writes, with a snapshot."""
    with Journal(path, PRICES) as journal:
        for i in range(0, 50, 5):
            journal.write([note(j) for j in range(i, i + 5)])
        journal.write_snapshot("engine", b"some state")
    return path


def edit(path: Path, *statements: str) -> None:
    """Change a journal as somebody with SQLite at hand would."""
    sql = sqlite3.connect(path)
    with sql:
        for statement in statements:
            sql.execute(statement)
    sql.close()


def damage_of(path: Path, expected: Head | None = None) -> str:
    with JournalReader(path, PRICES) as reader:
        return str(reader.verify(expected))


# Events and their bytes


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: type(event).__name__)
def test_every_kind_of_event_comes_back(event: Event) -> None:
    kind, payload = RUN_EVENTS.encode(event)
    assert repr(RUN_EVENTS.decode(payload)) == repr(event)  # a NaN equals nothing
    assert RUN_EVENTS.encode(RUN_EVENTS.decode(payload)) == (kind, payload)
    assert RUN_EVENTS.name_of(kind) == type(event).__name__.lower()


@given(st.floats(), st.text())
def test_every_number_and_text_comes_back_bit_for_bit(value: float, venue: str) -> None:
    try:
        venue.encode()
    except UnicodeEncodeError:
        return
    _, payload = PRICES.encode(Price(value=value, venue=venue))
    back = PRICES.decode(payload)
    assert repr(back) == repr(Price(value=value, venue=venue))


def test_there_is_one_nan() -> None:
    odd = np.array([0xFFF8000000000001], np.uint64).view(np.float64)
    assert PRICES.encode(Price(value=float(odd[0]), venue="")) == PRICES.encode(
        Price(value=NAN, venue="")
    )
    assert array_bytes(odd) == array_bytes(np.array([NAN]))
    assert array_bytes(np.array([-0.0])) != array_bytes(np.array([0.0]))


def test_equal_events_have_equal_bytes() -> None:
    assert PRICES.encode(Price(value=1, venue="")) == PRICES.encode(Price(value=1.0, venue=""))


@pytest.mark.parametrize("field", ["dict[str, int]", "set[int]", "list[int]", "object"])
def test_fields_without_an_order_are_refused(field: str) -> None:
    event = msgspec.defstruct(
        "Odd", [("x", eval(field))], bases=(Event,), frozen=True, tag=tag(9), array_like=True
    )
    with pytest.raises(TypeError, match=r"Odd\.x"):
        Codec("odd", event)


def test_a_codec_needs_tags_of_its_own() -> None:
    class Twin(Event, frozen=True, tag=tag(2)):
        text: str

    class Untagged(Event, frozen=True):
        text: str

    with pytest.raises(TypeError, match="Twin and Note: one tag"):
        Codec("prices", Note, Twin)
    with pytest.raises(TypeError, match="tag"):
        Codec("prices", Untagged)


@pytest.mark.parametrize("event", [State("a", "b", "c"), Price(value="high", venue="")])
def test_an_event_of_another_codec_or_type_is_refused(path: Path, event: Event) -> None:
    with Journal(path, PRICES) as journal:
        with pytest.raises(JournalError, match=r"'prices'|Price:"):
            journal.write([note(0), (1, event)])
        assert journal.head.seq == 0
        assert journal.write([note(0)]).seq == 1


@pytest.mark.parametrize("payload", [b"", b"\xc1", b"\x92\xcd\x01\x02", b"\x92\xcd\x09\x01\x00"])
def test_bytes_that_are_no_event_are_refused(payload: bytes) -> None:
    with pytest.raises(JournalError, match="not an event"):
        PRICES.decode(payload)


# Old files


def test_a_stored_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = shutil.copy(STORED / "run_1.journal", tmp_path)
    with JournalReader(path, RUN_EVENTS) as reader:
        read = list(reader.events())
        assert reader.verify() is None
        assert reader.latest_snapshot("e" * 64) == (len(ONE_OF_EACH), b"state")
    assert [entry.time for entry, _ in read] == list(range(10, 10 + len(ONE_OF_EACH)))
    assert repr([event for _, event in read]) == repr(list(ONE_OF_EACH))
    # Today's bytes of these events are those of then: heads kept elsewhere stay valid.
    assert [entry.payload for entry, _ in read] == [RUN_EVENTS.encode(e)[1] for e in ONE_OF_EACH]


def test_old_versions_are_read_as_the_newest(tmp_path: Path) -> None:
    path = shutil.copy(STORED / "prices_1.journal", tmp_path)
    new = [Price(value=1.5, venue=""), Note(text="old"), Price(value=-0.75, venue="")]
    with JournalReader(path, PRICES) as reader:
        assert [event for _, event in reader.events()] == new
    with Journal(path, PRICES) as journal:
        journal.write([(4, Price(value=2.0, venue="paper"))])
        assert [event for _, event in journal.events()] == [*new, Price(value=2.0, venue="paper")]
        assert journal.verify() is None
    with JournalReader(path, OLD_PRICES) as reader, pytest.raises(JournalError, match="newer"):
        list(reader.events())


def test_old_and_new_of_a_kind_have_one_name() -> None:
    assert PRICES.kinds() == {"price": 1, "note": 2}
    assert PRICES.encode(PriceV1(cents=1))[0] == PRICES.encode(Price(value=1.0, venue=""))[0]


# Writing and reading


def test_the_chain_is_the_documented_one(written: Path) -> None:
    with JournalReader(written, PRICES) as reader:
        last = genesis(reader.meta)
        for seq, time, kind, payload, found in reader.entries():
            last = chained(last, seq, time, kind, payload)
            assert found == last
        assert reader.head == (50, last)


def test_how_events_are_grouped_into_writes_changes_nothing(tmp_path: Path, written: Path) -> None:
    with Journal(tmp_path / "other", PRICES) as journal:
        for i in range(50):
            other = journal.write([note(i)], durable=i % 2 == 0)
    with JournalReader(written) as reader:
        assert reader.head == other


def test_a_journal_goes_on_where_it_ended(written: Path) -> None:
    with Journal(written, PRICES) as journal:
        assert journal.write([note(50)]).seq == 51
        assert [entry.seq for entry in journal.entries(after=48)] == [49, 50, 51]
        assert journal.verify() is None


def test_nothing_written_is_a_write_too(path: Path) -> None:
    with Journal(path, PRICES) as journal:
        assert journal.write([]) == journal.head == (0, genesis(journal.meta))
        assert journal.verify() is None
        with pytest.raises(JournalError, match="empty"):
            journal.write_snapshot("engine", b"")


def test_readers_read_while_one_writes(path: Path) -> None:
    with Journal(path, PRICES) as journal, JournalReader(path, PRICES) as reader:
        for i in range(30):
            head = journal.write([note(i)])
            assert reader.head == head
            assert reader.verify() is None
        entries = reader.entries()
        next(entries)
        journal.write([note(i) for i in range(30, 10_000)])
        assert 1 + sum(1 for _ in entries) == 10_000


def test_the_newest_snapshot_of_an_engine_is_found(path: Path) -> None:
    with Journal(path, PRICES) as journal:
        for i in range(3):
            journal.write([note(i)])
            journal.write_snapshot("a", f"a{i}".encode())
        journal.write_snapshot("b", b"b")
        assert journal.latest_snapshot("a") == (3, b"a2")
        assert journal.latest_snapshot("c") is None


@pytest.mark.parametrize("time", [2**63, -(2**63) - 1])
def test_a_time_beyond_int64_is_refused(path: Path, time: int) -> None:
    with Journal(path, PRICES) as journal, pytest.raises(JournalError, match="int64"):
        journal.write([(time, Note(text=""))])


def test_numpy_times_are_times(path: Path) -> None:
    with Journal(path, PRICES) as journal:
        journal.write([(np.int64(5), Note(text=""))])
        assert next(journal.entries()).time == 5


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 4), st.booleans()),
        st.tuples(st.sampled_from(["reopen", "snapshot", "read"]), st.just(0), st.just(False)),
    ),
    max_size=20,
)


@settings(max_examples=40)
@given(steps=STEPS)
def test_a_journal_is_a_list_whatever_is_done_to_it(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, bool]]
) -> None:
    path = tmp_path_factory.mktemp("model") / "some.journal"
    written: list[str] = []
    state: tuple[int, bytes] | None = None
    journal = Journal(path, PRICES)
    for step, n_events, durable in steps:
        if step == "write":
            some = [note(len(written) + i) for i in range(n_events)]
            journal.write(some, durable=durable)
            written += [event.text for _, event in some if isinstance(event, Note)]
        elif step == "reopen":
            journal.close()
            journal = Journal(path, PRICES)
        elif step == "snapshot" and written:
            state = len(written), f"state {len(written)}".encode()
            journal.write_snapshot("engine", state[1])
        with JournalReader(path, PRICES) as reader:
            assert [e.text for _, e in reader.events() if isinstance(e, Note)] == written
            assert reader.head == journal.head
            assert reader.latest_snapshot("engine") == state
    assert journal.verify() is None
    journal.close()


# One writer


def test_a_second_writer_is_refused(written: Path) -> None:
    with Journal(written, PRICES), pytest.raises(JournalError, match="another process"):
        Journal(written, PRICES)
    Journal(written, PRICES).close()


def test_a_second_process_is_refused_until_the_first_dies(path: Path) -> None:
    holder = start_writer(
        "journal = Journal(path, PRICES); print('open', flush=True); input()", path
    )
    assert holder.stdout is not None and holder.stdout.readline() == "open\n"
    with pytest.raises(JournalError, match="another process"):
        Journal(path, PRICES)
    holder.kill()
    holder.communicate()
    with Journal(path, PRICES) as journal:
        assert journal.write([note(0)]).seq == 1


def test_who_writes_behind_the_writers_back_is_noticed(path: Path) -> None:
    with Journal(path, PRICES) as journal:
        journal.write([note(0)])
        edit(path, "update head set seq = 7")
        with pytest.raises(JournalError, match="ends with row 7"):
            journal.write([note(1)])


def test_processes_share_a_shared_journal(path: Path) -> None:
    body = (
        "with Journal(path, PRICES, shared=True) as journal:\n"
        "    for i in range(200):\n"
        "        journal.write([note(i), note(i)], durable=i % 50 == 0)\n"
    )
    writers = [start_writer(body, path) for _ in range(3)]
    for writer in writers:
        _, err = writer.communicate()
        assert writer.returncode == 0, err
    with JournalReader(path, PRICES) as reader:
        assert reader.head.seq == 3 * 400
        assert reader.verify() is None
        texts = [event.text for _, event in reader.events() if isinstance(event, Note)]
    assert texts[::2] == texts[1::2]  # a write is whole


def test_shared_and_single_do_not_mix(path: Path) -> None:
    Journal(path, PRICES, shared=True).close()
    with pytest.raises(JournalError, match="shared is 'true', not 'false'"):
        Journal(path, PRICES)


def test_a_journal_goes_on_with_what_it_was_made_for(path: Path) -> None:
    Journal(path, PRICES, meta={"run": "r1"}).close()
    with pytest.raises(JournalError, match="run is 'r1', not 'r2'"):
        Journal(path, PRICES, meta={"run": "r2"})
    with pytest.raises(JournalError, match="journal of 'prices', not of 'run'"):
        Journal(path, RUN_EVENTS)
    with pytest.raises(JournalError, match="journal of 'prices', not of 'run'"):
        JournalReader(path, RUN_EVENTS)


# Damage


CHANGES = {
    "payload": ("update event set payload = x'9201a0' where seq = 20", "row 20: changed"),
    "time": ("update event set time = time + 1 where seq = 20", "row 20: changed"),
    "kind": ("update event set kind = 1 where seq = 20", "row 20: changed"),
    "hash": ("update event set hash = x'00' where seq = 20", "row 20: changed"),
    "meta": ("update meta set value = 'x' where key = 'shared'", "row 1: changed"),
    "a row less": ("delete from event where seq = 20", "row 20: missing; row 21 follows"),
    "first row": ("delete from event where seq = 1", "row 1: missing; row 2 follows"),
    "cut tail": ("delete from event where seq > 40", "row 41: missing, and all that followed"),
    "all rows": ("delete from event", "row 1: missing, and all that followed"),
    "row behind the head": ("insert into event values (51, 0, 2, x'', x'')", "row 51: changed"),
    "head": ("update head set hash = x'00'", "row 50: not the event that a head names"),
    "no head": ("delete from head", "some.journal has lost its head"),
    "snapshot": ("update snapshot set state = x'00'", "row 50: the snapshot"),
    "snapshot moved": ("update snapshot set seq = 99", "row 99: the snapshot"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_named_by_row(written: Path, name: str) -> None:
    assert damage_of(written) == "None"
    statement, words = CHANGES[name]
    edit(written, statement)
    assert words in damage_of(written)


def test_a_changed_head_is_found_beside_a_right_one(written: Path) -> None:
    with JournalReader(written) as reader:
        head = reader.head
    edit(written, "update head set hash = x'00'")
    assert "row 50: not the event that a head names" in damage_of(written, head)


def test_a_row_with_a_right_hash_behind_the_head_is_found(written: Path) -> None:
    with JournalReader(written) as reader:
        head = reader.head
    _, payload = PRICES.encode(Note(text="planted"))
    forged = chained(head.hash, 51, 0, 2, payload)
    edit(written, f"insert into event values (51, 0, 2, x'{payload.hex()}', x'{forged.hex()}')")
    assert "row 51: behind the head" in damage_of(written)


def test_swapped_rows_are_found(written: Path) -> None:
    edit(
        written,
        "update event set seq = -1 where seq = 20",
        "update event set seq = 20 where seq = 21",
        "update event set seq = 21 where seq = -1",
    )
    assert "row 20: changed" in damage_of(written)


def test_a_journal_rewritten_as_a_whole_is_found_by_a_head_kept_elsewhere(
    tmp_path: Path, written: Path
) -> None:
    with JournalReader(written) as reader:
        head = reader.head
    shorter, other = tmp_path / "shorter", tmp_path / "other"
    with Journal(shorter, PRICES) as journal:
        journal.write([note(i) for i in range(40)])
    with Journal(other, PRICES) as journal:
        journal.write([note(i + 1) for i in range(60)])
    assert damage_of(shorter) == damage_of(other) == "None"
    assert "row 41: missing" in damage_of(shorter, head)
    assert "row 50: not the event" in damage_of(other, head)
    with Journal(written, PRICES) as journal:
        journal.write([note(50)])
    assert damage_of(written, head) == "None"


@pytest.mark.parametrize("name", ["cut tail", "payload of the last", "head"])
def test_nobody_writes_behind_a_damaged_tail(written: Path, name: str) -> None:
    statements = {
        "cut tail": "delete from event where seq > 40",
        "payload of the last": "update event set payload = x'00' where seq = 50",
        "head": "update head set seq = 49",
    }
    edit(written, statements[name])
    with pytest.raises(JournalError, match="not the last event"):
        Journal(written, PRICES)


def test_a_changed_snapshot_is_not_returned(written: Path) -> None:
    edit(written, "update snapshot set state = x'00'")
    with JournalReader(written) as reader, pytest.raises(JournalError, match="snapshot after"):
        reader.latest_snapshot("engine")


def test_files_that_are_no_journal_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("a poem, long enough to be taken for a database" * 100)
    other = tmp_path / "other.sqlite"
    edit(other, "create table t (x)")
    newer = tmp_path / "newer"
    Journal(newer, PRICES).close()
    edit(newer, "update meta set value = '9' where key = 'format'")
    for file, words in ((text, "not a database"), (other, "no such table"), (newer, "format '9'")):
        with pytest.raises(JournalError, match=words):
            JournalReader(file)
        with pytest.raises(JournalError, match=words):
            Journal(file, PRICES)
    for missing in (tmp_path / "missing", tmp_path):
        with pytest.raises(JournalError, match="no journal"):
            JournalReader(missing)


def test_a_folder_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no such folder"):
        Journal(tmp_path / "nowhere" / "some.journal", PRICES)
