"""``alphalab promote``: make a signed artifact of a strategy that was validated."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alphalab.cli.artifact.options import KeysFlag
from alphalab.cli.artifact.stage import KeyFlag
from alphalab.cli.flags import with_flags
from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag
from alphalab.cli.running import STRATEGY_HELP, RunFlags, announce_compilation
from alphalab.errors import InputError, ParameterError

if TYPE_CHECKING:
    from alphalab.artifact.validation_record import ValidationRecord
    from alphalab.artifact.write import Content
    from alphalab.data.panel.bars import Bars
    from alphalab.research.results.result import Result

_NS_DAY = 86_400 * 10**9
_MOST_BYTES = 4_000_000


@with_flags(RunFlags)
def promote(
    strategy: Annotated[
        str, typer.Argument(metavar="STRATEGY", help=STRATEGY_HELP, show_default=False)
    ],
    run: RunFlags,
    validation: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="The record of the gate, as alphalab validate wrote it.",
            show_default=False,
        ),
    ],
    key: KeyFlag,
    out_folder: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FOLDER",
            help="The artifact to make.",
            show_default="artifacts/STRATEGY",
        ),
    ] = None,
    override: Annotated[
        str | None,
        typer.Option(metavar="WHY", help="Promote against the gate; signed, and shown for ever."),
    ] = None,
    model: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A model, .onnx or .safetensors, as often as needed."),
    ] = None,
    days: Annotated[int, typer.Option(min=1, help="Days until the artifact expires.")] = 180,
    keys: KeysFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Make an artifact: it starts in the stage research. Exit code 3 when the gate refused."""
    from alphalab.artifact.files import read_regular
    from alphalab.artifact.format import MOST_MODEL_BYTES, Override, artifact_id, canonical
    from alphalab.artifact.keys import Keyring
    from alphalab.artifact.ledger import uncounted
    from alphalab.artifact.loading import blame, load_strategy, make_strategy
    from alphalab.artifact.write import write_artifact

    out = Output(json=json, quiet=quiet)
    now = time.time_ns()
    _check_flags(run)
    record = _validation(validation)
    signing = [Keyring(keys).signing(name, now=now) for name in key]
    models = {path.name: read_regular(path, MOST_MODEL_BYTES) for path in model or ()}
    with out.user_code():
        cls = load_strategy(strategy)
        chosen = make_strategy(cls, run.parameters())
    file = run.file()
    bars = run.bars(file)

    from alphalab.research.run.backtest import backtest

    announce_compilation(out)
    quality = run.quality_settings(file)
    with out.user_code(), blame(cls), uncounted():
        result = backtest(chosen, bars, **run.keywords(file), quality=quality, start=run.start)
    folder = out_folder or Path("artifacts") / cls.__name__
    manifest = write_artifact(
        folder,
        chosen,
        _content(run, bars, result, record),
        created=now,
        expires=now + days * _NS_DAY,
        keys=signing,
        override=None if override is None else Override(who=signing[0].public.name, why=override),
        models=models,
    )
    made = artifact_id(canonical(manifest))
    if json:
        out.object("promote", {"folder": str(folder), "id": made, "manifest": manifest})
    else:
        out.text(f"{folder}: {manifest.kind}, {len(manifest.files)} files, id {made}")
        out.note(f"Next: alphalab artifact stage {folder} --to paper --why ... --key ...")


def _check_flags(run: RunFlags) -> None:
    """Refuse flags of files: an artifact names data that can be loaded again by one name."""
    given = {
        "--schema": run.schema,
        "--label open": run.label == "open",
        "--funding": run.funding,
        "--actions": run.actions,
    }
    for name in (name for name, value in given.items() if value):
        raise InputError(
            f"alphalab promote with {name}",
            rule="an artifact names its data so that it can be loaded again by one name.",
            fix="Ingest the files into a store first: see alphalab data ingest --help.",
        )


def _validation(path: Path) -> ValidationRecord:
    import msgspec

    from alphalab.artifact.files import read_regular
    from alphalab.artifact.validation_record import ValidationRecord

    if not path.exists():
        raise InputError(
            f"--validation {path}: there is no such file",
            rule="only what was validated is promoted.",
            fix="Make it with: alphalab validate STRATEGY --data DATA",
        )
    try:
        # The record stands there beside figures for the reader, which the artifact leaves out.
        content = msgspec.json.decode(read_regular(path, _MOST_BYTES), type=dict[str, Any])
        known = ValidationRecord.__struct_fields__
        fields = {name: content[name] for name in known if name in content}
        return msgspec.convert(fields, ValidationRecord)
    except (msgspec.MsgspecError, ParameterError) as error:
        what = error.what if isinstance(error, ParameterError) else str(error)
        raise InputError(
            f"--validation {path}: {what}", rule="it is what alphalab validate wrote."
        ) from None


def _content(run: RunFlags, bars: Bars, result: Result, record: ValidationRecord) -> Content:
    from alphalab.artifact.format import DataDocument, InstrumentsDocument, Request
    from alphalab.artifact.write import Content
    from alphalab.cli.doctor import versions

    symbols = None if run.symbols is None else tuple(x.strip() for x in run.symbols.split(","))
    return Content(
        settings=result.settings,
        instruments=InstrumentsDocument(
            instruments=bars.instruments, changes=bars.instrument_changes
        ),
        data=DataDocument(
            request=Request(name=run.data, symbols=symbols, end=run.end),
            content=bars.id,
            version=bars.version,
            symbols=bars.symbols,
            rows=bars.n_rows,
            start=bars.start,
            end=bars.end,
            n_warm=result.n_warm,
        ),
        validation=record,
        digest=result.digest,
        versions=versions(),
    )
