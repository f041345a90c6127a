"""setup.sh and undo.sh on machines of their own: Debian containers that lack CAP_SYS_RESOURCE."""

import subprocess
import time
from collections.abc import Iterator

import pytest

from serinus_airgap.versions import ROOT, load

pytestmark = pytest.mark.cluster
SCRIPTS = ROOT / "airgap" / "docker"
THEIRS = '{"log-level": "warn"}'


class Machine:
    """A Debian machine inside a container."""

    def __init__(self, container: str) -> None:
        """Take a running container."""
        self._container = container

    def run(self, script: str, seconds: int = 120) -> str:
        """Run a script as root without the capability and return what it printed; fail with its words."""
        words = ["docker", "exec", "--privileged", self._container]
        words += ["setpriv", "--bounding-set", "-sys_resource", "bash", "-c", script]
        done = subprocess.run(words, capture_output=True, text=True, timeout=seconds, check=False)
        assert done.returncode == 0, f"{script}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def setup(self) -> str:
        """Run setup.sh."""
        return self.run("/docker/setup.sh", 240)

    def undo(self) -> str:
        """Run undo.sh."""
        return self.run("/docker/undo.sh")

    def default_runtime(self) -> str:
        """Return the runtime that the machine's daemon uses."""
        return self.run("docker info --format '{{.DefaultRuntime}}'").strip()

    def start_a_daemon(self) -> None:
        """Install docker.io and start it with settings, as an administrator may have done."""
        self.run("apt-get update -qq && apt-get install -y -qq --no-install-recommends docker.io 2>&1", 240)
        self.run(f"mkdir -p /etc/docker && echo '{THEIRS}' >/etc/docker/daemon.json")
        self.run("setsid dockerd >/var/log/dockerd.log 2>&1 </dev/null & ")
        deadline = time.monotonic() + 30
        while "up" not in self.run("docker version >/dev/null 2>&1 && echo up || true"):
            assert time.monotonic() < deadline, f"dockerd: {self.run('tail /var/log/dockerd.log')}"
            time.sleep(0.5)


@pytest.fixture
def machine() -> Iterator[Machine]:
    words = ["docker", "run", "--detach", "--rm", "--init", "--privileged", "--volume", "/var/lib/docker"]
    words += ["--volume", f"{SCRIPTS}:/docker:ro", load()["PYTHON_IMAGE"], "sleep", "900"]
    started = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
    container = started.stdout.strip()
    yield Machine(container)
    subprocess.run(
        ["docker", "rm", "--force", "--volumes", container], capture_output=True, timeout=60, check=True
    )


def test_a_machine_without_docker_gets_one_and_loses_it_again(machine: Machine):
    # Given no Docker, when setup runs, then the doors that kind uses are open
    machine.run("! command -v dockerd")
    said = machine.setup()
    assert "installing Debian's docker.io" in said
    assert "--privileged works now" in said
    assert machine.default_runtime() == "granted"

    # When it runs again, then nothing changes
    marks = "cat /run/serinus-dockerd.pid; stat -c %Y /etc/docker/daemon.json /var/lib/serinus-docker/*"
    before = machine.run(marks)
    assert "installing" not in machine.setup()
    assert machine.run(marks) == before

    # When it is undone, then nothing of it is left but the daemon's data
    machine.undo()
    machine.run("! command -v dockerd && ! pidof dockerd containerd")
    machine.run("ls -d /var/lib/docker/image")
    machine.run(
        "! ls -d /etc/docker /var/lib/serinus-docker /run/serinus-dockerd.pid /usr/local/libexec/serinus"
    )
    assert "nothing to undo" in machine.undo()


def test_a_daemon_that_is_there_keeps_its_settings(machine: Machine):
    # Given a daemon that cannot run --privileged
    machine.start_a_daemon()
    daemon = machine.run("pidof dockerd")

    # When setup runs, then it registers the runtime and leaves the rest alone
    said = machine.setup()
    assert "installing" not in said
    assert "--privileged works now" in said
    assert '"log-level": "warn"' in machine.run("cat /etc/docker/daemon.json")

    # When it is undone, then the same daemon runs as before
    machine.undo()
    assert machine.run("cat /etc/docker/daemon.json").strip() == THEIRS
    assert machine.default_runtime() == "runc"
    assert machine.run("pidof dockerd") == daemon
