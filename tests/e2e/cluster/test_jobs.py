"""Stories: the verbs as Jobs of suspended CronJobs, on the platform of `make up`."""

import json
import re
import secrets
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
from tests.support.cluster import Cluster, Namespace, NotYet, Object, until
from tests.support.cluster_jobs import Jobs, outcome, program, with_args

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]
# Where the platform has put its Secrets and the team's volume.
TEAM = "serinus-models"
MARK = secrets.token_hex(3)
Figure = Callable[[str, str], None]

# What the server's reader may see of a model's versions, by MLflow's own API.
READ_VERSION = """
import base64, os, sys, urllib.request
who = f"{os.environ['READER']}:{os.environ['READER_PASSWORD']}".encode()
place = f"{os.environ['MLFLOW_TRACKING_URI']}/api/2.0/mlflow/model-versions/get?name=churn&version=%s"
asked = urllib.request.Request(place, headers={"authorization": "Basic " + base64.b64encode(who).decode()})
print(urllib.request.urlopen(asked, timeout=30).read().decode())
"""
READER = [
    {
        "name": name,
        "valueFrom": {"secretKeyRef": {"name": "serinus-registry-reader", "key": f"MLFLOW_TRACKING_{key}"}},
    }
    for name, key in (("READER", "USERNAME"), ("READER_PASSWORD", "PASSWORD"))
]
# One day's rows as the server would log them, with labels that came later.
SERVE = """
import json, time
from pathlib import Path
from serinus_jobs.artifact_folder import load
from serinus_jobs.batch_rows import RowReader
from serinus_jobs.model_source import brought
from serinus_jobs.scoring import predicted
from serinus_jobs.settings import Settings
from serinus_jobs.tables.spec import open_source
settings = Settings.from_environment()
model = load(brought("mlflow://churn/@champion", settings, Path("/tmp/model")))
table = open_source(str(sorted(settings.events("customers").glob("day=*"))[-1]))
reader = RowReader(model.contract, table.columns(), (), table.name)
folder = Path("/data/e2e-%(mark)s"); folder.mkdir()
kinds = {each.name: int if each.dtype == "int64" else float for each in model.contract.inputs}
lines, labels = [], ["prediction_id,label,observed_at"]
for chunk in table.chunks():
    matrix = reader.encode(chunk).matrix
    answers = model.graph.probabilities(matrix)
    choices = predicted(answers, model.contract.threshold)
    for i, (row, answer, choice) in enumerate(zip(matrix, answers, choices)):
        name, now = f"%(mark)s-{chunk.first + i}", time.time()
        lines.append(json.dumps({
            "prediction_id": name, "at": now, "model": "churn", "revision": model.contract.revision,
            "entity": {"customer_id": chunk.first + i}, "probabilities": answer.tolist(),
            "features": {k: kind(v) for (k, kind), v in zip(kinds.items(), row.tolist())},
            "prediction": model.contract.classes[choice],
        }))
        labels.append(f"{name},{model.contract.classes[choice]},{now + 1}")
(folder / "truth.csv").write_text("\\n".join(labels))
(folder / "rows.jsonl").write_text("\\n".join(lines) + "\\n")
print(len(lines))
"""
COUNT = """
import json
import pyarrow.parquet as pq
keys = ["customer_id", "event_timestamp"]
source = pq.read_table("%(source)s", columns=keys)
target = pq.read_table("%(target)s")
same = all(source.column(key).to_pylist() == target.column(key).to_pylist() for key in keys)
distinct = len(target.group_by(keys).aggregate([]))
print(json.dumps({"source": len(source), "target": len(target), "distinct": distinct, "same order": same}))
"""

READ_RUN = """
import json
from serinus_jobs.registry import Registry
from serinus_jobs.settings import Settings
run = Registry(Settings.from_environment()).run("%s")
print(json.dumps({"candidates": run.params["candidates"], "known": run.metrics["candidates.known"]}))
"""


@pytest.fixture(scope="module")
def jobs(cluster: Cluster) -> Iterator[Jobs]:
    """The churn model's CronJobs, and its data generated and ingested."""
    assert cluster.get("v1", "Namespace", TEAM), f"no namespace {TEAM}: run make up"
    found = Jobs(Namespace(cluster, TEAM), MARK)
    found.apply("churn")
    found.done("churn-generate")
    yield found
    found.forget()


