"""What a person can mend is answered with a line, not with a traceback."""

import pytest

from serinus_airgap import cli


def answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, str]:
    monkeypatch.setattr("sys.argv", ["serinus-airgap", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out + printed.err


def test_an_unknown_image_is_answered_with_the_known_ones(monkeypatch, capsys):
    code, words = answer(monkeypatch, capsys, "list", "kube-apiservr")
    assert code == 1
    assert words.startswith("error: no image is called 'kube-apiservr'; the images are ")
    assert "kube-apiserver, " in words


def test_a_missing_daemon_is_answered_with_the_cure(monkeypatch, capsys):
    # A socket that is no file: no connection is tried.
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    code, words = answer(monkeypatch, capsys, "list", "pause")
    assert code == 1
    assert words.splitlines()[-1] == "  airgap/docker/setup.sh gives this machine a Docker daemon"


def test_the_verbs_are_listed(monkeypatch, capsys):
    code, words = answer(monkeypatch, capsys, "--help")
    assert code == 0
    assert all(verb in words for verb in ("build", "list", "sizes"))
