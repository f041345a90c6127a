"""What the image installs: the lock's own lines for what pip resolved, hashes included."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
# A script of the image's build, in no package.
_spec = importlib.util.spec_from_file_location("install_locked", ROOT / "model-server/install_locked.py")
assert _spec
assert _spec.loader
install_locked = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(install_locked)

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
    assert install_locked.versions(LOCK).splitlines() == [
        "anyio==4.12.0",
        "typing-extensions==4.15.0 ; python_full_version < '3.13'",
        "uvloop==0.22.1",
    ]


def test_no_hash_is_left_in_the_constraints_of_the_real_lock():
    lock = (ROOT / "requirements.lock").read_text()
    lines = install_locked.versions(lock).splitlines()
    assert not [line for line in lines if "hash" in line or line.endswith("\\") or "==" not in line]
    assert len(lines) > 100


def test_the_chosen_blocks_keep_their_markers_and_hashes():
    assert install_locked.select(LOCK, {"typing-extensions", "uvloop"}) == LOCK[LOCK.index("typing") :]


def test_what_the_lock_does_not_hold_is_refused():
    with pytest.raises(ValueError, match="not in the lock: leftpad; run make lock"):
        install_locked.select(LOCK, {"uvloop", "leftpad"})


def test_names_of_a_report_are_normalised():
    report = {"install": [{"metadata": {"name": "Typing_Extensions"}}, {"metadata": {"name": "uvloop"}}]}
    assert install_locked.names_in(json.dumps(report)) == {"typing-extensions", "uvloop"}


def test_a_project_stands_for_its_dependencies_without_our_rooms(tmp_path: Path):
    project = tmp_path / "pyproject.toml"
    project.write_text('[project]\ndependencies = ["serinus-contracts", "numpy==2.4.6", "uvloop"]\n')
    given = [str(project), "hatchling"]
    assert install_locked.requirements(given) == ["numpy==2.4.6", "uvloop", "hatchling"]
