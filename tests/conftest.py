from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import Run
from hypothesis import settings

from alphalab.cli.main import main
from alphalab.kernels.market import drivers

# A machine that is busy fails no test.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Make every run alike: Ctrl-C interrupts, and the driver is compiled.

    A shell starts what runs in its background deaf to Ctrl-C, which all processes below inherit.
    And several processes of tests would compile the driver at one time.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(session.config, "workerinput"):
        drivers.run()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Extracts of real markets beside the repository; a clone of the repository alone has none."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"real market data is not there: no folder {folder}")
    return folder


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Run]:
    def run(*arguments: object) -> Run:
        code = main([str(a) for a in arguments])
        return Run(code, *capsys.readouterr())

    return run
