"""The control loop with everything real: registry, fetch, servers, Envoy, users, the operator's decisions."""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.artifacts import build_artifact

from serinus_contracts import registry_tags
from serinus_contracts.artifact import ModelContract
from serinus_contracts.expectation import ScoreExpectation
from serinus_jobs.registry import Registry as JobsRegistry
from serinus_jobs.settings import Settings
from serinus_local.accounts import replayed
from serinus_local.fleet import Fleet
from serinus_local.load import Outcome, Request, read_outcomes, write_traffic
from serinus_local.processes import LocalError, Processes
from serinus_local.rollout import Candidate, ControlLoop
from serinus_operator.adapters.registry import Registry
from serinus_operator.rollout.policy import parse_policy

MODEL = "rollout-test"
POLICY = parse_policy(
    "steps: [20, 50]\ninterval_seconds: 0.3\nminimum_seconds: 0.6\nminimum_requests: 20\ndrain_seconds: 0.5\n"
    "deadline_seconds: 30\non_inconclusive: rollback\nprediction_tolerance: 2\n"
    "signals: {errors: 0.4, slow: 0.1, invalid: 0.1, predictions: 0.4}\nceilings: {errors: 0.2}\n"
)
ROW = {"age": 90, "tenure_months": 120, "monthly_charges": 100.0, "plan": "premium", "paperless": True}
BODY = json.dumps({"instances": [ROW]}).encode()
REQUEST = Request(f"/v1/models/{MODEL}:predict", BODY, "1")


class House:
    """Three registered versions: a first, an equally good second, and one with its classes inverted."""

    def __init__(self, folder: Path, mlflow_url: str, processes: Processes) -> None:
        self.folder, self.url, self.processes = folder, mlflow_url, processes
        self.settings = Settings(folder / "data", folder, mlflow_url)
        self.contracts = [
            self.register("first", trees=10),
            self.register("second", trees=11),
            self.register("inverted", trees=10, classes=("yes", "no")),
        ]
        self.registry = Registry(mlflow_url)
        self.registry.move_alias(MODEL, registry_tags.CHAMPION, "1")
        self.fleet = Fleet(
            folder / "serving",
            processes,
            {"MLFLOW_TRACKING_URI": mlflow_url, "SERINUS_DRAIN_SECONDS": "0.1"},
            REQUEST,
            0.25,
        )
        self.records = folder / "decisions.jsonl"
        self.loop = ControlLoop(
            MODEL, POLICY, self.fleet, self.registry, processes, self.records, time.time()
        )
        self.outcomes_file = folder / "outcomes.csv"

    def register(self, name: str, **options: object) -> ModelContract:
        artifact = self.folder / name
        contract = build_artifact(artifact / "model", model=MODEL, **options)  # type: ignore[arg-type]
        jobs = JobsRegistry(self.settings)
        tags = {registry_tags.DIGEST: contract.digest}
        run_id = jobs.log_run(MODEL, name=name, params={}, metrics={}, tags=tags, folder=artifact)
        jobs.create_version(MODEL, run_id, tags, name)
        return contract

    def candidate(self, number: int) -> Candidate:
        stable, canary = self.fleet.stable.revision, self.contracts[number - 1].revision
        shares = {"no": 0.02, "yes": 0.98}
        expectation = ScoreExpectation(stable, canary, 1000, shares, shares)
        return Candidate(str(number), canary, expectation, f"version {number}", "A story.")

    def outcomes(self) -> list[Outcome]:
        return list(read_outcomes(self.outcomes_file)) if self.outcomes_file.exists() else []


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, mlflow_url: str) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    with Processes(folder / "logs") as processes:
        yield House(folder, mlflow_url, processes)


def test_a_good_candidate_is_promoted_an_inverted_one_rolled_back_and_nothing_is_lost(house: House):
    house.fleet.start(MODEL, "1")
    write_traffic(house.folder / "traffic.jsonl", [REQUEST])
    command = [sys.executable, "-m", "serinus_local.load", "--url", house.fleet.envoy.url, "--rate", "150"]
    files = ["--traffic", str(house.folder / "traffic.jsonl"), "--outcomes", str(house.outcomes_file)]
    load = house.processes.start("load", command + files)

    seen: list[str] = []
    good = house.loop.roll_out(house.candidate(2), lambda tick: seen.append(tick.reason))
    assert (good.outcome, house.fleet.stable.version, house.fleet.weight) == ("promoted", "2", 0)
    assert [word for word in ("Started", "Advancing", "Promoting", "Promoted") if word not in seen] == []
    assert house.registry.alias(MODEL, "champion") == "2"
    assert house.registry.alias(MODEL, "previous") == "1"
    assert house.registry.tags(MODEL, "2")[registry_tags.STAGE] == "production"

    bad = house.loop.roll_out(house.candidate(3), lambda tick: None)
    assert (bad.outcome, house.fleet.stable.version) == ("rolled back", "2")
    assert "Predictions shifted" in bad.ticks[-1].message
    judged = [tick for tick in bad.ticks if "predictions" in tick.evidence]
    assert judged[-1].evidence["predictions"] >= judged[-1].bounds["predictions"]
    assert judged[-1].evidence["errors"] < judged[-1].bounds["errors"]
    assert house.registry.alias(MODEL, "champion") == "2"

    assert house.processes.stop(load) == 0
    outcomes = house.outcomes()
    assert Counter(each.status for each in outcomes) == {200: len(outcomes)}
    revisions = [contract.revision for contract in house.contracts]
    assert set(revisions) == {each.revision for each in outcomes}
    records, differing, fault = replayed(house.records)
    assert (records > 5, differing, fault) == (True, 0, "")
    house.fleet.stop()


def test_a_changed_record_is_found(house: House, tmp_path: Path):
    lines = house.records.read_text().splitlines()
    number = next(i for i, line in enumerate(lines) if '"verdict":"advance"' in line)
    lines[number] = lines[number].replace('"verdict":"advance"', '"verdict":"promote"')
    (tmp_path / "changed.jsonl").write_text("\n".join(lines) + "\n")
    records, differing, fault = replayed(tmp_path / "changed.jsonl")
    assert (records, differing) == (len(lines), 1)
    assert f"line {number + 1}:" in fault


def test_a_version_that_does_not_exist_is_named_with_the_end_of_its_log(house: House, tmp_path: Path):
    environment = {"MLFLOW_TRACKING_URI": house.url}
    fleet = Fleet(tmp_path, house.processes, environment, REQUEST, 0.25)
    with pytest.raises(LocalError, match=f"fetching {MODEL}/99 failed"):
        fleet.start(MODEL, "99")


def test_a_probe_that_is_refused_is_shown(house: House, tmp_path: Path):
    environment = {"MLFLOW_TRACKING_URI": house.url}
    wrong = Request(REQUEST.path, b'{"instances": [{"age": "old"}]}', "1")
    fleet = Fleet(tmp_path, house.processes, environment, wrong, 0.25)
    with pytest.raises(LocalError, match="the probe of version 1 was refused: 400"):
        fleet.start(MODEL, "1")
