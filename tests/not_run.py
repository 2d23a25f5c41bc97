"""Tests that need what this machine has not are reported as not run, by name, never as passed."""

from typing import NoReturn

import pytest

__all__ = ["BEGINNING", "not_run"]

BEGINNING = "not run: "


def not_run(reason: str) -> NoReturn:
    """Ends a test that cannot be run here; says what is missing."""
    pytest.skip(f"{BEGINNING}{reason}")
