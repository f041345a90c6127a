"""The facts about this machine that `doctor` judges. Nothing is changed, but for one trial container."""

import json
import os
import platform
import re
import shutil
from pathlib import Path

from serinus_cluster.doctor import Daemon, Machine
from serinus_cluster.edges import docker
from serinus_cluster.edges.shell import CommandFailed, attempt
from serinus_cluster.edges.tools import find
from serinus_cluster.plan import NODE
from serinus_cluster.tools import PINS

# Linux's number of CAP_SYS_RESOURCE, the one capability that hosts of containers are known to withhold.
CAP_SYS_RESOURCE = 24


def machine() -> Machine:
    """Gather every fact; what cannot be asked is None."""
    return Machine(
        docker_client=_version(["docker", "--version"], r"version (\S+?),"),
        daemon=_daemon(),
        tools={name: find(name) for name in PINS},
        go=_version(["go", "version"], r"go(\d+\.\d+(?:\.\d+)?)"),
        programs={name: shutil.which(name) is not None for name in ("apt-get", "debootstrap")},
        root=os.geteuid() == 0,
        inotify_instances=_number("max_user_instances"),
        inotify_watches=_number("max_user_watches"),
    )


def _daemon() -> Daemon | None:
    if docker.answers() is None:
        return None
    done = attempt(["docker", "info", "--format", "{{json .}}"], seconds=20)
    info = json.loads(done.out)
    folder = Path(info["DockerRootDir"])
    return Daemon(
        version=info["ServerVersion"],
        cpus=info["NCPU"],
        memory=info["MemTotal"],
        cgroup=str(info.get("CgroupVersion") or "1"),
        privileged=_privileged(info),
        disk_free=shutil.disk_usage(folder).free if folder.is_dir() else None,
    )


def _privileged(info: dict[str, object]) -> bool | None:
    """Whether privileged containers can start: known where a node runs, or from this process's own bounds."""
    if docker.running(NODE) or info.get("DefaultRuntime") not in ("runc", "io.containerd.runc.v2"):
        return True
    here = info.get("Name") == platform.node()
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    bounds = re.search(r"^CapBnd:\s*([0-9a-f]+)$", status, re.M)
    if not here or bounds is None:
        return None
    return bool(int(bounds[1], 16) >> CAP_SYS_RESOURCE & 1)


def _version(command: list[str], pattern: str) -> str | None:
    try:
        done = attempt(command, seconds=15)
    except CommandFailed:
        return None
    found = re.search(pattern, done.out)
    return found[1] if found else None


def _number(name: str) -> int | None:
    try:
        return int(Path(f"/proc/sys/fs/inotify/{name}").read_text())
    except (OSError, ValueError):
        return None
