"""Each room declares what it imports, and nothing that it does not need."""

import re
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest
from tests.house.test_walls import ROOT, imported

ROOMS = ("contracts", "jobs", "model-server", "operator", "local", "airgap", "airgap/agents", "cluster")
# Declared and never imported, with the reason.
NEEDED = {
    "psycopg": "SQLAlchemy opens postgresql+psycopg:// with it",
    "httptools": "uvicorn's parser, of which the server's own protocol is made",
    "serinus-server": "the local loop starts it as a process",
}
DISTRIBUTIONS = packages_distributions()


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(room: str) -> set[str]:
    project = tomllib.loads((ROOT / room / "pyproject.toml").read_text())["project"]
    optional = project.get("optional-dependencies", {}).values()
    listed = [*project.get("dependencies", []), *(each for group in optional for each in group)]
    return {normal(re.split(r"[\[<>=!; ]", each, maxsplit=1)[0]) for each in listed}


def found(room: str) -> set[str]:
    files = (ROOT / room / "src").rglob("*.py")
    own = {path.name for path in (ROOT / room / "src").iterdir()}
    return {name for path in files for name in imported(path)} - set(sys.stdlib_module_names) - own


def providers(module: str) -> set[str]:
    # The rooms are linked, not packed: the table of installed packages does not know them.
    return {normal(each) for each in DISTRIBUTIONS.get(module, [module])}


@pytest.mark.parametrize("room", ROOMS)
def test_what_a_room_declares_it_imports(room: str):
    provided = {name for module in found(room) for name in providers(module)}
    assert declared(room) - provided - set(NEEDED) == set()


@pytest.mark.parametrize("room", ROOMS)
def test_what_a_room_imports_it_declares(room: str):
    assert {module for module in found(room) if not providers(module) & declared(room)} == set()
