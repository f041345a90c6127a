"""`serinus-operator` as somebody meets it who only wanted to know what it is."""

import sys
from pathlib import Path

import pytest

from serinus_operator.main import main


@pytest.mark.parametrize(("word", "code"), [("--help", 0), ("--gateway=a/b", 2)])
def test_it_takes_no_arguments_and_names_its_settings(monkeypatch, capsys, word: str, code: int):
    monkeypatch.setattr(sys, "argv", ["serinus-operator", word])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == code
    assert "SERINUS_GATEWAY" in said.out if code == 0 else "--gateway=a/b" in said.err


def test_without_a_cluster_it_says_so_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(sys, "argv", ["serinus-operator"])
    # The client reads KUBECONFIG when it is imported.
    monkeypatch.setattr(
        "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "kubeconfig")
    )
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(SystemExit) as ended:
        main()
    assert str(ended.value.code).startswith(
        "serinus-operator: neither in a pod of a cluster nor with a kubeconfig: "
    )
