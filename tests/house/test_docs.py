"""The documents: links resolve, commands exist, and what the README tells people to run is run in CI."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from dotenv import dotenv_values

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "*/README.md", "charts/*/README.md", "manifests/*/**/README.md")
    for path in ROOT.glob(pattern)
    if ".venv" not in path.parts
)
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z0-9-]+):", MAKEFILE, re.M))
# Where each command of the README is executed by CI. A command that stands in no such place is not promised.
RUN_BY = {
    "make demo": ".ci/run",
    "make test": ".ci/run",
    "make up": ".ci/run",
    "make doctor": ".ci/run",
    "make test-cluster": ".ci/run",
    "make down": ".ci/run",
    "make help": "tests/house/test_docs.py",
}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def commands(text: str) -> list[str]:
    """Return the command lines of the sh blocks of a Markdown text."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.S)
    lines = [line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [line.split("  #")[0].strip() for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_relative_links_resolve(path: Path):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text()):
        if "://" not in target and not target.startswith("mailto:"):
            assert (path.parent / target).exists(), f"{relative(path)} links to {target}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_commands_exist(path: Path):
    scripts = {
        name
        for room in ("jobs", "model-server", "operator", "local", "airgap", "cluster")
        for name in tomllib.loads((ROOT / room / "pyproject.toml").read_text())["project"].get("scripts", {})
    }
    for command in commands(path.read_text()):
        words = [word for word in command.split() if not re.match(r"^[A-Z_]+=", word)] or [""]
        if words[0] == "make":
            assert set(words[1:]) <= TARGETS, command
        elif words[0].startswith((".venv/bin/serinus", "serinus-")):
            assert words[0].removeprefix(".venv/bin/") in scripts, command


def test_every_command_of_the_readme_is_run_by_ci():
    for command in commands((ROOT / "README.md").read_text()):
        assert command in RUN_BY, f"{command!r} is promised by the README but run nowhere"
        assert command in (ROOT / RUN_BY[command]).read_text(), command


def test_make_help_lists_every_target_and_every_target_is_phony():
    done = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert {line.split()[0] for line in done.stdout.splitlines()} == TARGETS
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.M)
    assert phony
    assert set(phony[1].split()) == TARGETS
    assert len(TARGETS) <= 17


def test_every_room_is_on_the_map_and_in_the_readme():
    rooms = (
        "contracts",
        "feature_repo",
        "jobs",
        "model-server",
        "operator",
        "charts",
        "local",
        "cluster",
        "airgap",
        "manifests/models",
    )
    for document in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / document).read_text()
        for room in rooms:
            assert f"`{room}/" in text, f"{room} is missing in {document}"


def test_versions_that_the_readme_names_are_the_pinned_ones():
    pins = dotenv_values(ROOT / "versions.env")
    text = (ROOT / "README.md").read_text()
    for name, key in (("KServe", "KSERVE"), ("kind", "KIND"), ("Kubernetes", "KUBERNETES")):
        named = re.findall(rf"\b{name} (\d+\.\d+)\b", text)
        assert named, f"the README does not say which {name} was run"
        assert set(named) == {(pins[key] or "").removeprefix("v").rpartition(".")[0]}, name


def test_the_metrics_page_names_every_metric_of_the_contract():
    from serinus_contracts import metrics

    names = {value for key, value in vars(metrics).items() if key.isupper() and isinstance(value, str)}
    page = (ROOT / "docs/reference/metrics.md").read_text()
    assert set(re.findall(r"^\| `([a-z_]+)` \|", page, re.M)) == names
