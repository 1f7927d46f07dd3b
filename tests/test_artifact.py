"""Artifacts: an artifact opens as it was promoted, and a changed file is named."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import pickle
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from artifact_cases import DAY, END, NOW, content_of, keyring, made

import alphalab as al
from alphalab.artifact.envelope import MOST_BYTES, co_sign, opened, sign, verify
from alphalab.artifact.format import (
    MANIFEST,
    MANIFEST_TYPE,
    SIGNATURE,
    FileHash,
    Manifest,
    Override,
    canonical,
)
from alphalab.artifact.keys import Keyring, PublicKey, SigningKey
from alphalab.artifact.loading import load_strategy, reference_strategies
from alphalab.artifact.models import is_onnx, is_safetensors
from alphalab.artifact.open import Artifact, open_artifact
from alphalab.artifact.write import speaks_language
from alphalab.errors import ArtifactError, InputError, ParameterError, RefusedError

SMA = al.ExprStrategy(text="where(ts_mean(close, 10) > ts_mean(close, 30), 1, 0)")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Keyring, SigningKey]:
    """An artifact with a model, made once; tests that change it take a copy."""
    folder = tmp_path_factory.mktemp("artifact")
    ring, (key,) = keyring(folder, "anna")
    models = {"net.safetensors": safetensors(b"\0" * 8)}
    return made(folder / "sma", SMA, [key], models=models), ring, key


@pytest.fixture
def copy(whole: tuple[Path, Keyring, SigningKey], tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole[0], tmp_path / "sma"))


@pytest.fixture
def keys(whole: tuple[Path, Keyring, SigningKey]) -> dict[str, PublicKey]:
    return whole[1].public()


def safetensors(data: bytes) -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, len(data)]}})
    return len(header).to_bytes(8, "little") + header.encode() + data


# What is opened is what was promoted


def test_an_artifact_comes_back_as_it_was_made(
    whole: tuple[Path, Keyring, SigningKey], keys: dict[str, PublicKey]
) -> None:
    folder, _, key = whole
    content = content_of(SMA)
    artifact = open_artifact(folder, keys, now=NOW)
    assert artifact.settings == content.settings and artifact.settings.id == content.settings.id
    assert artifact.validation == content.validation
    assert artifact.instruments == content.instruments
    assert artifact.data == content.data
    assert artifact.make_strategy() == SMA
    assert artifact.signers == (key.public,)
    assert artifact.id == hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    assert artifact.model("net.safetensors") == safetensors(b"\0" * 8)
    assert artifact.strategy.warmup == artifact.validation.warmup_rows == 131
    with pytest.raises(ArtifactError, match="no model"):
        artifact.model("../settings.json")


@pytest.mark.parametrize("name", sorted(reference_strategies()))
def test_every_reference_strategy_is_promoted_and_decides_the_same(
    name: str, tmp_path: Path
) -> None:
    ring, keys = keyring(tmp_path, "anna")
    strategy = load_strategy(name)()
    many = name in ("pair_reversion", "cross_sectional_momentum", "ppo_allocator")
    data = "sp500_stocks" if many else "sp500"
    content = content_of(strategy, data=data)
    folder = made(tmp_path / name, strategy, keys, content=content)
    artifact = open_artifact(folder, ring.public(), now=NOW)
    pin = next((f.sha256 for f in artifact.manifest.files if f.path == "strategy.py"), "")
    assert bool(pin) == (name == "donchian_breakout") == (not speaks_language(strategy))
    again = artifact.make_strategy(pins=[pin])
    assert type(again) is al.ExprStrategy or pin
    fields = msgspec.structs.asdict(artifact.settings)
    assert al.backtest(again, al.load(data), **fields).digest == artifact.manifest.digest


#: Opens an artifact twice, and prints what was run the second time: an audit hook stays for ever.
WATCHED = """
import sys
from alphalab.artifact.keys import Keyring
from alphalab.artifact.open import open_artifact
folder, keys, now = sys.argv[1], Keyring(sys.argv[2]).public(), int(sys.argv[3])
open_artifact(folder, keys, now=now).make_strategy()  # alphalab's own imports
RUNS = {"exec", "import", "marshal.loads", "pickle.find_class", "subprocess.Popen", "os.system"}
sys.addaudithook(lambda event, arguments: event in RUNS and print(event, arguments))
open_artifact(folder, keys, now=now).make_strategy()
print("opened")
exec("pass")
"""


def test_opening_an_artifact_of_expressions_runs_nothing(
    whole: tuple[Path, Keyring, SigningKey],
) -> None:
    arguments = [str(whole[0]), str(whole[1].folder), str(NOW)]
    command = [sys.executable, "-c", WATCHED, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    first, second, *_ = done.stdout.splitlines()
    assert first == "opened"
    assert second.startswith("exec")  # the hook does see what is run


def test_source_runs_only_if_its_hash_is_pinned(tmp_path: Path) -> None:
    ring, keys = keyring(tmp_path, "anna")
    ran = tmp_path / "ran"
    body = (
        f"import alphalab as al\nimport pathlib\npathlib.Path({str(ran)!r}).write_text('x')\n\n"
        "class Free(al.Strategy):\n    n: int = 3\n\n    def signals(self):\n"
        "        return {'close': al.close, 'mean': al.close.ts_mean(self.n)}\n\n"
        "    @staticmethod\n    def decide(signals, params, account):\n"
        "        targets = signals.close.copy()\n"
        "        for j in range(targets.size):\n"
        "            targets[j] = 1.0 if signals.close[j] > signals.mean[j] else 0.0\n"
        "        return targets\n"
    )
    file = tmp_path / "free.py"
    file.write_text(body)
    strategy = load_strategy(str(file))(n=4)
    folder = made(tmp_path / "free", strategy, keys)
    ran.unlink()
    artifact = open_artifact(folder, ring.public(), now=NOW)
    for pins in ([], ["0" * 64]):
        with pytest.raises(ArtifactError, match="not pinned"):
            artifact.make_strategy(pins)
    assert not ran.exists()
    pin = hashlib.sha256(body.encode()).hexdigest()
    assert msgspec.structs.asdict(artifact.make_strategy([pin])) == {"n": 4}
    assert ran.exists()
    ran.unlink()
    (folder / "strategy.py").write_text(body.replace("'x'", "'y'"))  # between opening and loading
    with pytest.raises(ArtifactError, match="has SHA-256"):
        artifact.make_strategy([pin])
    assert not ran.exists()


# What was changed is named


def files_of(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


FILES = (
    *("data.json", "instruments.json", "manifest.json", "models/net.safetensors"),
    *("settings.json", "signature.json", "strategy.json", "validation.json", "versions.json"),
)


def test_these_are_all_files(copy: Path) -> None:
    assert files_of(copy) == list(FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_changed_byte_in_any_file_is_refused(
    copy: Path, keys: dict[str, PublicKey], name: str
) -> None:
    content = (copy / name).read_bytes()
    for place in range(0, len(content), max(len(content) // 40, 1)):
        changed = bytes([content[place] ^ 1])
        (copy / name).write_bytes(content[:place] + changed + content[place + 1 :])
        with pytest.raises(ArtifactError) as refused:
            open_artifact(copy, keys, now=NOW)
        assert name in str(refused.value)
    (copy / name).write_bytes(content)
    open_artifact(copy, keys, now=NOW)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["missing", "empty", "cut", "longer", "linked", "folder", "pipe"])
def test_a_file_that_is_no_longer_itself_is_named(
    copy: Path, keys: dict[str, PublicKey], name: str, how: str
) -> None:
    file = copy / name
    content = file.read_bytes()
    file.unlink()
    match how:
        case "empty":
            file.write_bytes(b"")
        case "cut":
            file.write_bytes(content[:-5])
        case "longer":
            file.write_bytes(content + b" ")
        case "linked":
            outside = copy.parent / "outside"
            outside.write_bytes(content)
            file.symlink_to(outside)
        case "folder":
            file.mkdir()
        case "pipe":
            os.mkfifo(file)
    with pytest.raises(ArtifactError) as refused:
        open_artifact(copy, keys, now=NOW)
    assert name in str(refused.value)


@pytest.mark.parametrize("name", ["extra.json", "models/other.onnx", ".hidden", "sub/x.py"])
def test_a_file_that_was_added_is_named(copy: Path, keys: dict[str, PublicKey], name: str) -> None:
    (copy / name).parent.mkdir(exist_ok=True)
    (copy / name).write_text("{}")
    with pytest.raises(ArtifactError, match="no part of the artifact"):
        open_artifact(copy, keys, now=NOW)


def test_huge_files_and_folders_are_not_read(copy: Path, keys: dict[str, PublicKey]) -> None:
    with (copy / SIGNATURE).open("r+b") as file:
        file.truncate(10**12)  # a hole: it takes no room
    with pytest.raises(ArtifactError, match="1,000,000,000,000 bytes"):
        open_artifact(copy, keys, now=NOW)
    for i in range(1_100):
        (copy / f"{i}").touch()
    with pytest.raises(ArtifactError, match="over 1,000 entries"):
        open_artifact(copy, keys, now=NOW)
    with pytest.raises(ArtifactError, match="No such file"):
        open_artifact(copy / "nowhere", keys, now=NOW)


def test_an_artifact_is_refused_from_its_end_on(copy: Path, keys: dict[str, PublicKey]) -> None:
    open_artifact(copy, keys, now=END - 1)
    with pytest.raises(ArtifactError, match="'sma' has expired"):
        open_artifact(copy, keys, now=END)
    with pytest.raises(ArtifactError, match="the key 'anna'"):
        open_artifact(copy, keys, now=NOW + 365 * DAY)


def test_an_unknown_signer_is_refused(copy: Path, tmp_path: Path) -> None:
    stranger, _ = keyring(tmp_path, "eve")
    for ring in (stranger.public(), {}):
        with pytest.raises(ArtifactError, match="none of these keys is known here"):
            open_artifact(copy, ring, now=NOW)


def resigned(folder: Path, key: SigningKey, change: Callable[[dict[str, object]], None]) -> None:
    """Sign a changed manifest, as a signer who is trusted and hostile could."""
    manifest = json.loads((folder / MANIFEST).read_bytes())
    change(manifest)
    payload = canonical(manifest)
    (folder / MANIFEST).write_bytes(payload)
    (folder / SIGNATURE).write_bytes(sign(payload, MANIFEST_TYPE, [key]).encoded())


@pytest.mark.parametrize(
    "path",
    [
        *("../outside.json", "/etc/passwd", "models/../../x.onnx", "models/a.pkl"),
        *("models/a.pt", "settings.json\0", "stages/0001.json", "", "models/.onnx"),
    ],
)
def test_paths_out_of_the_artifact_are_refused_even_if_signed(
    copy: Path, whole: tuple[Path, Keyring, SigningKey], keys: dict[str, PublicKey], path: str
) -> None:
    def add(manifest: dict[str, object]) -> None:
        files = manifest["files"]
        assert isinstance(files, list)
        files.append({"path": path, "sha256": "0" * 64, "size": 1})

    resigned(copy, whole[2], add)
    with pytest.raises(ArtifactError, match=r"manifest\.json: file"):
        open_artifact(copy, keys, now=NOW)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("version", 2), ("kind", "source"), ("surprise", 1), ("expires", 0), ("files", [])),
        *(("name", None), ("override", {"who": "", "why": ""})),
    ],
)
def test_a_manifest_that_breaks_a_rule_is_refused(
    copy: Path,
    whole: tuple[Path, Keyring, SigningKey],
    keys: dict[str, PublicKey],
    field: str,
    value: object,
) -> None:
    resigned(copy, whole[2], lambda manifest: manifest.update({field: value}))
    with pytest.raises(ArtifactError, match=r"manifest\.json"):
        open_artifact(copy, keys, now=NOW)


@pytest.mark.parametrize("text", ["python_op('f', close, 3)", "1 +", "__import__('os')", "(" * 999])
def test_expressions_that_are_none_are_refused(
    copy: Path, whole: tuple[Path, Keyring, SigningKey], keys: dict[str, PublicKey], text: str
) -> None:
    document = json.loads((copy / "strategy.json").read_bytes())
    document["expressions"]["weights"] = text
    content = canonical(document)
    (copy / "strategy.json").write_bytes(content)

    def rehash(manifest: dict[str, object]) -> None:
        files = manifest["files"]
        assert isinstance(files, list)
        entry = next(file for file in files if file["path"] == "strategy.json")
        entry |= {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}

    resigned(copy, whole[2], rehash)
    artifact = open_artifact(copy, keys, now=NOW)
    with pytest.raises((ArtifactError, InputError)):
        artifact.make_strategy()


# Promotion


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("strategy_id", "f" * 64, "another strategy"),
        ("data_ids", ("f" * 32,), "another data"),
        ("data_ids", (), "another data"),
        ("settings_id", "f" * 64, "another settings"),
        ("digest", "f" * 32, "another result"),
    ],
)
def test_a_validation_of_something_else_is_refused(
    tmp_path: Path, field: str, value: object, words: str
) -> None:
    _, keys = keyring(tmp_path, "anna")
    content = content_of(SMA, record={field: value})
    with pytest.raises(RefusedError, match=words):
        made(tmp_path / "sma", SMA, keys, content=content)
    assert not (tmp_path / "sma").exists()


def test_a_refusal_needs_an_override_that_stays_visible(tmp_path: Path) -> None:
    ring, keys = keyring(tmp_path, "anna")
    refused = content_of(SMA, passed=False)
    with pytest.raises(RefusedError, match=r"the gate refused: sharpe: 0\.4 against"):
        made(tmp_path / "sma", SMA, keys, content=refused)
    override = Override(who="anna", why="to learn the market's costs")
    folder = made(tmp_path / "sma", SMA, keys, content=refused, override=override)
    assert open_artifact(folder, ring.public(), now=NOW).manifest.override == override
    with pytest.raises(ParameterError, match="gate that passed"):
        made(tmp_path / "other", SMA, keys, override=override)
    with pytest.raises(ParameterError, match="name or a reason"):
        Override(who="anna", why="  ")


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a b", "x" * 81])
def test_names_that_are_none_are_refused(tmp_path: Path, name: str) -> None:
    _, keys = keyring(tmp_path, "anna")
    with pytest.raises(ParameterError, match="artifact name"):
        made(tmp_path / "below" / name if name else Path("/"), SMA, keys)


def test_nothing_is_written_over_and_nothing_half(tmp_path: Path) -> None:
    _, keys = keyring(tmp_path, "anna")
    folder = made(tmp_path / "out" / "sma", SMA, keys)
    with pytest.raises(InputError, match="exists"):
        made(folder, SMA, keys)
    with pytest.raises(ParameterError, match="is signed"):
        made(tmp_path / "out" / "unsigned", SMA, [])
    with pytest.raises(ArtifactError, match="not what its name says"):
        made(tmp_path / "out" / "pickled", SMA, keys, models={"a.onnx": b"\x80\x04\x95"})
    for name in ("a.pt", "../a.safetensors", "A.safetensors"):
        with pytest.raises((ArtifactError, ParameterError), match=r"models/|a\.pt"):
            made(tmp_path / "out" / "named", SMA, keys, models={name: safetensors(b"")})
    assert os.listdir(tmp_path / "out") == ["sma"]


ENDLESS = """
import sys
from pathlib import Path
from alphalab.artifact.files import write_folder
for i in range(100_000):
    write_folder(Path(sys.argv[1]) / f"{i}", {"a": b"x" * 50_000, "models/b": b"y" * 50_000})
    print(i, flush=True)
