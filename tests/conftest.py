"""`pytest --thorough`: with the long proofs, too."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the switch."""
    help_text = "also run the long proofs (marked thorough), which take minutes each"
    parser.addoption("--thorough", action="store_true", help=help_text)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves the long proofs out, visibly, unless they are asked for."""
    if config.getoption("--thorough"):
        return
    long = [item for item in items if item.get_closest_marker("thorough")]
    items[:] = [item for item in items if item not in long]
    config.hook.pytest_deselected(items=long)
