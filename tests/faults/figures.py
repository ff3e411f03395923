"""The figures of the fault experiments: one line each in a table at the end of the session.

A plugin of pytest's, named in `tests/conftest.py`. The lines travel in the tests' reports, so that they also
arrive from the processes among which xdist shares the tests out.
"""

from collections.abc import Iterator
from typing import Protocol

import pytest
from _pytest.terminal import TerminalReporter

_PROPERTY = "figures"


class Figures(Protocol):
    """Tells what an experiment found; to be called before anything is asserted."""

    def __call__(self, experiment: str, **found: object) -> None:
        """A control's name begins with ``control: ``."""
        ...


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    """Where a test tells its figures."""

    def tell(experiment: str, **found: object) -> None:
        told = ", ".join(f"{name.replace('_', ' ')} {_shown(value)}" for name, value in found.items())
        request.node.user_properties.append((_PROPERTY, f"{experiment:<48} {told}"))

    return tell


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print the table."""
    lines = sorted(_told(terminalreporter))
    if lines:
        terminalreporter.section("figures of the fault experiments")
        for line in lines:
            terminalreporter.write_line(line)


def _told(reporter: TerminalReporter) -> Iterator[str]:
    for outcome in ("passed", "failed"):
        for report in reporter.getreports(outcome):
            if report.when == "call":
                yield from (text for name, text in report.user_properties if name == _PROPERTY)


def _shown(value: object) -> object:
    return round(value, 1) if isinstance(value, float) else value
