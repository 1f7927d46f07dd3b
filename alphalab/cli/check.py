"""``alphalab check``: whether what a strategy decides depends on rows after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from alphalab.cli.flags import with_flags
from alphalab.cli.output import DebugFlag, JsonFlag, Output, QuietFlag
from alphalab.cli.running import STRATEGY_HELP, RunFlags, announce_compilation

if TYPE_CHECKING:
    from alphalab.research.validation.leaks import Causality


@with_flags(RunFlags)
def check(
    strategy: Annotated[
        str,
        typer.Argument(metavar="STRATEGY", help=STRATEGY_HELP, show_default=False),
    ],
    run: RunFlags,
    prepare: Annotated[
        str | None,
        typer.Option(
            metavar="FILE:NAME",
            help="A function that returns the bars to trade, such as with columns of its own:"
            " features.py:prepare. It is checked, too.",
        ),
    ] = None,
    cuts: Annotated[int, typer.Option(help="Rows after which the future is changed.")] = 16,
    seed: Annotated[int, typer.Option(help="Of the places of the cuts and the shuffles.")] = 0,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Check that signals, targets, orders and fills depend on no later row.

    Exits with 1 if a leak is found.
    """
    from alphalab.artifact.loading import blame, load_function, load_strategy, make_strategy
    from alphalab.research.results.provenance import accepted
    from alphalab.research.validation.causality import check_causality

    out = Output(json=json, quiet=quiet)
    with out.user_code():
        cls = load_strategy(strategy)
        chosen = make_strategy(cls, run.parameters())
        prepared = None if prepare is None else load_function(prepare)
    file = run.file()
    keywords = run.whole_keywords(file)
    bars = run.bars(file)
    accepted(bars, run.quality_settings(file), actions=keywords.get("actions", "none"))
    announce_compilation(out)
    with out.user_code(), blame(cls), _shown(out) as watch:
        found = check_causality(
            *(chosen, bars),
            prepare=prepared,
            n_cuts=cuts,
            seed=seed,
            start=run.start,
            watch=watch,
            **keywords,
        )
    if json:
        out.object("check", {"strategy": cls.__name__, **found.to_dict()})
    else:
        _show(out, found)
    if not found.ok:
        raise typer.Exit(1)


def _show(out: Output, found: Causality) -> None:
    for leak in found.leaks:
        out.text(f"leak: {leak}")
    if found.leaks:
        out.text("\nTo see the first one, given strategy, bars and what prepares them:\n")
        out.text(found.leaks[0].counter_example)
    else:
        out.text(str(found))
    for how, why in found.untested.items():
        out.warn(f"not tested with a future that is changed by {how!r}, {why}")


@contextmanager
def _shown(out: Output) -> Iterator[Callable[[str], None] | None]:
    """Show on stderr what is being run, where somebody watches; give what to tell it with."""
    if not out.shows_progress:
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status("check") as status:
        yield lambda text: status.update(f"check: {text}")
