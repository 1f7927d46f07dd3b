"""Python of few lines that shows a leak, to paste."""

from __future__ import annotations

from typing import NamedTuple

from alphalab.errors import AlphalabError
from alphalab.expr.text import parse
from alphalab.research.run.options import RunOptions

_SHOWN = {
    "signals": "record.targets[{row}]",
    "targets": "record.targets[{row}]",
    "orders": "order_events",
    "fills": "fills",
    "account": "equity.iloc[{row}]",
}


class Given(NamedTuple):
    """What a check was called with, and so which names a counter-example may use.

    Attributes
    ----------
    makes_strategy : bool
        ``strategy`` is a function of the bars.
    prepares : bool
        There is ``prepare``.
    has_tables : bool
        There is ``tables``.
    options : RunOptions
    seed : int
    start : str
        First instant that is traded, as text; empty: the first row.
    """

    makes_strategy: bool
    prepares: bool
    has_tables: bool
    options: RunOptions
    seed: int
    start: str = ""

    def counter_example(self, output: str, row: int, source: str, how: str, cut: int) -> str:
        """Return the lines: they print the value with the real future and with the other one.

        Parameters
        ----------
        output, row, source, how, cut
            As in `alphalab.research.validation.leaks.Leak`.

        Examples
        --------
        >>> print(Given(False, False, False, {}, 0).counter_example("targets", 7, "", "nan", 9))
        import alphalab as al
        from alphalab.research.validation.perturb import perturbed, perturbed_table
        for x in (bars, perturbed(bars, 9, 'nan', 0)):
            print(al.backtest(strategy, x, quality='unchecked').record.targets[7])
        """
        lines = ["import alphalab as al"]
        other, other_tables = "bars", "tables"
        if how != "again":
            lines.append(
                "from alphalab.research.validation.perturb import perturbed, perturbed_table"
            )
            other = f"perturbed(bars, {cut}, {how!r}, {self.seed})"
            changed = f"perturbed_table(t, bars.time[{cut}], {how!r}, {self.seed})"
            other_tables = f"{{name: {changed} for name, t in tables.items()}}"
        if self.has_tables:
            lines.append(f"for x, y in ((bars, tables), ({other}, {other_tables})):")
        else:
            lines.append(f"for x in (bars, {other}):")
        return "\n".join([*lines, f"    print({self._shown(output, row, source)})"])

    def _shown(self, output: str, row: int, source: str) -> str:
        made = "x"
        if self.prepares:
            made = "prepare(x, **y)" if self.has_tables else "prepare(x)"
        if output in ("rows", "symbols"):
            return made
        if output == "signals" and _is_expression(source):
            return f"al.evaluate({source!r}, {made}).iloc[{row}].to_list()"
        whose = f"strategy({made})" if self.makes_strategy else "strategy"
        given = {"start": self.start or None, **self.options}
        options = "".join(f", {name}={x!r}" for name, x in given.items() if x is not None)
        run = f"al.backtest({whose}, {made}, quality='unchecked'{options})"
        return f"{run}.{_SHOWN[output].format(row=row)}"


def _is_expression(source: str) -> bool:
    try:
        parse(source)
    except AlphalabError:
        return False
    return True
