"""A replay finds every change of a run, and shows what was recorded beside what follows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from alphalab_live.certificate import CERTIFICATE, certificate, write_certificate
from alphalab_live.replay import Replayed, replay
from alphalab_live.run_folder import RunFolder
from artifact_cases import NOW, keyring
from live_cases import AT_DECISION, Case, Cross, bars_of, lockstep

import alphalab as al
from alphalab.artifact.envelope import opened, verify
from alphalab.core.event_codec import Event, array_bytes
from alphalab.core.events import RUN_EVENTS, Intent, Report, Row, Run
from alphalab.core.journal import Journal
from alphalab.core.journal_reader import JournalReader

CASE = Case(bars_of("BTC/USDT:USDT", rows=60), Cross(), al.RunSettings(**AT_DECISION))
Events = list[tuple[int, Event]]


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Events:
    path = tmp_path_factory.mktemp("run")
    lockstep(CASE, path)
    with JournalReader(RunFolder(path).journal, RUN_EVENTS) as reader:
        return [(entry.time, event) for entry, event in reader.events()]


def replay_of(folder: Path, events: Events, *, from_snapshots: bool = False) -> Replayed:
    with Journal(folder / "run.journal", RUN_EVENTS, meta={"run": "test"}) as journal:
        journal.write(events, durable=False)
        return replay(journal, CASE.traders(), from_snapshots=from_snapshots)


def first(events: Events, kind: type[Event]) -> int:
    return next(i for i, (_, event) in enumerate(events) if isinstance(event, kind))


def changed(events: Events, place: int, **fields: object) -> Events:
    time, event = events[place]
    other = msgspec.structs.replace(event, **fields)
    assert other != event
    return [*events[:place], (time, other), *events[place + 1 :]]


def with_other_intent(events: Events) -> Events:
    return changed(events, first(events, Intent), qty=1.0)


def without_intent(events: Events) -> Events:
    place = first(events, Intent)
    name = events[place][1].client_id  # type: ignore[attr-defined]
    return [x for x in events if getattr(x[1], "client_id", "") != name]


def with_intent_too_many(events: Events) -> Events:
    place = first(events, Intent)
    time, intent = events[place]
    more = msgspec.structs.replace(intent, client_id="al-test-0-99", order=99)
    return [*events[: place + 1], (time, more), *events[place + 1 :]]


def with_other_candle(events: Events) -> Events:
    place = first(events, Row) + 20
    place += first(events[place:], Row)
    values = np.frombuffer(events[place][1].values, "<f8") * 1.01  # type: ignore[attr-defined]
    return changed(events, place, values=array_bytes(values))


def with_other_fill(events: Events) -> Events:
    place = next(i for i, (_, x) in enumerate(events) if isinstance(x, Report) and x.filled)
    return changed(events, place, price=events[place][1].price + 0.01)  # type: ignore[attr-defined]


def with_other_decision(events: Events) -> Events:
    return changed(events, first(events, Row), decision=bytes(32))


def with_other_account(events: Events) -> Events:
    place = first(events, Row)
    return changed(events, place, qty=array_bytes(np.array([1.0])))


CHANGES: dict[str, tuple[Callable[[Events], Events], str]] = {
    "another intent": (with_other_intent, "another intent"),
    # Its fills are gone too: the account is another one on the next row.
    "an intent is missing": (without_intent, "another decision"),
    "an intent too many": (with_intent_too_many, "an intent too many"),
    "another candle": (with_other_candle, "another decision"),
    "another fill": (with_other_fill, "another decision"),
    "another decision": (with_other_decision, "another decision"),
    "another position": (with_other_account, "another decision"),
}


def test_a_run_as_it_was_replays(events: Events, tmp_path: Path) -> None:
    found = replay_of(tmp_path, events)
    assert found.divergence is None
    assert (found.n_rows, found.n_events) == (60, len(events))


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_found(name: str, events: Events, tmp_path: Path) -> None:
    change, what = CHANGES[name]
    found = replay_of(tmp_path, change(events)).divergence
    assert found is not None
    assert found.what == what
    assert found.recorded != found.computed
    assert f"row {found.seq}: {what}" in str(found)


def test_inputs_and_decisions_have_hashes_of_their_own(events: Events, tmp_path: Path) -> None:
    one = replay_of(tmp_path, events)
    place = first(events, Run)
    (tmp_path / "other").mkdir()
    versions = (("alphalab", "9.9"),)
    other = replay_of(tmp_path / "other", changed(events, place, versions=versions))
    assert one.inputs != other.inputs
    assert one.decisions == other.decisions


def test_a_certificate_is_signed(events: Events, tmp_path: Path) -> None:
    found = replay_of(tmp_path, events)
    ring, (key,) = keyring(tmp_path, "anna")
    start = next(event for _, event in events if isinstance(event, Run))
    made = certificate(found, start, "1:00", (("alphalab", "0.1.0"),), now=NOW)
    path = write_certificate(tmp_path, made, key)
    assert path.name == CERTIFICATE
    envelope = opened(path.read_bytes(), str(path))
    payload, signers = verify(envelope, str(path), envelope.payload_type, ring.public(), now=NOW)
    assert [signer.name for signer in signers] == ["anna"]
    assert msgspec.json.decode(payload)["decisions"] == found.decisions
