"""Settings of a run: from a TOML file, overridden by flags."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

from alphalab.config import RunSettings
from alphalab.data.panel.bars import Bars
from alphalab.data.panel.rules import changed_changes, changed_instruments
from alphalab.data.quality.settings import quality_settings
from alphalab.errors import AlphalabError, InputError, ParameterError, UnknownNameError
from alphalab.research.run.setting_names import checked, settings_in


class RunFile(NamedTuple):
    """The contents of a settings file.

    Attributes
    ----------
    run : dict
        Fields of `RunSettings`, tables of it as dicts.
    instrument : dict
        Fields of every `Instrument`.
    instruments : dict of str to dict
        The same for single symbols.
    quality : dict
        Fields of `QualitySettings`.
    name : str
        Prefix of error messages about the file.
    """

    run: dict[str, Any]
    instrument: dict[str, Any]
    instruments: dict[str, dict[str, Any]]
    quality: dict[str, Any]
    name: str

    def instruments_of(self, bars: Bars) -> Bars:
        """Return bars with the instruments as the file changes them."""
        try:
            changed, changes = bars.instruments, bars.instrument_changes
            for symbol, fields in ((None, self.instrument), *self.instruments.items()):
                changed = changed_instruments(changed, symbol, fields)
                changes = changed_changes(changes, symbol, fields)
        except InputError as error:
            raise _in_file(self.name, error) from None
        return bars.with_instruments(changed, changes=changes)


def read_run_file(path: Path | None) -> RunFile:
    """Read a settings file; unknown names are refused.

    Raises
    ------
    InputError
        The file does not exist or is not TOML.
    UnknownNameError
        A name that is not a setting; near names are suggested.
    """
    if path is None:
        return RunFile({}, {}, {}, {}, "")
    try:
        run = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(
            f"--settings {path}: {error.strerror}", rule="settings are a TOML file."
        ) from None
    except (ValueError, RecursionError) as error:  # not TOML, not text, or brackets without end
        raise InputError(
            f"{path}: {error}",
            rule="settings are a TOML file: tables like [costs] with lines like fee_bps = 10.",
        ) from None
    instrument, instruments = run.pop("instrument", {}), run.pop("instruments", {})
    for table, value in (("instrument", instrument), ("instruments", instruments)):
        if not isinstance(value, dict) or (
            table == "instruments" and not all(isinstance(x, dict) for x in value.values())
        ):
            raise InputError(
                f"{path}: {table}",
                rule="fields of instruments are in tables [instrument] (all) and "
                "[instruments.SYMBOL] (one).",
            )
    quality = run.pop("quality", {})
    quality_settings(quality, f"{path}: quality")
    try:
        _check_names(run, RunSettings, "setting", ("instrument", "instruments", "quality"))
    except UnknownNameError as error:
        raise _in_file(str(path), error) from None
    return RunFile(run, instrument, instruments, quality, str(path))


def run_keywords(file: RunFile, flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords of `alphalab.backtest` from a file and from flags, which override it.

    Parameters
    ----------
    file : RunFile
    flags : mapping of str to object
        Values by the name of the setting, such as ``costs.fee_bps``; None: not given.

    Raises
    ------
    ParameterError
        A value that a setting does not take. Combinations are checked by `RunSettings`.
    """
    keywords = {}
    given = {name: value for name, value in flags.items() if value is not None}
    for field in dict.fromkeys((*file.run, *(name.partition(".")[0] for name in given))):
        mine = {name: given[name] for name in given if name.partition(".")[0] == field}
        value = file.run.get(field, {})
        for name, flag in mine.items():
            key = name.partition(".")[2]
            if not key:
                value = flag
            elif isinstance(value, dict):
                value = {**value, key: flag}
        try:
            keywords[field] = checked(field, value)
        except InputError as error:
            if field not in file.run:
                raise
            raise _in_file(f"{file.name} and flags" if mine else file.name, error) from None
    return keywords


def margin_flags(leverage: float | None, maintenance: float | None) -> dict[str, float]:
    """Return the settings of a margin account from its two flags.

    Examples
    --------
    >>> margin_flags(5, 0.1)
    {'margin.initial': 0.2, 'margin.maintenance': 0.1}
    """
    if leverage is None and maintenance is None:
        return {}
    if leverage is None or maintenance is None:
        raise ParameterError(
            "--maintenance without --leverage"
            if leverage is None
            else "--leverage without --maintenance",
            rule="a margin account has both: --leverage 5 needs a fifth of the value of positions "
            "to open them, --maintenance 0.1 a tenth to keep them.",
        )
    if not leverage >= 1:
        raise ParameterError(f"--leverage {leverage:g}", rule="leverage is 1 or more.")
    return {"margin.initial": 1 / leverage, "margin.maintenance": maintenance}


def _check_names(given: Any, hint: Any, kind: str, also: Iterable[str] = ()) -> None:
    """Refuse keys that settings of a type hint do not have."""
    cls = settings_in(hint)
    if cls is None:
        return
    for table in given if isinstance(given, list) else [given]:
        for key, value in table.items() if isinstance(table, dict) else ():
            if key not in cls.__struct_fields__:
                raise UnknownNameError(kind, key, (*cls.__struct_fields__, *also))
            inner = get_type_hints(cls, include_extras=True)[key]
            _check_names(value, inner, f"setting of {key}")


def _in_file(file: str, error: AlphalabError) -> AlphalabError:
    error.what = f"{file}: {error.what}" if file else error.what
    return error
