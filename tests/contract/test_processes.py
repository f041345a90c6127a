"""Children end with us, however we end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from serinus_local.processes import LocalError, Processes

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
# Ignores SIGTERM, and has a child of its own.
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
    "print('up', flush=True); time.sleep(60)",
]
PARENT = """
import sys, time
from pathlib import Path
from serinus_local.processes import Processes
with Processes(Path(sys.argv[1])) as processes:
    child = processes.start("child", [sys.executable, "-c", "import time; time.sleep(60)"])
    print(child.process.pid, flush=True)
    time.sleep(60)
"""


def gone(pid: int, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def up(processes: Processes, child) -> None:
    processes.wait_ready(child, lambda: "up" in child.log.read_text(), 20.0)


def test_leaving_the_block_ends_every_child(tmp_path: Path):
    with Processes(tmp_path) as processes:
        children = [processes.start(name, SLEEPER) for name in ("one", "two")]
        for child in children:
            up(processes, child)
    assert all(gone(child.process.pid) for child in children)


def test_one_that_does_not_listen_is_killed_with_what_it_started(tmp_path: Path):
    with Processes(tmp_path) as processes:
        child = processes.start("stubborn", STUBBORN)
        up(processes, child)
        [grandchild] = psutil.Process(child.process.pid).children()
        assert processes.stop(child, grace=0.2) == -signal.SIGKILL
    assert gone(grandchild.pid)


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_children_end_when_we_are_killed_or_interrupted(tmp_path: Path, sent: signal.Signals):
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert not gone(child, 0.1)
        os.kill(parent.pid, sent)
        parent.wait(20)
    assert gone(child)


def test_a_child_that_ended_by_itself_is_named_with_the_end_of_its_log(tmp_path: Path):
    with Processes(tmp_path) as processes:
        child = processes.start(
            "brief", [sys.executable, "-c", "print('no such table'); raise SystemExit(3)"]
        )
        child.process.wait(20)
        with pytest.raises(LocalError, match=r"(?s)brief ended by itself with code 3.*no such table"):
            processes.check()


def test_waiting_has_a_deadline_and_an_end(tmp_path: Path):
    with Processes(tmp_path) as processes:
        child = processes.start("slow", SLEEPER)
        with pytest.raises(LocalError, match="slow was not ready after 0 s"):
            processes.wait_ready(child, lambda: False, 0.1)
        with pytest.raises(LocalError, match="slow did not end within 0 s"):
            processes.finish(child, 0.1)
        brief = processes.start("brief", [sys.executable, "-c", "raise SystemExit(4)"])
        assert processes.finish(brief, 20.0) == 4
        processes.check()
        gone_early = processes.start("early", [sys.executable, "-c", "print('bad option')"])
        gone_early.process.wait(20)
        with pytest.raises(LocalError, match=r"(?s)early ended while starting.*bad option"):
            processes.wait_ready(gone_early, lambda: False)


def test_environment_is_added_for_one_child_only(tmp_path: Path):
    show = [sys.executable, "-c", "import os; print(os.environ.get('SERINUS_TEST', 'unset'))"]
    with Processes(tmp_path) as processes:
        processes.finish(processes.start("with", show, {"SERINUS_TEST": "set"}), 20.0)
        processes.finish(processes.start("without", show), 20.0)
    assert (tmp_path / "with.log").read_text() == "set\n"
    assert (tmp_path / "without.log").read_text() == "unset\n"
