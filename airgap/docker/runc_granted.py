"""An OCI runtime that asks the kernel only for capabilities this host can grant, then becomes runc.

`docker run --privileged` and `docker exec --privileged` ask for every capability that Docker knows. Where the
host itself lacks one (some virtual machines drop CAP_SYS_RESOURCE), runc stops with "unable to apply caps".
This file stands between Docker and runc: it removes what cannot be granted from the container's config.json
(create, run, restore) and from the process file (exec), then becomes runc with the same arguments.

Registered by setup.sh beside it; runs with the system's Python and the standard library alone.
"""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

# Names in the order of their bit numbers (linux/capability.h).
CAPABILITIES = """
CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT
SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE
AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ
PERFMON BPF CHECKPOINT_RESTORE
""".split()  # noqa: SIM905 - as a list it would take 41 lines


def granted(bounding_set: str) -> set[str]:
    """Return the capabilities of a bounding set in the hexadecimal form of /proc/self/status.

    A bit that has no name here is left out: Docker may name it, but then nobody knows that it is granted.
    """
    bits = int(bounding_set, 16)
    return {f"CAP_{name}" for bit, name in enumerate(CAPABILITIES) if bits >> bit & 1}


def reduced(process: dict[str, Any], allowed: set[str]) -> dict[str, Any]:
    """Return an OCI process description whose capability sets hold only allowed names."""
    sets = process.get("capabilities")
    if not sets:
        return process
    kept = {name: [cap for cap in caps or [] if cap in allowed] for name, caps in sets.items()}
    return {**process, "capabilities": kept}


def target(arguments: list[str], cwd: Path) -> tuple[Path, bool] | None:
    """Return the file that describes the process, and whether it is a whole config.json.

    Other commands (state, kill, delete) describe no process: None.
    """
    for position, word in enumerate(arguments):
        if word in ("create", "run", "restore"):
            return Path(_option(arguments[position:], "--bundle", "-b") or cwd) / "config.json", True
        if word == "exec":
            process = _option(arguments[position:], "--process", "-p")
            return (Path(process), False) if process else None
    return None


def _option(arguments: list[str], *names: str) -> str | None:
    for position, word in enumerate(arguments):
        name, equals, value = word.partition("=")
        if name in names:
            return value if equals else arguments[position + 1]
    return None


def _bounding_set() -> str:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("CapBnd:"))


def main(arguments: list[str]) -> None:
    """Reduce what the command asks for, then become runc."""
    if found := target(arguments, Path.cwd()):
        path, whole = found
        description = json.loads(path.read_text())
        allowed = granted(_bounding_set())
        if whole:
            description["process"] = reduced(description.get("process") or {}, allowed)
        else:
            description = reduced(description, allowed)
        path.write_text(json.dumps(description))
    runc = shutil.which("runc") or sys.exit("runc_granted: no runc on PATH; install Debian's runc")
    os.execv(runc, ["runc", *arguments])  # noqa: S606 - to become runc is the purpose


if __name__ == "__main__":
    main(sys.argv[1:])