def test_churn_train_goes_from_ingest_to_register(jobs: Jobs, figure: Figure):
    # Given the CronJobs as they were applied: suspended, so nothing runs by itself
    listed = jobs.namespace.find("batch/v1", "CronJob", "serinus.dev/model=churn")
    assert {each["metadata"]["name"].removeprefix("churn-") for each in listed} >= {
        "generate", "ingest", "materialize", "trials", "train", "fit", "evaluate", "register", "batch",
        "collect", "labels", "quality", "drift",
    }  # fmt: skip
    assert all(each["spec"]["suspend"] for each in listed)
    # When a person makes a Job of churn-train
    job = jobs.create("churn-train")
    status = jobs.ended(job)["status"]
    (said,) = jobs.said(job)
    assert outcome(status) == "Complete", said
    # Then it went through all steps, in order
    steps = re.findall(r"^(ingest|materialize|train|evaluate|register)\b", said, re.M)
    assert steps == ["ingest", "ingest", "materialize", "train", "evaluate", "register"], said
    run_id, version, alias = said.strip().splitlines()[-1].split()
    assert alias in ("champion", "candidate")
    # And the registry has the version, with who approved it, which the serving side's user can read
    (answer,) = jobs.done("churn-fit", program(READ_VERSION % version, READER))
    found = json.loads(answer)["model_version"]
    tags = {tag["key"]: tag["value"] for tag in found["tags"]}
    assert found["run_id"] == run_id
    assert tags["serinus.evaluation"] == "passed"
    assert json.loads(tags["serinus.approval"])["by"] == job
    figure("churn-train, ingest to register", f"version {version}, {alias}; {_seconds(status)} s")


@pytest.mark.full
def test_each_verb_alone(jobs: Jobs):
    # When each step of the chain is a Job of its own
    (ingested,) = jobs.done("churn-ingest")
    (materialized,) = jobs.done("churn-materialize")
    (fitted,) = jobs.done("churn-fit")
    (evaluated,) = jobs.done("churn-evaluate")
    (registered,) = jobs.done("churn-register")
    # Then each says what it did, and the later ones took the newest training
    assert "read 90000 = written 90000 + quarantined 0" in ingested
    assert "customer_profile: 1000 keys" in materialized
    assert f"run {fitted.strip()}" in evaluated
    assert re.fullmatch(r"\d+ (champion|candidate)", registered.strip())


@pytest.mark.full
def test_a_search_in_parts_is_made_once(jobs: Jobs):
    # Given the search as an Indexed Job
    first = jobs.done("churn-trials")
    # When it is made again, and a model is trained
    again = jobs.done("churn-trials")
    (run_id,) = jobs.done("churn-fit")
    # Then each of three pods had two of the six candidates, and none was scored twice
    pattern = r"part (\d) of 3: (\d) candidates scored, (\d) found scored"
    counted = [tuple(map(int, re.findall(pattern, each)[0])) for each in first]
    assert [(index, scored + found) for index, scored, found in counted] == [(0, 2), (1, 2), (2, 2)]
    assert all(re.search(pattern, each)[2] == "0" for each in again)
    # And the training took up what they found: the search was no work for it
    (known,) = jobs.done("churn-fit", program(READ_RUN % run_id.strip()))
    assert json.loads(known) == {"candidates": "6", "known": 6.0}