"""


def test_a_killed_process_leaves_whole_folders_or_none(tmp_path: Path) -> None:
    rng = random.Random(3)
    for trial in range(6):
        folder = tmp_path / f"{trial}"
        command = [sys.executable, "-c", ENDLESS, str(folder)]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        for _ in range(rng.randrange(1, 6)):
            writer.stdout.readline()
        time.sleep(rng.random() * 0.02)
        writer.kill()
        told = writer.communicate()[0].split()
        seen = sorted(int(path.name) for path in folder.iterdir() if path.name[0] != ".")
        assert seen == list(range(len(seen))) and (not told or len(seen) > int(told[-1]))
        for i in seen:
            sizes = [(folder / f"{i}" / name).stat().st_size for name in ("a", "models/b")]
            assert sizes == [50_000, 50_000]


# Models


#: Written by safetensors 0.8.0 and onnx 1.23.2.
MODELS = Path(__file__).with_name("models")


def test_models_of_the_libraries_are_taken_and_all_else_is_not() -> None:
    tensors = (MODELS / "linear.safetensors").read_bytes()
    onnx = (MODELS / "linear.onnx").read_bytes()
    assert is_safetensors(tensors) and not is_onnx(tensors)
    assert is_onnx(onnx) and not is_safetensors(onnx)
    pickled = pickle.dumps({"w": [1.0, 2.0]})
    for content in (b"", pickled, b"PK\x03\x04" + b"\0" * 30, onnx[:-1], tensors[:-1]):
        assert not is_onnx(content)
        assert not is_safetensors(content)
    for content in (onnx + pickled, pickled + onnx, b"\x08\x09", b"\x3a\x00"):
        assert not is_onnx(content)
    empty = b"\x02" + b"\0" * 7 + b"[]"
    for content in (tensors + b"x", tensors + pickled, tensors[:20], b"\xff" * 20, empty):
        assert not is_safetensors(content)


def test_models_are_part_of_an_artifact(tmp_path: Path) -> None:
    ring, keys = keyring(tmp_path, "anna")
    models = {path.name: path.read_bytes() for path in MODELS.iterdir()}
    folder = made(tmp_path / "sma", SMA, keys, models=models)
    artifact = open_artifact(folder, ring.public(), now=NOW)
    assert {name: artifact.model(name) for name in models} == models


# Keys and envelopes


def test_private_keys_are_private(tmp_path: Path) -> None:
    ring, _ = keyring(tmp_path, "anna")
    assert (ring.folder / "anna.key").stat().st_mode & 0o777 == 0o600
    assert ring.folder.stat().st_mode & 0o777 == 0o700
    assert ring.owned() == {"anna"} and [k.name for k in ring.public().values()] == ["anna"]
    (ring.folder / "anna.key").chmod(0o640)
    with pytest.raises(ArtifactError, match="mode 0600"):
        ring.signing("anna", now=NOW)


@pytest.mark.parametrize("name", ["", "Anna", "../x", "a b", "x" * 41])
def test_key_names_are_plain(tmp_path: Path, name: str) -> None:
    with pytest.raises(ParameterError, match="key name"):
        Keyring(tmp_path / "keys").new(name, now=NOW, days=10)
    assert not (tmp_path / "keys").exists()


def test_a_key_is_not_written_over_and_not_used_too_late(tmp_path: Path) -> None:
    ring, _ = keyring(tmp_path, "anna")
    (ring.folder / "bob.pub").write_text("{}")
    for name in ("anna", "bob"):
        with pytest.raises(ParameterError, match="never written over"):
            ring.new(name, now=NOW, days=1)
    with pytest.raises(ArtifactError, match=r"bob\.pub"):
        ring.public()
    with pytest.raises(ArtifactError, match="has expired"):
        ring.signing("anna", now=NOW + 365 * DAY)
    with pytest.raises(al.errors.UnknownNameError, match="did you mean 'anna'"):
        ring.signing("ana", now=NOW)
    for days in (0, 4000):
        with pytest.raises(ParameterError, match=r"1 to 3,650"):
            ring.new("carl", now=NOW, days=days)


def test_a_key_of_another_pair_or_kind_is_refused(tmp_path: Path) -> None:
    ring, _ = keyring(tmp_path, "anna", "bob")
    shutil.copy(ring.folder / "anna.key", ring.folder / "bob.key")
    with pytest.raises(ArtifactError, match="not the public half"):
        ring.signing("bob", now=NOW)
    (ring.folder / "bob.key").write_text("no key")
    with pytest.raises(ArtifactError, match=r"bob\.key"):
        ring.signing("bob", now=NOW)
    (ring.folder / "bob.pub").rename(ring.folder / "carl.pub")
    with pytest.raises(ArtifactError, match="is the key of 'bob'"):
        ring.public()


def test_an_envelope_is_what_dsse_says(tmp_path: Path) -> None:
    _, (key,) = keyring(tmp_path, "anna")
    envelope = sign(b"hello world", "http://example.com/HelloWorld", [key])
    assert json.loads(envelope.encoded()).keys() == {"payload", "payloadType", "signatures"}
    # The message of the protocol's own example.
    message = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    signature = base64.b64decode(envelope.signatures[0].sig)
    assert key.public.verifies(signature, message)
    assert not key.public.verifies(signature, message + b"x")
    assert not key.public.verifies(b"short", message)


def test_an_envelope_of_another_type_or_form_is_refused(tmp_path: Path) -> None:
    ring, (key,) = keyring(tmp_path, "anna")
    envelope = sign(b"{}", "a", [key])
    assert verify(envelope, "it", "a", ring.public(), now=NOW).payload == b"{}"
    with pytest.raises(ArtifactError, match="of type 'a'"):
        verify(envelope, "it", "b", ring.public(), now=NOW)
    retyped = msgspec.structs.replace(envelope, payload_type="b")
    with pytest.raises(ArtifactError, match="is not true"):
        verify(retyped, "it", "b", ring.public(), now=NOW)
    for content in (b"", b"[]", b"{}", b'{"payload": 1}', b"[" * 100_000, b"\xff"):
        with pytest.raises(ArtifactError, match="no signed envelope"):
            opened(content, "it")
    for payload in ("!", "abc"):
        broken = msgspec.structs.replace(envelope, payload=payload)
        with pytest.raises(ArtifactError, match=r"no base64|not true"):
            verify(broken, "it", "a", ring.public(), now=NOW)


def test_one_person_signs_once(tmp_path: Path) -> None:
    ring, (anna, bob) = keyring(tmp_path, "anna", "bob")
    envelope = co_sign(co_sign(sign(b"{}", "a", [anna]), anna), bob)
    signers = verify(envelope, "it", "a", ring.public(), now=NOW).signers
    assert [signer.name for signer in signers] == ["anna", "bob"]


def test_a_manifest_names_every_file_once() -> None:
    entry = FileHash.of("data.json", b"")
    with pytest.raises(ParameterError, match="manifest without instruments"):
        Manifest(
            name="x", created=1, expires=2, kind="expressions", digest="", files=(entry, entry)
        )


def test_the_limit_of_texts_is_above_any_artifact(whole: tuple[Path, Keyring, SigningKey]) -> None:
    assert max(file.stat().st_size for file in whole[0].glob("*.json")) < MOST_BYTES / 100
    assert isinstance(open_artifact(whole[0], whole[1].public(), now=NOW), Artifact)
