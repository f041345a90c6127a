"""Story: a newcomer types what the tutorial says, in its order, and sees what it shows."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.cluster import Cluster, NotYet, until
from tests.support.cluster_models import ISVC, MODELS

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

ROOT = Path(__file__).resolve().parents[3]
TUTORIAL = ROOT / "docs/tutorial.md"
# What the script around it does, and not this test.
OF_CI = {"make up", "make down"}
LONGEST_SECONDS = 1500
JOBS = ("first-data", "first-training", "second-fit", "second-evaluate", "second-register", "second-promote")
BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.M | re.S)
# Without a dash at its beginning, which printf would take for an option.
MARK = "=== block "


@dataclass
class Block:
    """Commands, and what the page shows below them."""

    commands: str
    shown: list[str]


def blocks(text: str) -> list[Block]:
    """Return the page's commands with what stands below each."""
    found: list[Block] = []
    for language, content in BLOCK.findall(text):
        if language == "sh":
            found.append(Block(content, []))
        else:
            found[-1].shown += content.splitlines()
    return found


def shows(said: str, shown: list[str]) -> list[str]:
    """Return the lines of the page that were not said, in its order; `…` stands for anything."""
    lines = iter(" ".join(line.split()) for line in said.splitlines())
    patterns = [re.escape(" ".join(line.split())).replace("…", ".*") for line in shown]
    return [
        line
        for line, pattern in zip(shown, patterns, strict=True)
        if not any(re.fullmatch(pattern, each) for each in lines)
    ]


def clear(cluster: Cluster) -> None:
    """Take away what the tutorial makes."""
    cluster.delete(*ISVC, "churn", MODELS)
    for name in JOBS:
        cluster.delete("batch/v1", "Job", name, MODELS)

    def look() -> None:
        left = list(cluster.find("v1", "Pod", MODELS, "serving.kserve.io/inferenceservice=churn"))
        left += [each for name in JOBS if (each := cluster.get("batch/v1", "Job", name, MODELS))]
        if left:
            raise NotYet(", ".join(each["metadata"]["name"] for each in left))

    until("what an earlier run left is gone", look, 120)


@pytest.fixture
def newcomer(cluster: Cluster, tmp_path: Path) -> Iterator[Path]:
    """A clone that may be edited, a kubeconfig of one's own, and a cluster without the tutorial's things."""
    clear(cluster)
    for folder in ("manifests", "feature_repo"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / ".serinus").symlink_to(ROOT / ".serinus")
    own = subprocess.run(
        ["kubectl", "config", "view", "--raw", "--minify", "--context", "kind-serinus"],
        check=True,
        capture_output=True,
        timeout=30,
    )
    (tmp_path / "kubeconfig").write_bytes(own.stdout)
    yield tmp_path
    clear(cluster)


def test_the_tutorial_is_true(newcomer: Path):
    # Given the page
    page = blocks(TUTORIAL.read_text())
    ci = (ROOT / ".ci/run").read_text()
    # When every command of it is run in one shell, but those that make the cluster and take it away
    # A trap and not -e, which would end the loops in the background too.
    script = ["set -uo pipefail", "trap 'exit 1' ERR"]
    for number, block in enumerate(page):
        lines = [line for line in block.commands.splitlines() if line not in OF_CI]
        for line in set(block.commands.splitlines()) & OF_CI:
            assert f"\n{line}\n" in ci, f"{line} is left to CI, which does not run it"
        script += [f"printf '\\n{MARK}{number}\\n'", *lines]
    (newcomer / "said").touch()
    environment = {**os.environ, "KUBECONFIG": str(newcomer / "kubeconfig"), "NO_PROXY": "*"}
    with (newcomer / "said").open("w") as said:
        process = subprocess.Popen(
            ["bash", "-c", "\n".join(script)],
            cwd=newcomer, env=environment, stdout=said, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            code = process.wait(LONGEST_SECONDS)
        finally:
            # The forwarded port is a child of its own.
            if process.poll() is None:
                os.killpg(process.pid, 15)
    text = (newcomer / "said").read_text()
    assert code == 0, f"a command failed with {code}:\n{text[-4000:]}"
    # Then each says what the page shows
    parts = re.split(rf"^{MARK}\d+$", text, flags=re.M)[1:]
    assert len(parts) == len(page)
    for block, part in zip(page, parts, strict=True):
        assert not (missing := shows(part, block.shown)), (
            f"not said: {missing}\nafter:\n{block.commands}\nsaid:\n{part}"
        )
