"""Stages of an artifact: research, paper, limited, full. Each move is a signed record.

Records lie beside the signed files, ``stages/0001.json``, ``stages/0002.json``, ... Each names the
artifact and the hash of the record before, so none can be changed, swapped or used for another
artifact. A record without enough signatures waits, and changes nothing, until others have signed.

Limit: somebody who can write the folder can remove the last records. Removing a move upwards only
takes rights away; whoever demotes an artifact for good should let its keys expire or delete it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, TypeAlias, get_args

import msgspec
from msgspec import Meta

from alphalab.artifact.envelope import Envelope, co_sign, opened, sign, verify
from alphalab.artifact.files import files_below, is_draft, read_regular, write_file
from alphalab.artifact.format import MOST_TEXT_BYTES, STAGES, canonical
from alphalab.artifact.keys import PublicKey, SigningKey
from alphalab.artifact.open import Artifact
from alphalab.errors import AlphalabError, ArtifactError, InputError, ParameterError, RefusedError
from alphalab.settings import Settings

Stage: TypeAlias = Literal["research", "paper", "limited", "full"]
ORDER: tuple[Stage, ...] = get_args(Stage)
_TYPE = "application/vnd.alphalab.stage.v1+json"


class StageRule(Settings, frozen=True):
    """What a stage allows, and what a move to it needs.

    Parameters
    ----------
    cap : float
        Most capital it may trade, quote currency; 0: none. Play money of a paper account is none.
    signatures : int
        Different people whose keys must have signed the move.
    """

    cap: Annotated[float, Meta(ge=0)]
    signatures: Annotated[int, Meta(ge=1, le=10)] = 1


class StagePolicy(Settings, frozen=True):
    """The operator's rules: a move counts only if it keeps to them.

    Parameters
    ----------
    paper, limited, full : StageRule
    signers : tuple of str
        Ids of the keys that may sign moves; empty: all trusted keys.

    Examples
    --------
    >>> StagePolicy().full.signatures
    2
    """

    paper: StageRule = StageRule(cap=0.0)
    limited: StageRule = StageRule(cap=10_000.0)
    full: StageRule = StageRule(cap=1_000_000.0, signatures=2)
    signers: tuple[str, ...] = ()

    def rule(self, stage: Stage) -> StageRule:
        """Return the rule of a stage; research trades nothing, and anybody may move back to it."""
        return StageRule(cap=0.0) if stage == "research" else getattr(self, stage)


class Move(Settings, frozen=True):
    """One move of an artifact between stages.

    Parameters
    ----------
    artifact : str
        Its id.
    number : int
        1, 2, 3, ...
    previous : str
        SHA-256 of the record before; empty for the first one.
    before, after : Stage
    cap : float
        Most capital from then on, quote currency.
    who, why : str
        Not empty.
    time : int
        ns UTC.
    """

    artifact: str
    number: int
    previous: str
    before: Stage
    after: Stage
    cap: float
    who: str
    why: str
    time: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.who.strip() and self.why.strip()):
            raise ParameterError("a move without a name or a reason", rule="it gives both.")
        up, down = ORDER.index(self.after), ORDER.index(self.before)
        if up == down or up > down + 1:
            raise ParameterError(
                f"a move from {self.before} to {self.after}",
                rule=f"it goes up one stage ({' -> '.join(ORDER)}), or down any number.",
            )


class Record(NamedTuple):
    """A move as it stands in an artifact: who signed it, and whether that is enough."""

    move: Move
    signers: tuple[PublicKey, ...]
    needed: int
    hash: str

    @property
    def counts(self) -> bool:
        """True if enough people have signed."""
        return len({signer.name for signer in self.signers}) >= self.needed


class Standing(NamedTuple):
    """Where an artifact stands: its stage, its cap, and all records with the one that waits."""

    stage: Stage
    cap: float
    records: tuple[Record, ...]

    @property
    def waiting(self) -> Record | None:
        """The last move, if it waits for signatures."""
        last = self.records[-1] if self.records else None
        return None if last is None or last.counts else last


def standing(
    artifact: Artifact, keys: Mapping[str, PublicKey], policy: StagePolicy, *, now: int
) -> Standing:
    """Return where an artifact stands, by the moves that count under a policy.

    Raises
    ------
    ArtifactError
        A record that was changed, removed from the middle, is of another artifact, is signed by
        nobody who may, or breaks the policy.
    """
    allowed = {i: key for i, key in keys.items() if not policy.signers or i in policy.signers}
    records: list[Record] = []
    stage: Stage = "research"
    cap = 0.0
    for path in _paths(artifact.folder):
        record = _read(path, allowed, policy, now)
        _check_place(path, record, artifact, records, stage)
        _check_cap(record.move, policy)
        records.append(record)
        if record.counts:
            stage, cap = record.move.after, record.move.cap
    return Standing(stage, cap, tuple(records))


def propose(
    artifact: Artifact,
    now_at: Standing,
    after: Stage,
    *,
    policy: StagePolicy,
    keys: Sequence[SigningKey],
    why: str,
    time: int,
    cap: float | None = None,
) -> Move:
    """Write a move, signed with some keys; with enough of them it counts at once.

    Parameters
    ----------
    artifact : Artifact
    now_at : Standing
        Where it stands.
    after : Stage
    policy : StagePolicy
    keys : sequence of SigningKey
        At least one; the owner of the first one is who moves it.
    why : str
    time : int
        ns UTC.
    cap : float, optional
        Not given: that of the policy.

    Raises
    ------
    RefusedError
        A move above the policy's cap, or while another one waits for signatures.
    InputError
        A move over more than one stage, or without a reason.
    """
    if now_at.waiting is not None:
        raise RefusedError(
            f"the move to {now_at.waiting.move.after} waits for signatures",
            rule="one move waits at a time.",
            fix="Sign it: alphalab artifact sign ARTIFACT --key NAME",
        )
    move = Move(
        artifact=artifact.id,
        number=len(now_at.records) + 1,
        previous=now_at.records[-1].hash if now_at.records else "",
        before=now_at.stage,
        after=after,
        cap=policy.rule(after).cap if cap is None else cap,
        who=keys[0].public.name,
        why=why,
        time=time,
    )
    _check_cap(move, policy)
    _check_signers(keys, policy)
    envelope = sign(canonical(move), _TYPE, keys)
    write_file(_path(artifact.folder, move.number), envelope.encoded())
    return move


def sign_waiting(
    artifact: Artifact, now_at: Standing, key: SigningKey, *, policy: StagePolicy
) -> Move:
    """Add a signature to the move that waits.

    Raises
    ------
    RefusedError
        No move waits, the key may not sign, or its owner has signed already.
    """
    record = now_at.waiting
    if record is None:
        raise RefusedError(f"no move of {artifact.folder} waits for signatures")
    if key.public.name in {signer.name for signer in record.signers}:
        raise RefusedError(
            f"{key.public.name!r} has signed the move to {record.move.after} already",
            rule="each signature is another person's.",
        )
    _check_signers([key], policy)
    path = _path(artifact.folder, record.move.number)
    envelope = co_sign(_envelope(path), key)
    write_file(path, envelope.encoded(), replace=True)
    return record.move


def _path(folder: Path, number: int) -> Path:
    return folder / STAGES / f"{number:04d}.json"


def _paths(folder: Path) -> list[Path]:
    """Return the files of the records in order; refuse gaps and all other files."""
    names = [name for name in files_below(folder) if name.startswith(STAGES)]
    names = [name for name in names if not is_draft(name)]  # a writer was killed
    for number, name in enumerate(names, 1):
        if name != f"{STAGES}{number:04d}.json":
            raise ArtifactError(
                f"{folder / name} stands where {STAGES}{number:04d}.json has to",
                rule="records of stages are numbered from 1 without gaps.",
                fix="Get an unchanged copy.",
            )
    return [folder / name for name in names]


def _envelope(path: Path) -> Envelope:
    return opened(read_regular(path, MOST_TEXT_BYTES), str(path))


def _read(path: Path, keys: Mapping[str, PublicKey], policy: StagePolicy, now: int) -> Record:
    payload, signers = verify(_envelope(path), str(path), _TYPE, keys, now=now)
    try:
        move = msgspec.json.decode(payload, type=Move)
    except (msgspec.MsgspecError, InputError) as error:
        what = error.what if isinstance(error, AlphalabError) else error
        raise ArtifactError(f"{path}: {what}", rule="it is a move of an artifact.") from None
    digest = hashlib.sha256(payload).hexdigest()
    is_down = ORDER.index(move.after) < ORDER.index(move.before)
    needed = 1 if is_down else policy.rule(move.after).signatures
    return Record(move, signers, needed, digest)


def _check_place(
    path: Path, record: Record, artifact: Artifact, records: Sequence[Record], stage: Stage
) -> None:
    move = record.move
    found = (move.artifact, move.number, move.previous, move.before)
    previous = records[-1].hash if records else ""
    if found != (artifact.id, len(records) + 1, previous, stage):
        raise ArtifactError(
            f"{path} is a move of another artifact, or from another place",
            rule="each record follows the one before, and names this artifact.",
            fix="Get an unchanged copy.",
        )
    if records and not records[-1].counts:
        raise ArtifactError(
            f"{path} follows a move that too few have signed",
            rule=f"a move to {records[-1].move.after} needs {records[-1].needed} signatures.",
        )


def _check_cap(move: Move, policy: StagePolicy) -> None:
    most = policy.rule(move.after).cap
    if not (math.isfinite(move.cap) and 0 <= move.cap <= most):
        raise RefusedError(
            f"a cap of {move.cap:,.0f} in stage {move.after}",
            rule=f"the policy allows {most:,.0f} there.",
            fix="Lower the cap, or change the policy.",
        )


def _check_signers(keys: Sequence[SigningKey], policy: StagePolicy) -> None:
    for key in keys:
        if policy.signers and key.public.key_id not in policy.signers:
            raise RefusedError(
                f"the key {key.public.name!r} may not sign moves",
                rule="the policy names the keys that may.",
            )
