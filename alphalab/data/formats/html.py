"""Small HTML tables for notebooks."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape


def html_table(caption: str, head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a table of texts below a caption; all of it is escaped.

    Examples
    --------
    >>> html_table("<a>", ["x"], [[1]])
    '<div><b>&lt;a&gt;</b><table><thead><tr><th>x</th></tr></thead><tbody><tr><td>1</td>...'
    """
    top = "".join(f"<th>{escape(str(name))}</th>" for name in head)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows
    )
    return (
        f"<div><b>{escape(caption)}</b><table><thead><tr>{top}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )
