"""Flags that describe the format of a source, for the commands that read one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from alphalab.cli.flags import named_texts
from alphalab.errors import ParameterError

if TYPE_CHECKING:
    from alphalab.data.formats.schema import Schema

_PANEL = "Format of the source"


def _option(*names: str, **words: Any) -> Any:
    return typer.Option(*names, rich_help_panel=_PANEL, **words)


@dataclass(frozen=True, kw_only=True)
class SchemaFlags:
    """Flags that describe the format of a source: each field is one flag."""

    schema: Annotated[
        Path | None,
        _option(metavar="FILE", help="A TOML file of the fields below; flags override it."),
    ] = None
    column: Annotated[
        list[str] | None,
        _option(
            "--column",
            "-c",
            metavar="OURS=THEIRS",
            help="The source's name of a column, or its position from 0; may be repeated.",
        ),
    ] = None
    label: Annotated[
        Literal["close", "open", "session"] | None,
        _option(
            help="Instant that times name: the close or open of a bar, or the date of its session.",
            show_default="close",
        ),
    ] = None
    calendar: Annotated[
        str | None,
        _option(metavar="CODE", help="Calendar of the sessions that dates name, such as XNYS."),
    ] = None
    zone: Annotated[
        str | None,
        _option(metavar="NAME", help="Time zone of times without one.", show_default="UTC"),
    ] = None
    repeated_hour: Annotated[
        Literal["refuse", "infer"] | None,
        _option(help="Local times that occur twice in autumn.", show_default="refuse"),
    ] = None
    time_format: Annotated[
        str | None,
        _option(
            metavar="FORMAT",
            help="Format of times, such as '%d.%m.%Y %H:%M'.",
            show_default="ISO 8601",
        ),
    ] = None
    delimiter: Annotated[
        str | None,
        _option(metavar="C", help="Delimiter of a CSV file.", show_default="seen in its header"),
    ] = None
    decimal: Annotated[
        str | None,
        _option(metavar="C", help="Decimal mark of its numbers.", show_default="a point"),
    ] = None
    thousands: Annotated[
        str | None,
        _option(metavar="C", help="Mark between thousands, such as ','.", show_default="none"),
    ] = None
    encoding: Annotated[
        str | None, _option(metavar="NAME", help="Encoding of its text.", show_default="utf-8")
    ] = None
    no_header: Annotated[
        bool, _option("--no-header", help="The file has no header: columns are named by position.")
    ] = False
    skip: Annotated[
        int | None,
        _option(min=0, metavar="N", help="Lines before its header.", show_default="none"),
    ] = None
    symbol: Annotated[
        str | None,
        _option(
            metavar="NAME", help="Symbol of a file that names none.", show_default="the file's name"
        ),
    ] = None
    rename: Annotated[
        list[str] | None,
        _option(
            metavar="OLD=NEW", help="Join the rows of both symbols to one series; may be repeated."
        ),
    ] = None

    def format_given(self) -> Schema | None:
        """Return the schema of the file and the flags; None where neither says anything."""
        schema = self.read()
        return schema if schema.changes() else None

    def read(self) -> Schema:
        """Return the schema of the file and the flags."""
        from alphalab.data.formats.schema import Schema

        given = Schema() if self.schema is None else Schema.read(self.schema)
        fields = given.changes()
        columns = named_texts("--column", self.column or [], "a column is written ours=theirs.")
        renamed = named_texts("--rename", self.rename or [], "a new name is written old=new.")
        header = False if self.no_header else fields.get("header", True)
        plain = (
            *("label", "calendar", "zone", "repeated_hour", "time_format"),
            *("delimiter", "decimal", "thousands", "encoding", "skip", "symbol"),
        )
        fields |= {name: getattr(self, name) for name in plain if getattr(self, name) is not None}
        fields["header"] = header
        fields["columns"] = fields.get("columns", {}) | {
            ours: theirs if header else _place(theirs) for ours, theirs in columns.items()
        }
        fields["rename"] = fields.get("rename", {}) | renamed
        return Schema.of(fields)


def _place(text: str) -> int:
    if not text.isdecimal():
        raise ParameterError(
            f"--column ...={text} with --no-header",
            rule="columns of a file without a header are named by position, from 0.",
        )
    return int(text)
