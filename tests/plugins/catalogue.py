"""Say at the end of a run how many of the 57 operations are built."""

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    from tests.api.catalogue import CATALOGUE

    built = sum(1 for each in CATALOGUE if each.built)
    terminalreporter.write_line(f"Catalogue: {built} of {len(CATALOGUE)} operations are built.")
