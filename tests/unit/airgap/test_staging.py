"""What a build gets to see: the right files, with times that follow from their contents."""

from collections.abc import Callable
from pathlib import Path

import pytest

from serinus_airgap import staging
from serinus_airgap.description import Image, Recipe
from serinus_airgap.running import BuildError

Make = Callable[[Recipe], Path]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Stage an image whose folder holds a Dockerfile and sub/run.sh, with one tool."""
    for name, value in (("ROOT", tmp_path / "repository"), ("CONTEXTS", tmp_path / "contexts")):
        monkeypatch.setattr(staging, name, value)
    folder, shared = tmp_path / "image", tmp_path / "repository" / "room" / "src"
    for place in (folder / "sub", shared / "__pycache__"):
        place.mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM scratch\n")
    (folder / "sub" / "run.sh").write_text("echo\n")
    (folder / "sub" / "run.sh").chmod(0o755)
    (shared / "a.py").write_text("1\n")
    (shared / "__pycache__" / "a.pyc").write_text("1\n")
    (tmp_path / "repository" / "lock.txt").write_text("1\n")
    tool = tmp_path / "kubelet"
    tool.write_text("binary")
    return lambda recipe: staging.stage(Image("a", folder, recipe, "", {}), [tool], tmp_path / "log")


def names(context: Path) -> list[str]:
    return sorted(path.relative_to(context).as_posix() for path in context.rglob("*") if path.is_file())


def test_a_context_holds_the_folder_the_tools_and_the_named_files_without_caches(make: Make):
    context = make(Recipe(image="a", files=["room/src", "lock.txt"]))
    assert names(context) == ["Dockerfile", "bin/kubelet", "lock.txt", "room/src/a.py", "sub/run.sh"]
    assert (context / "sub" / "run.sh").stat().st_mode & 0o100


def test_nothing_of_an_earlier_build_is_left(make: Make):
    context = make(Recipe(image="a"))
    (context / "old").write_text("")
    assert "old" not in names(make(Recipe(image="a")))


def test_prepare_runs_in_the_context_and_its_failure_is_told(make: Make):
    context = make(Recipe(image="a", prepare=["sh", "-c", "cat Dockerfile > made.txt"]))
    assert (context / "made.txt").read_text() == "FROM scratch\n"
    with pytest.raises(BuildError, match=r"(?s)preparing a failed \(exit 3\).*oh"):
        make(Recipe(image="a", prepare=["sh", "-c", "echo oh; exit 3"]))


def test_times_follow_from_contents(make: Make):
    # Docker looks at size and time alone: a change of equal length needs another time, or goes unseen.
    first = (make(Recipe(image="a")) / "sub" / "run.sh").stat()
    again = (make(Recipe(image="a")) / "sub" / "run.sh").stat()
    assert first.st_mtime_ns == again.st_mtime_ns
    assert staging.time_of(b"v0.0.30") != staging.time_of(b"v0.0.31")
    assert 0 < staging.time_of(b"") < 2**31
