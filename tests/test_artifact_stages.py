"""Stages: signed moves in order, with caps, and with two signatures where the policy says so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import msgspec
import pytest
from artifact_cases import DAY, NOW, keyring, made

import alphalab as al
from alphalab.artifact.envelope import sign
from alphalab.artifact.format import canonical
from alphalab.artifact.keys import Keyring, SigningKey
from alphalab.artifact.open import Artifact, open_artifact
from alphalab.artifact.stages import (
    Move,
    Stage,
    StagePolicy,
    StageRule,
    Standing,
    propose,
    sign_waiting,
    standing,
)
from alphalab.errors import ArtifactError, InputError, ParameterError, RefusedError

POLICY = StagePolicy()
HOLD = al.Expression(text="where(close > 0, 1, 0)")


class Place:
    """An artifact in a folder, three people with keys, and its moves."""

    def __init__(self, folder: Path, name: str = "hold") -> None:
        if not (folder / "keys").exists():
            keyring(folder, "anna", "bob", "eve")
        self.ring = Keyring(folder / "keys")
        self.people: dict[str, SigningKey] = {
            name: self.ring.signing(name, now=NOW) for name in ("anna", "bob", "eve")
        }
        self.folder = folder / name
        if not self.folder.exists():
            made(self.folder, HOLD, [self.people["anna"]])

    def artifact(self) -> Artifact:
        return open_artifact(self.folder, self.ring.public(), now=NOW)

    def stands(self, policy: StagePolicy = POLICY, now: int = NOW) -> Standing:
        return standing(self.artifact(), self.ring.public(), policy, now=now)

    def move(self, after: Stage, *who: str, policy: StagePolicy = POLICY, **more: float) -> Move:
        return propose(
            self.artifact(),
            self.stands(policy),
            after,
            policy=policy,
            keys=[self.people[name] for name in who],
            why="it is time",
            time=NOW,
            **more,
        )

    def sign(self, who: str, policy: StagePolicy = POLICY) -> Move:
        return sign_waiting(self.artifact(), self.stands(policy), self.people[who], policy=policy)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_an_artifact_goes_up_stage_by_stage(place: Place) -> None:
    assert place.stands()[:2] == ("research", 0.0)
    place.move("paper", "anna")
    assert place.stands()[:2] == ("paper", 0.0)
    place.move("limited", "bob", cap=2_500.0)
    assert place.stands()[:2] == ("limited", 2_500.0)
    place.move("full", "anna", "bob")
    found = place.stands()
    assert found[:2] == ("full", 1_000_000.0)
    assert [(r.move.who, r.move.after, r.counts) for r in found.records] == [
        ("anna", "paper", True),
        ("bob", "limited", True),
        ("anna", "full", True),
    ]
    assert [signer.name for signer in found.records[2].signers] == ["anna", "bob"]


def test_a_move_waits_for_its_second_signature(place: Place) -> None:
    place.move("paper", "anna")
    place.move("limited", "anna")
    place.move("full", "anna")
    found = place.stands()
    assert found[:2] == ("limited", 10_000.0)
    assert found.waiting is not None and found.waiting.move.after == "full"
    with pytest.raises(RefusedError, match="'anna' has signed"):
        place.sign("anna")
    with pytest.raises(RefusedError, match="waits for signatures"):
        place.move("paper", "bob")
    place.sign("bob")
    assert place.stands()[:2] == ("full", 1_000_000.0)
    with pytest.raises(RefusedError, match="no move of"):
        place.sign("eve")


def test_down_goes_at_once_and_anywhere(place: Place) -> None:
    for stage, who in (("paper", ["anna"]), ("limited", ["anna"]), ("full", ["anna", "bob"])):
        place.move(stage, *who)  # type: ignore[arg-type]
    place.move("paper", "eve")
    assert place.stands()[:2] == ("paper", 0.0)
    place.move("research", "eve")
    assert place.stands()[:2] == ("research", 0.0)


@pytest.mark.parametrize("after", ["limited", "full", "research"])
def test_no_stage_is_left_out(place: Place, after: Stage) -> None:
    with pytest.raises(ParameterError, match="one stage"):
        place.move(after, "anna", "bob")
    assert not list(place.folder.glob("stages/*"))


@pytest.mark.parametrize("cap", [10_001.0, -1.0])
def test_a_cap_beyond_the_policy_is_refused(place: Place, cap: float) -> None:
    place.move("paper", "anna")
    with pytest.raises(RefusedError, match="the policy allows 10,000"):
        place.move("limited", "anna", cap=cap)
    assert place.stands().stage == "paper"


def test_the_policy_of_whoever_asks_decides(place: Place) -> None:
    lax = StagePolicy(full=StageRule(cap=5e6), limited=StageRule(cap=1e6))
    place.move("paper", "eve", policy=lax)
    place.move("limited", "eve", policy=lax, cap=500_000.0)
    assert place.stands(lax)[:2] == ("limited", 500_000.0)
    with pytest.raises(RefusedError, match="cap of 500,000"):
        place.stands()
    trusted = StagePolicy(signers=(place.people["anna"].public.key_id,))
    with pytest.raises(ArtifactError, match="none of these keys is known"):
        place.stands(trusted)
    with pytest.raises(RefusedError, match="may not sign"):
        Place(place.folder.parent, "other").move("paper", "eve", policy=trusted)


def test_a_key_that_has_expired_counts_no_more(place: Place) -> None:
    place.move("paper", "anna")
    with pytest.raises(ArtifactError, match="has expired"):
        standing(place.artifact(), place.ring.public(), POLICY, now=NOW + 365 * DAY)


def records(place: Place) -> list[Path]:
    return sorted(place.folder.glob("stages/*.json"))


def test_records_that_were_changed_are_named(place: Place) -> None:
    place.move("paper", "anna")
    place.move("limited", "anna")
    for file in records(place):
        content = file.read_bytes()
        for at in range(0, len(content), 9):
            file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
            with pytest.raises(ArtifactError, match=file.name):
                place.stands()
        file.write_bytes(content)
    assert place.stands().stage == "limited"


def test_records_cannot_be_removed_swapped_or_used_elsewhere(place: Place, tmp_path: Path) -> None:
    place.move("paper", "anna")
    place.move("limited", "anna")
    first, second = records(place)
    other = Place(tmp_path, "other")
    (other.folder / "stages").mkdir()
    shutil.copy(first, other.folder / "stages")
    with pytest.raises(ArtifactError, match=r"0001\.json is a move of another artifact"):
        other.stands()
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"0001\.json is a move of another"):
        place.stands()
    second.unlink()
    first.rename(second)
    with pytest.raises(ArtifactError, match=r"0002\.json stands where stages/0001"):
        place.stands()


def test_a_signed_record_that_skips_a_stage_is_refused(place: Place) -> None:
    place.move("paper", "anna")
    move = place.stands().records[0].move
    fields = json.loads(canonical(move)) | {"after": "full", "before": "research"}
    envelope = sign(
        canonical(fields), "application/vnd.alphalab.stage.v1+json", [place.people["anna"]]
    )
    records(place)[0].write_bytes(envelope.encoded())
    with pytest.raises(ArtifactError, match="one stage"):
        place.stands()


def test_a_move_behind_one_that_waits_is_refused(place: Place) -> None:
    lax = StagePolicy(paper=StageRule(cap=0.0, signatures=1))
    strict = StagePolicy(paper=StageRule(cap=0.0, signatures=2))
    place.move("paper", "anna", policy=lax)
    place.move("limited", "anna", policy=lax)
    with pytest.raises(ArtifactError, match=r"another place|too few"):
        place.stands(strict)


def test_a_move_says_who_and_why(place: Place) -> None:
    move = place.move("paper", "anna")
    for field in ("who", "why"):
        with pytest.raises(ParameterError, match="name or a reason"):
            msgspec.structs.replace(move, **{field: " "})
    with pytest.raises(InputError, match="stage"):
        msgspec.structs.replace(move, after="paper", before="paper")


def test_a_record_whose_writer_was_killed_counts_for_nothing(place: Place) -> None:
    place.move("paper", "anna")
    (place.folder / "stages" / ".0002.json.draft").write_bytes(b"{")
    assert place.stands().stage == "paper"
    place.move("limited", "anna")
    assert place.stands().stage == "limited"
    assert [path.name for path in records(place)] == ["0001.json", "0002.json"]
    assert not list(place.folder.glob("stages/.*"))
