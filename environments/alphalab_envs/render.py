"""A picture of an episode: price with trades, weight held, equity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from alphalab.errors import import_extra

if TYPE_CHECKING:
    from alphalab_envs.single import SingleEnv

SIZE, DPI = (8.0, 5.0), 100  # inches, pixels per inch
MOST_LINES = 12  # assets drawn in a picture


def draw(env: SingleEnv) -> NDArray[np.uint8]:
    """Return the episode so far as pixels, (500, 800, 3)."""
    import_extra("matplotlib", "rl")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    canvas: Any = FigureCanvasAgg(figure)
    fill(figure, env)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def fill(figure: Any, env: SingleEnv) -> None:
    """Draw an episode into a matplotlib figure."""
    setup, engine = env.setup, env.engine
    start, at, stop = (int(x[0]) for x in (engine.start, engine.at, engine.stop))
    close, time = setup.rows(start, at + 1)
    ledger, qty = engine.ledger, engine.qty
    done = time[: len(ledger)]
    top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=(3, 1, 2))
    for j, symbol in enumerate(setup.bars.symbols[:MOST_LINES]):
        scale = 1.0 if close.shape[1] == 1 else close[0, j]
        top.plot(time, close[:, j] / scale, lw=1, label=symbol)
        bought = np.diff(qty[:, j], prepend=0.0)
        for marker, colour, side in (("^", "tab:green", bought > 0), ("v", "tab:red", bought < 0)):
            at_row = close[: len(ledger), j] / scale
            top.plot(done[side], at_row[side], marker, color=colour, ms=4)
    top.set_ylabel("close" if close.shape[1] == 1 else "close, first = 1")
    if 1 < close.shape[1] <= MOST_LINES:
        top.legend(fontsize="x-small", ncols=4)
    middle.plot(done, ledger["value"] / ledger["equity"], lw=1, drawstyle="steps-post")
    middle.set_ylabel("held / equity")
    bottom.plot(done, ledger["equity"], lw=1)
    bottom.set_ylabel("equity")
    bottom.set_xlim(time[0], setup.rows(stop, stop + 1)[1][0])
    figure.suptitle(f"row {at} of {start} to {stop}, equity {engine.equity[0]:,.0f}")


class Window:
    """A window that shows an episode as it goes on."""

    def __init__(self) -> None:
        import_extra("matplotlib", "rl")
        from matplotlib import pyplot

        self._pyplot = pyplot
        self._figure = pyplot.figure(figsize=SIZE, dpi=DPI, layout="constrained")

    def show(self, env: SingleEnv) -> None:
        """Draw the episode so far."""
        self._figure.clear()
        fill(self._figure, env)
        self._figure.canvas.draw()
        self._figure.canvas.flush_events()
        if self._pyplot.isinteractive():
            self._pyplot.pause(1.0 / env.metadata["render_fps"])

    def close(self) -> None:
        """Close the window."""
        self._pyplot.close(self._figure)
