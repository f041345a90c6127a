"""What the runtime wrapper takes away from a container, and from which file."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from serinus_airgap.versions import ROOT

SCRIPT = ROOT / "airgap" / "docker" / "runc_granted.py"
ALL_BUT_SYS_RESOURCE = "000001fffeffffff"


def load() -> Any:
    """Return the script as a module: it is installed as a program, in no package."""
    spec = importlib.util.spec_from_file_location("runc_granted", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


wrapper = load()


@pytest.mark.parametrize(
    ("bounding_set", "has", "lacks"),
    [
        (
            ALL_BUT_SYS_RESOURCE,
            {"CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_CHECKPOINT_RESTORE"},
            {"CAP_SYS_RESOURCE"},
        ),
        ("0000000000000001", {"CAP_CHOWN"}, {"CAP_DAC_OVERRIDE"}),
        ("0000000000000000", set(), {"CAP_CHOWN"}),
        # A bit that a newer kernel adds has no name yet.
        ("000003ffffffffff", {"CAP_SYS_RESOURCE"}, set()),
    ],
)
def test_a_bounding_set_is_read(bounding_set: str, has: set[str], lacks: set[str]):
    granted = wrapper.granted(bounding_set)
    assert has <= granted
    assert not lacks & granted


def test_only_what_is_not_granted_is_removed():
    asked = ["CAP_CHOWN", "CAP_SYS_RESOURCE", "CAP_KILL"]
    process = {"args": ["sh"], "capabilities": {"bounding": asked, "effective": asked, "ambient": None}}
    reduced = wrapper.reduced(process, {"CAP_CHOWN", "CAP_KILL"})
    assert reduced["args"] == ["sh"]
    assert reduced["capabilities"] == {
        "bounding": ["CAP_CHOWN", "CAP_KILL"],
        "effective": ["CAP_CHOWN", "CAP_KILL"],
        "ambient": [],
    }


@pytest.mark.parametrize("process", [{}, {"args": ["sh"]}, {"capabilities": None}])
def test_a_process_without_capabilities_stays_as_it_is(process: dict[str, Any]):
    assert wrapper.reduced(process, set()) == process


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--root /r --log l create --bundle /b --pid-file p id", ("/b/config.json", True)),
        ("--root /r create --bundle=/b id", ("/b/config.json", True)),
        ("create -b /b id", ("/b/config.json", True)),
        ("run id", ("/here/config.json", True)),
        ("restore --bundle /b id", ("/b/config.json", True)),
        ("--root /r exec --process /p.json --detach id", ("/p.json", False)),
        ("exec id sh", None),
        ("--root /r kill id 9", None),
        ("state id", None),
        ("", None),
    ],
)
def test_the_file_is_found(arguments: str, expected: tuple[str, bool] | None):
    found = wrapper.target(arguments.split(), Path("/here"))
    assert (found and (str(found[0]), found[1])) == expected


def test_the_file_is_reduced_before_runc_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    process = {"capabilities": {"bounding": ["CAP_CHOWN", "CAP_NEVER_HEARD_OF"]}}
    (tmp_path / "config.json").write_text(json.dumps({"ociVersion": "1.0.2", "process": process}))
    became: list[list[str]] = []
    monkeypatch.setattr(wrapper.shutil, "which", lambda _: "/usr/sbin/runc")
    monkeypatch.setattr(wrapper.os, "execv", lambda program, words: became.append([program, *words]))
    wrapper.main(["create", "--bundle", str(tmp_path), "id"])
    written = json.loads((tmp_path / "config.json").read_text())
    assert "CAP_NEVER_HEARD_OF" not in written["process"]["capabilities"]["bounding"]
    assert written["ociVersion"] == "1.0.2"
    assert became == [["/usr/sbin/runc", "runc", "create", "--bundle", str(tmp_path), "id"]]
