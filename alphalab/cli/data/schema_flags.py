"""The flags that say how a source is written, for the commands that read one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from alphalab.cli.flags import named_texts
from alphalab.errors import ParameterError

if TYPE_CHECKING:
    from alphalab.data.formats.schema import Schema

_PANEL = "How the source is written"


def _option(*names: str, **words: Any) -> Any:
    return typer.Option(*names, rich_help_panel=_PANEL, **words)


@dataclass(frozen=True, kw_only=True)
class SchemaFlags:
    """The flags that say how a source is written: each field is one."""

    schema: Annotated[
        Path | None,
        _option(metavar="FILE", help="A TOML file of the fields below; flags go before it."),
    ] = None
    column: Annotated[
        list[str] | None,
        _option(
            "--column",
            "-c",
            metavar="OURS=THEIRS",
            help="What the source calls a column, or its place from 0, as often as needed.",
        ),
    ] = None
    label: Annotated[
        Literal["close", "open", "session"] | None,
        _option(
            help="What a time names: the close or the open of a bar, or the date of its session.",
            show_default="close",
        ),
    ] = None
    calendar: Annotated[
        str | None, _option(metavar="CODE", help="Whose sessions the dates name, such as XNYS.")
    ] = None
    zone: Annotated[
        str | None,
        _option(metavar="NAME", help="Zone of times that carry none.", show_default="UTC"),
    ] = None
    repeated_hour: Annotated[
        Literal["refuse", "infer"] | None,
        _option(help="Local times that come twice in autumn.", show_default="refuse"),
    ] = None
    time_format: Annotated[
        str | None,
        _option(metavar="FORMAT", help="Such as '%d.%m.%Y %H:%M'.", show_default="ISO 8601"),
    ] = None
    delimiter: Annotated[
        str | None, _option(metavar="C", help="Of a CSV file.", show_default="seen in its header")
    ] = None
    decimal: Annotated[
        str | None, _option(metavar="C", help="Of its numbers.", show_default="a point")
    ] = None
    encoding: Annotated[
        str | None, _option(metavar="NAME", help="Of its text.", show_default="utf-8")
    ] = None
    no_header: Annotated[
        bool, _option("--no-header", help="It begins with data: columns are named by place.")
    ] = False
    skip: Annotated[
        int | None,
        _option(min=0, metavar="N", help="Lines before its header.", show_default="none"),
    ] = None
    symbol: Annotated[
        str | None, _option(metavar="NAME", help="Where it names none.", show_default="its name")
    ] = None
    rename: Annotated[
        list[str] | None,
        _option(metavar="OLD=NEW", help="Rows of both symbols are one series, as often as needed."),
    ] = None

    def read(self) -> Schema:
        """Return the schema that the file and the flags ask for."""
        from alphalab.data.formats.schema import Schema

        given = Schema() if self.schema is None else Schema.read(self.schema)
        fields = given.changes()
        columns = named_texts("--column", self.column or [], "a column reads ours=theirs.")
        renamed = named_texts("--rename", self.rename or [], "a new name reads old=new.")
        header = False if self.no_header else fields.get("header", True)
        plain = (
            *("label", "calendar", "zone", "repeated_hour", "time_format"),
            *("delimiter", "decimal", "encoding", "skip", "symbol"),
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
            rule="columns of a file without a header are called by their place, from 0.",
        )
    return int(text)
