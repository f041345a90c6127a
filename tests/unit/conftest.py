"""Unit tests see no network: a socket that is opened raises."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/unit/" in str(item.path):
            item.add_marker(pytest.mark.disable_socket)
            item.add_marker(pytest.mark.timeout(60))
