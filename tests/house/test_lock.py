"""The lock: one, hashed, without hosts."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = (ROOT / "requirements.lock").read_text()


def test_every_pin_has_a_hash_and_no_line_names_a_host():
    blocks = re.split(r"\n(?=\S)", LOCK.strip())
    assert len(blocks) > 100
    for block in blocks:
        assert re.match(r"^[a-z0-9._-]+==\S+", block), block[:80]
        assert "--hash=sha256:" in block, block[:80]
    assert "://" not in LOCK


def test_versions_that_the_design_names_are_locked():
    for pin in (
        "kserve==0.21.0",
        "mlflow==3.17.2",
        "feast==0.67.0",
        "evidently==0.7.23",
        "scikit-learn==1.9.1",
    ):
        assert re.search(rf"^{re.escape(pin)}\b", LOCK, re.M), pin


def test_minimum_versions_with_known_holes_closed():
    def version(name: str) -> tuple[int, ...]:
        found = re.search(rf"^{name}==([0-9.]+)", LOCK, re.M)
        assert found, name
        return tuple(int(part) for part in found[1].split("."))

    assert version("mlflow") >= (3, 16, 1)  # default password, CVE-2026-2635
    assert version("starlette") >= (1, 3, 1)  # CVE-2025-62727, CVE-2026-48710, CVE-2026-54283
