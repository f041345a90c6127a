"""What images install: the lock's own lines for what pip resolved, with hashes, and our rooms above it."""

import importlib.util
import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
# A script of the image's build, in no package.
_spec = importlib.util.spec_from_file_location("install", ROOT / "tools/install.py")
assert _spec
assert _spec.loader
install = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(install)

LOCK = """\
anyio==4.12.0 \\
    --hash=sha256:aa \\
    --hash=sha256:ab
typing-extensions==4.15.0 ; python_full_version < '3.13' \\
    --hash=sha256:ba
uvloop==0.22.1 \\
    --hash=sha256:ca
"""


def test_constraints_are_the_lock_without_hashes():
    assert install.versions(LOCK).splitlines() == [
        "anyio==4.12.0",
        "typing-extensions==4.15.0 ; python_full_version < '3.13'",
        "uvloop==0.22.1",
    ]


def test_no_hash_is_left_in_the_constraints_of_the_real_lock():
    lock = (ROOT / "requirements.lock").read_text()
    lines = install.versions(lock).splitlines()
    assert not [line for line in lines if "hash" in line or line.endswith("\\") or "==" not in line]
    assert len(lines) > 100


def test_the_chosen_blocks_keep_their_markers_and_hashes():
    assert install.select(LOCK, {"typing-extensions", "uvloop"}) == LOCK[LOCK.index("typing") :]


def test_what_the_lock_does_not_hold_is_refused():
    with pytest.raises(ValueError, match="not in the lock: leftpad; run make lock"):
        install.select(LOCK, {"uvloop", "leftpad"})


def test_names_of_a_report_are_normalised():
    report = {"install": [{"metadata": {"name": "Typing_Extensions"}}, {"metadata": {"name": "uvloop"}}]}
    assert install.names_in(json.dumps(report)) == {"typing-extensions", "uvloop"}


def test_a_project_stands_for_its_dependencies_without_our_rooms(tmp_path: Path):
    project = tmp_path / "pyproject.toml"
    project.write_text('[project]\ndependencies = ["serinus-contracts", "numpy==2.4.6", "uvloop"]\n')
    given = [str(project), "hatchling"]
    assert install.requirements(given) == ["numpy==2.4.6", "uvloop", "hatchling"]


def test_a_room_is_installed_below_a_root_of_its_own_and_compiled_for_where_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    environment, own = tmp_path / "app", tmp_path / "own"
    venv.create(environment, symlinks=True)
    monkeypatch.chdir(ROOT)
    # The environment of these tests has the tools that build a room.
    install.rooms(environment, "contracts", tools=Path(sys.prefix), wheels=tmp_path / "wheels", own=own)
    assert not list(environment.rglob("serinus_contracts"))
    (package,) = own.rglob("serinus_contracts")
    assert len(list(package.glob("__pycache__/*.pyc"))) == len(list(package.glob("*.py")))
    shutil.copytree(own / environment.relative_to("/"), environment, dirs_exist_ok=True, symlinks=True)
    tell = "from serinus_contracts import records; print(records.__file__)"
    python = environment / "bin" / "python"
    said = subprocess.run([python, "-c", tell], check=True, capture_output=True, text=True).stdout
    assert said.startswith(str(environment))


def test_what_cannot_be_compiled_fails_the_build(tmp_path: Path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "broken.py").write_text("def (:")
    with pytest.raises(ValueError, match="could be compiled"):
        install.compiled(tmp_path)


def test_byte_code_names_its_source_where_it_runs(tmp_path: Path):
    (tmp_path / "app" / "lib").mkdir(parents=True)
    (tmp_path / "app" / "lib" / "a.py").write_text("")
    install.compiled(tmp_path / "app", tmp_path)
    (code,) = (tmp_path / "app" / "lib").rglob("a.*.pyc")
    assert b"app/lib/a.py" in code.read_bytes()
    assert str(tmp_path).encode() not in code.read_bytes()
