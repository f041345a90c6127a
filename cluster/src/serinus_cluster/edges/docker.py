"""Docker through the user's own client, so that its contexts and DOCKER_HOST hold here too."""

import json

from serinus_cluster.edges.shell import CommandFailed, attempt, run

# The container's own memory, cgroup v2 or v1; the page cache that the kernel may drop is not counted.
_MEMORY = """
if [ -r /sys/fs/cgroup/memory.current ]; then
  cat /sys/fs/cgroup/memory.current; grep -m1 '^inactive_file' /sys/fs/cgroup/memory.stat
else
  cat /sys/fs/cgroup/memory/memory.usage_in_bytes
  grep -m1 '^total_inactive_file' /sys/fs/cgroup/memory/memory.stat
fi
"""


def answers() -> str | None:
    """Return the daemon's version; None where none answers."""
    try:
        done = attempt(["docker", "version", "--format", "{{.Server.Version}}"], seconds=15)
    except CommandFailed:
        return None
    return done.out.strip() if done.ok else None


def container(name: str) -> dict[str, str] | None:
    """Return state, image id and networks of a container; None where there is none of that name."""
    template = '{"state":{{json .State.Status}},"image":{{json .Config.Image}},"id":{{json .Image}},' + (
        '"networks":"{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}"}'
    )
    done = attempt(["docker", "container", "inspect", "--format", template, name], seconds=20)
    return dict(json.loads(done.out)) if done.ok else None


def running(name: str) -> bool:
    """Whether a container of that name runs."""
    found = container(name)
    return found is not None and found["state"] == "running"


def image_id(reference: str) -> str | None:
    """Return the id of a local image; None where there is none."""
    done = attempt(["docker", "image", "inspect", "--format", "{{.Id}}", reference], seconds=20)
    return done.out.strip() if done.ok else None


def start_registry(name: str, port: int, network: str, image: str, seconds: float) -> None:
    """Start a registry container on loopback and on a network; it comes back with the daemon."""
    where = ("--publish", f"127.0.0.1:{port}:5000", "--network", network)
    run(
        ["docker", "run", "--detach", "--restart", "unless-stopped", "--name", name, *where, image],
        seconds=seconds,
    )


def start(name: str) -> None:
    """Start a container that was stopped."""
    run(["docker", "start", name], seconds=60)


def remove(name: str) -> bool:
    """Remove a container with its volumes; return whether there was one."""
    if container(name) is None:
        return False
    run(["docker", "rm", "--force", "--volumes", name], seconds=60)
    return True


def volumes(name: str) -> list[str]:
    """Return the volumes of a container; none where there is no such container."""
    template = '{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}} {{end}}{{end}}'
    done = attempt(["docker", "container", "inspect", "--format", template, name], seconds=20)
    return done.out.split() if done.ok else []


def volume_exists(name: str) -> bool:
    """Whether there is a volume of that name."""
    return attempt(["docker", "volume", "inspect", name], seconds=20).ok


def ensure_network(name: str) -> None:
    """Make a network if there is none of that name."""
    if not attempt(["docker", "network", "inspect", name], seconds=20).ok:
        run(["docker", "network", "create", name], seconds=30)


def connect(network: str, name: str) -> None:
    """Connect a container to a network."""
    run(["docker", "network", "connect", network, name], seconds=30)


def network_users(network: str) -> list[str] | None:
    """Return the containers of a network, stopped ones too; None where there is no such network."""
    if not attempt(["docker", "network", "inspect", network], seconds=20).ok:
        return None
    listed = ["docker", "ps", "--all", "--filter", f"network={network}", "--format", "{{.Names}}"]
    return run(listed, seconds=20).split()


def remove_network(network: str) -> None:
    """Remove a network that nobody is on."""
    run(["docker", "network", "rm", network], seconds=30)


def write(name: str, path: str, text: str) -> None:
    """Write a small file in a container, its folder too."""
    script = 'mkdir -p "$(dirname "$1")" && cat > "$1"'
    run(["docker", "exec", "--interactive", name, "sh", "-c", script, "sh", path], seconds=20, stdin=text)


def read(name: str, path: str) -> str | None:
    """Return a small file of a container; None where it is not there."""
    done = attempt(["docker", "exec", name, "cat", path], seconds=20)
    return done.out if done.ok else None


def memory(name: str) -> int | None:
    """Return the bytes a container holds, as `docker stats` counts them; None where it does not run."""
    try:
        done = attempt(["docker", "exec", name, "sh", "-c", _MEMORY], seconds=10)
        used, inactive = (int(line.split()[-1]) for line in done.out.splitlines())
    except (CommandFailed, ValueError):
        return None
    return max(used - inactive, 0)