def test_a_batch_whose_pod_is_killed_loses_and_doubles_no_row(jobs: Jobs, figure: Figure):
    # Given a table of 900,000 rows, so that a part takes a while
    folder = f"/data/e2e-batch-{MARK}"
    source, target = f"{folder}/customers.parquet", f"{folder}/predictions.parquet"
    jobs.done("churn-generate", with_args("generate", "--out", folder, "--customers", "10000"))
    arguments = ["--artifact=mlflow://churn/@champion", f"--source={source}", f"--target={target}"]
    keep = ["--keep=customer_id", "--keep=event_timestamp", "--of=4"]
    job = jobs.create("churn-batch", with_args("batch", *arguments, *keep))

    # When the pod of part 1 has answered some of its chunks, and is killed
    def at_work() -> str:
        for pod in jobs.pods(job, 1):
            name = str(pod["metadata"]["name"])
            if pod["status"]["phase"] == "Running":
                ran = jobs.namespace.execute(name, "sh", "-c", f"ls {folder}/.predictions.parquet.parts/*/")
                chunks = [int(each) for each in re.findall(r"chunk-(\d+).parquet", ran.output)]
                if any(chunk % 4 == 1 for chunk in chunks):
                    return name
            elif pod["status"]["phase"] != "Pending":
                raise AssertionError(f"{name} is {pod['status']['phase']} before it could be killed")
        raise NotYet("no chunk of part 1")

    killed = until("part 1 has answered a chunk", at_work, 240, pause=0.1)
    jobs.kubectl("delete", "pod", killed, "--grace-period=0", "--force")
    status = jobs.ended(job)["status"]
    # Then another pod took the part up behind the last chunk
    assert outcome(status) == "Complete", jobs.said(job)
    assert status["completedIndexes"] == "0-3"
    replaced = [each for each in jobs.said(job) if each.startswith("part 1 of 4")]
    predicted, found = map(int, re.findall(r"(\d+) rows predicted, (\d+) found", replaced[-1])[0])
    assert found >= 20_000
    # And every row is there once, in the source's order
    (answer,) = jobs.done("churn-fit", program(COUNT % {"source": source, "target": target}))
    rows = json.loads(answer)
    assert rows == {"source": 900_000, "target": 900_000, "distinct": 900_000, "same order": True}
    figure(
        "batch with a killed pod",
        f"{rows['source']} rows read, {rows['target']} written, {rows['distinct']} distinct; "
        f"part 1: {found} rows kept from the killed pod, {predicted} predicted anew; {_seconds(status)} s",
    )
    jobs.done("churn-generate", program(f"import shutil; shutil.rmtree('{folder}')"))


def test_bad_input_is_not_tried_again(jobs: Jobs):
    # Given labels that nobody brought
    job = jobs.create(
        "churn-labels", with_args("labels", "--model-dir=/model", "--source=/data/not-there.csv")
    )
    # When the Job has ended
    status = jobs.ended(job)["status"]
    # Then it failed by its policy after one pod, which says what is missing
    (said,) = jobs.said(job)
    assert outcome(status) == "Failed"
    assert {each["reason"] for each in status["conditions"]} == {"PodFailurePolicy"}
    assert "/data/not-there.csv: cannot be read" in said


@pytest.mark.full
def test_unsuspended_it_runs_by_its_schedule(jobs: Jobs):
    # Given a CronJob for each minute
    each_minute = json.dumps({"spec": {"suspend": False, "schedule": "* * * * *"}})
    jobs.kubectl("patch", "cronjob", "churn-ingest", "--patch", each_minute)
    try:
        # When a minute begins
        def look() -> str:
            cronjob = jobs.namespace.get("batch/v1", "CronJob", "churn-ingest") or {}
            for active in cronjob["status"].get("active", []):
                return str(active["name"])
            raise NotYet(cronjob["status"])

        job = until("the schedule has made a Job", look, 90)
        jobs.made.append(job)
    finally:
        jobs.apply("churn")
    # Then its Job is named after the minute, and does what one made by hand does
    status = jobs.ended(job)["status"]
    assert re.fullmatch(r"churn-ingest-\d+", job)
    assert outcome(status) == "Complete"
    cronjob = jobs.namespace.get("batch/v1", "CronJob", "churn-ingest")
    assert cronjob is not None
    assert cronjob["spec"]["suspend"] is True


@pytest.mark.full
def test_the_log_is_collected_labelled_and_watched(jobs: Jobs):
    # Given a day's predictions as the server logs them
    jobs.done("churn-fit", program(SERVE % {"mark": MARK}))
    folder = f"/data/e2e-{MARK}"
    # When they are collected and their labels come
    (collected,) = jobs.done("churn-collect", with_args("collect", "--model=churn", f"--source={folder}"))
    (labelled,) = jobs.done(
        "churn-labels", with_args("labels", "--model-dir=/model", f"--source={folder}/truth.csv")
    )
    # Then drift and quality have something to say, and nothing is lost on the way
    assert "read 1000 = written 1000 + refused 0" in collected
    assert "1000" in labelled
    (drifted,) = jobs.done("churn-drift")
    (judged,) = jobs.done("churn-quality")
    assert "churn" in drifted
    assert "predictions labelled" in judged
    jobs.done("churn-generate", program(f"import shutil; shutil.rmtree('{folder}')"))


def _seconds(status: Object) -> int:
    end = next(each["lastTransitionTime"] for each in status["conditions"] if each["type"] == "Complete")
    begin = datetime.fromisoformat(status["startTime"])
    return round((datetime.fromisoformat(end) - begin).total_seconds())
