"""What doctor says of a machine: a table of machines and findings."""

from dataclasses import replace
from pathlib import Path

import pytest

from serinus_airgap import versions
from serinus_cluster.doctor import GIB, Daemon, Finding, Level, Machine, examine, ready
from serinus_cluster.situation import Situation
from serinus_cluster.tools import Found

PINS = versions.load()
TOOLS = {name: Found(Path(f"/bin/{name}"), "v9.9.9") for name in ("kind", "kubectl", "helm")}
DAEMON = Daemon("28.0.0", 4, 16 * GIB, "2", True, 100 * GIB)
GOOD = Machine("28.0.0", DAEMON, TOOLS, "1.99.0", {"apt-get": True, "debootstrap": True}, True, 512, 524288)


def levels(machine: Machine, situation: Situation) -> dict[str, Level]:
    findings = examine(machine, situation, PINS)
    return {each.subject: each.level for each in findings if each.level is not Level.OK}


def found(machine: Machine, situation: Situation, subject: str) -> Finding:
    return next(each for each in examine(machine, situation, PINS) if each.subject == subject)


@pytest.mark.parametrize("situation", Situation)
def test_a_machine_that_has_all_is_ready(situation: Situation):
    assert levels(GOOD, situation) == {}
    assert ready(examine(GOOD, situation, PINS))


@pytest.mark.parametrize(
    ("changes", "online", "airgap"),
    [
        # Where tools and Docker can be built or installed, their absence is a note.
        ({"tools": TOOLS | {"kind": None}}, {"kind": Level.MISSING}, {"kind": Level.ADVICE}),
        (
            {"tools": TOOLS | {"helm": Found(Path("/bin/helm"), "v2.0.0")}},
            {"helm": Level.MISSING},
            {"helm": Level.ADVICE},
        ),
        ({"daemon": None}, {"docker": Level.MISSING}, {"docker": Level.ADVICE}),
        ({"daemon": None, "root": False}, {"docker": Level.MISSING}, {"docker": Level.MISSING}),
        (
            {"daemon": replace(DAEMON, privileged=False)},
            {"privileged": Level.MISSING},
            {"privileged": Level.ADVICE},
        ),
        ({"daemon": replace(DAEMON, privileged=None)}, {}, {}),
        # Cores are needed; memory and disk may be enough after all.
        ({"daemon": replace(DAEMON, cpus=1)}, {"cpu": Level.MISSING}, {"cpu": Level.MISSING}),
        ({"daemon": replace(DAEMON, memory=4 * GIB)}, {"memory": Level.ADVICE}, {"memory": Level.ADVICE}),
        ({"daemon": replace(DAEMON, disk_free=20 * GIB)}, {}, {"disk": Level.ADVICE}),
        ({"daemon": replace(DAEMON, disk_free=None)}, {}, {}),
        # Only what is built needs builders.
        ({"go": None}, {}, {"go": Level.ADVICE}),
        ({"go": "1.20.1"}, {}, {"go": Level.ADVICE}),
        ({"programs": {"apt-get": True, "debootstrap": False}}, {}, {"debootstrap": Level.ADVICE}),
        ({"inotify_instances": 64}, {"inotify instances": Level.ADVICE}, {"inotify instances": Level.ADVICE}),
        ({"inotify_instances": None, "inotify_watches": None}, {}, {}),
    ],
)
def test_what_is_missing_depends_on_the_situation(changes, online, airgap):
    machine = replace(GOOD, **changes)
    assert levels(machine, Situation.ONLINE) == online
    assert levels(machine, Situation.AIRGAP) == airgap


def test_whatever_is_not_well_has_a_cure():
    bare = Machine(
        None, None, dict.fromkeys(TOOLS), None, {"apt-get": False, "debootstrap": False}, False, 1, 1
    )
    for situation in Situation:
        findings = examine(bare, situation, PINS)
        assert not ready(findings)
        assert all(each.cure for each in findings if each.level is not Level.OK)


def test_the_cure_names_the_version_and_the_command():
    machine = replace(GOOD, tools=dict.fromkeys(TOOLS), inotify_watches=10)
    assert (
        found(machine, Situation.AIRGAP, "kind").cure
        == f"`make up` builds {PINS['KIND']} into .serinus/tools"
    )
    assert found(machine, Situation.ONLINE, "kubectl").cure.startswith(
        f"install {PINS['KUBERNETES']}: https://"
    )
    assert (
        found(machine, Situation.ONLINE, "inotify watches").cure
        == "sysctl fs.inotify.max_user_watches=524288"
    )
