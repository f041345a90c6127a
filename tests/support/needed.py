"""What this machine must have for a test: where it is missing CI fails and a developer's run skips."""

import os
from typing import NoReturn

import pytest


def missing(words: str) -> NoReturn:
    """End a test, or all that need a fixture. `words` say what is missing and how to get it."""
    if os.environ.get("CI"):
        pytest.fail(words)
    pytest.skip(words)
