"""The whole loop as a user runs it, and Ctrl-C in the middle of it. Minutes."""

import html
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMAND = Path(sys.executable).with_name("serinus-local")

pytestmark = [pytest.mark.demo, pytest.mark.timeout(600)]


def test_the_demo_ends_with_everything_that_had_to_happen(tmp_path: Path):
    work = tmp_path / "demo"
    done = subprocess.run(
        [COMMAND, "demo", "--work", work, "--seed", "11"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=480,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    run = json.loads((work / "timeline.json").read_text())
    assert [track["outcome"] for track in run["rollouts"]] == ["promoted", "rolled back", "promoted"]
    assert len(run["expected"]) >= 14
    assert all(each["met"] for each in run["expected"]), run["expected"]
    assert sum(second["lost"] for second in run["traffic"]) == 0
    assert run["drift"]["verdict"] == "drifted"
    page = (work / "report.html").read_text()
    # One file that needs no other: no script, nothing loaded from anywhere.
    assert not re.search(r"<script|<link|<img|@import|url\(|src=", page)
    assert page.count("<svg") >= 10
    shown = html.unescape(page)
    for each in run["expected"]:
        assert f"<td>{each['what']}</td>" in shown
    assert (work / run["drift_page"]).stat().st_size > 10_000


def test_ctrl_c_in_the_middle_leaves_nothing_running(tmp_path: Path):
    work = tmp_path / "demo"
    with (tmp_path / "output").open("w+") as output:
        process = subprocess.Popen([COMMAND, "demo", "--work", work], cwd=ROOT, stdout=output, stderr=output)
        try:
            deadline = time.monotonic() + 300
            while "version 1 serves" not in (tmp_path / "output").read_text():
                assert process.poll() is None, (tmp_path / "output").read_text()
                assert time.monotonic() < deadline, "the demo did not come to serve within 300 s"
                time.sleep(0.2)
            children = psutil.Process(process.pid).children(recursive=True)
            names = " ".join(" ".join(child.cmdline()) for child in children)
            assert all(part in names for part in ("mlflow", "serinus_server", "envoy", "serinus_local.load"))
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
        finally:
            process.kill()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []
    assert "everything that was started has been ended" in (tmp_path / "output").read_text()


def test_a_folder_that_is_not_the_demos_is_not_wiped(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("ten years of work")
    done = subprocess.run(
        [COMMAND, "demo", "--work", tmp_path], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    assert "no demo made it" in done.stderr
    assert (tmp_path / "thesis.txt").read_text() == "ten years of work"


def test_outside_the_repository_it_says_where_to_run_it(tmp_path: Path):
    done = subprocess.run([COMMAND, "demo"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "run it from the root of the repository" in done.stderr
