"""Requests by entity key, over a store at the door: found, unknown, stale, late, and overridden."""

import json
import logging
from pathlib import Path

import pytest
from tests.support.artifacts import build_artifact
from tests.support.bad_requests import V1, V2, tensor
from tests.support.serving import KEYED_INPUTS, KEYED_PLAN, FakeStore, Reply, Server

from serinus_contracts.artifact import Input, ModelContract
from serinus_contracts.plan import OnlinePlan
from serinus_server.doors import FeatureRow, StoreUnavailable
from serinus_server.online.health import StoreHealth


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keyed")
    build_artifact(folder, inputs=KEYED_INPUTS, plan=KEYED_PLAN)
    return folder


@pytest.fixture
def store() -> FakeStore:
    return FakeStore(
        {
            7: FeatureRow({"age": 30, "tickets": 4.0}, found=True),
            8: FeatureRow({"age": 90, "tickets": None}, found=True, stale=("tickets",)),
        }
    )


@pytest.fixture
def server(keyed: Path, store: FakeStore) -> Server:
    return Server(keyed, store).load()


def ask(server: Server, *instances: dict) -> Reply:
    return server.post(V1, {"instances": list(instances)}, x_prediction_id="q")


def metric(server: Server, name: str) -> float:
    text = server.get("/metrics").body.decode().splitlines()
    return sum(float(line.split()[-1]) for line in text if line.startswith(name + "{"))


ASKED = {"charges": 60.0, "boost": 2.0}
WHOLE = {"age": 30, "tickets": 4.0, "charges": 60.0, "load": 30.0}


def test_a_key_is_looked_up_and_answers_as_the_whole_row_would(server: Server, store: FakeStore):
    by_key = ask(server, {"customer_id": 7, **ASKED})
    assert by_key.status == 200, by_key.body
    assert by_key.json["probabilities"] == ask(server, WHOLE).json["probabilities"]
    assert "marks" not in by_key.json
    assert store.reads == 1


def test_the_same_key_over_every_protocol(server: Server):
    expected = ask(server, WHOLE).json["probabilities"][0]
    native = {"entity": {"customer_id": 7}, "features": ASKED}
    assert list(server.post("/predict", native).json["probabilities"].values()) == expected
    many = server.post("/predict/batch", {"rows": [native, {"features": WHOLE}]}).json["predictions"]
    assert [list(row["probabilities"].values()) for row in many] == [expected, expected]
    columns = [
        tensor("customer_id", "INT64", [7]),
        tensor("charges", "FP64", [60]),
        tensor("boost", "FP64", [2]),
    ]
    v2 = server.post(V2, {"inputs": columns}).json
    assert v2["outputs"][1]["data"] == expected


def test_many_keys_are_one_read_and_keep_their_order(server: Server, store: FakeStore):
    reply = ask(server, {"customer_id": 8, **ASKED}, WHOLE, {"customer_id": 7, **ASKED})
    assert store.reads == 1
    assert reply.json["probabilities"][1] == reply.json["probabilities"][2]
    assert reply.json["marks"] == [{"row": 0, "defaulted": ["tickets"], "stale": ["tickets"]}]
    assert metric(server, "serinus_stale_values_total") == 1


def test_row_33_an_unknown_entity_gets_marked_defaults(server: Server):
    reply = ask(server, {"customer_id": 404, **ASKED})
    assert reply.status == 200
    assert reply.json["marks"] == [{"row": 0, "found": False, "defaulted": ["age", "tickets"]}]
    assert metric(server, "serinus_degraded_rows_total") == 0
    server.close()
    logged = json.loads(server.sink.lines[0])
    assert logged["entity"] == {"customer_id": 404}
    assert logged["features"] == {"age": 40, "tickets": 0.0, "charges": 60.0, "load": 30.0}
    assert (logged["degraded"], logged["defaulted"]) == (False, ["age", "tickets"])


def test_row_33_by_policy_an_unknown_entity_is_refused(keyed: Path, store: FakeStore):
    server = Server(keyed, store, unknown_entity="refuse").load()
    reply = ask(server, {"customer_id": 7, **ASKED}, {"customer_id": 404, **ASKED})
    assert reply.status == 404
    assert "instances[1]" in reply.json["error"]
    store.down = StoreUnavailable()
    assert ask(server, {"customer_id": 404, **ASKED}).status == 200, "nobody knows whether it is unknown"


def test_a_store_that_is_down_degrades_and_never_fails(server: Server, store: FakeStore):
    store.down = StoreUnavailable("budget")
    reply = ask(server, {"customer_id": 7, **ASKED}, WHOLE)
    assert reply.status == 200
    assert reply.json["marks"] == [{"row": 0, "degraded": True, "defaulted": ["age", "tickets"]}]
    native = server.post("/predict", {"entity": {"customer_id": 7}, "features": ASKED}).json
    assert native["degraded"] is True
    assert metric(server, "serinus_degraded_rows_total") == 2
    server.close()
    assert [json.loads(line)["degraded"] for line in server.sink.lines] == [True, False, True]


@pytest.mark.parametrize(
    ("instance", "word"),
    [
        ({"customer_id": "7", **ASKED}, "customer_id"),  # row 34: another type
        ({"customer_id": 7.5, **ASKED}, "customer_id"),
        ({"customer_id": None, **ASKED}, "customer_id"),
        ({"customer_id": True, **ASKED}, "customer_id"),
        ({"customer_id": 2**63, **ASKED}, "customer_id"),
        ({"customer_id": "k" * 10_240, **ASKED}, "customer_id"),
        ({"customer_id": 7, **ASKED, "shoe": 1}, "shoe"),  # row 36
        ({"customer_id": 7, **ASKED, "__class__": 1}, "__class__"),
        ({"customer_id": 7, **ASKED, "age": 20}, "age"),  # row 37
        ({"customer_id": 7, **ASKED, "load": 3.0}, "load"),
        ({"customer_id": 7, "boost": 2.0}, "charges"),
        ({"customer_id": 7, "charges": -1, "boost": 2.0}, "charges"),
        ({"customer_id": 7, "charges": 1, "boost": "x"}, "boost"),
    ],
)
def test_rows_34_36_37_bad_keys_and_values_are_named(server: Server, instance: dict, word: str):
    reply = ask(server, WHOLE, instance)
    assert reply.status == 400
    assert "instances[1]" in reply.json["error"]
    assert word in reply.json["error"]
    assert len(reply.body) <= 1024


def test_row_34_a_key_that_is_no_number(server: Server):
    assert server.post(V1, b'{"instances":[{"customer_id":NaN,"charges":1}]}').status == 400
    assert server.post(V1, b'{"instances":[{"customer_id":"","charges":1}]}').status == 400


def test_row_35_ten_thousand_entities_are_capped(server: Server, store: FakeStore):
    reply = ask(server, *[{"customer_id": 7, **ASKED}] * 10_000)
    assert reply.status == 413
    assert store.reads == 0


def test_a_whole_row_computes_what_it_leaves_out(server: Server):
    assert ask(server, {**WHOLE, "load": None}).json["marks"] == [{"row": 0, "defaulted": ["load"]}]


def test_a_store_that_falls_ill_is_said_once(
    server: Server, store: FakeStore, caplog: pytest.LogCaptureFixture
):
    for down in (None, StoreUnavailable("online.db: no such file"), StoreUnavailable("late"), None):
        store.down = down
        assert ask(server, {"customer_id": 7, **ASKED}).status == 200
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert said == ["online store: online.db: no such file; its rows get declared defaults"]


WELL = "online store: well again, after {} requests that it failed"
ILL = "online store: {}; its rows get declared defaults"


@pytest.mark.parametrize(
    ("reads", "said"),
    [
        ([(0, None), (1, None)], []),
        ([(0, "a"), (1, "b")], [ILL.format("a")]),
        ([(0, "a"), (4.9, None)], [ILL.format("a")]),
        ([(0, "a"), (5, None), (6, None)], [ILL.format("a"), WELL.format(1)]),
        ([(0, "a"), (4, "b"), (8, None), (9, None)], [ILL.format("a"), WELL.format(2)]),
        (
            [(0, "a"), (5, None), (6, "b"), (20, None)],
            [ILL.format("a"), WELL.format(1), ILL.format("b"), WELL.format(1)],
        ),
    ],
)
def test_each_change_of_the_store_is_one_warning(
    reads: list[tuple[float, str | None]], said: list[str], caplog: pytest.LogCaptureFixture
):
    now = 0.0
    health = StoreHealth(5, lambda: now)
    for at, reason in reads:
        now = at
        if reason is None:
            health.answered()
        else:
            health.failed(StoreUnavailable(reason))
    assert [record.getMessage() for record in caplog.records] == said


@pytest.mark.parametrize(
    ("found", "down", "status"), [(False, None, 404), (True, None, 422), (True, StoreUnavailable(), 503)]
)
def test_a_required_feature_that_nothing_fills(
    tmp_path: Path, found: bool, down: Exception | None, status: int
):
    inputs = (Input("age", "int64", source="store"), *KEYED_INPUTS[1:])
    build_artifact(tmp_path, inputs=inputs, plan=KEYED_PLAN)
    store = FakeStore({7: FeatureRow({}, found=found)})
    store.down = down
    reply = ask(Server(tmp_path, store).load(), {"customer_id": 7, **ASKED})
    assert reply.status == status
    assert "no default" in reply.json["error"]
    assert reply.headers.get("retry-after") == ("1" if status == 503 else None)


EMPTY_ROWS = [
    (V1, {"instances": [WHOLE, {}]}, "instances[1]"),
    ("/predict", {}, "row[0]"),
    ("/predict", {"features": {}}, "row[0]"),
    ("/predict", {"entity": {}, "features": {}}, "row[0]"),
    ("/predict/batch", {"rows": [{"features": WHOLE}, {}]}, "rows[1]"),
    ("/predict/batch", {"rows": [{"features": WHOLE}, {"entity": {}}]}, "rows[1]"),
]


@pytest.mark.parametrize(("path", "body", "place"), EMPTY_ROWS)
def test_a_row_that_names_nothing_is_no_row_of_defaults(
    tmp_path: Path, store: FakeStore, path: str, body: dict, place: str
):
    defaulted = (*KEYED_INPUTS[:2], Input("charges", "float64", default=50.0, source="request"))
    build_artifact(tmp_path, inputs=(*defaulted, KEYED_INPUTS[3]), plan=KEYED_PLAN)
    reply = Server(tmp_path, store).load().post(path, body)
    assert reply.status == 400, reply.body
    assert reply.json["error"] == (
        f"{place}: is empty; give features by name (age, tickets, charges, load), "
        "or the entity keys (customer_id)"
    )
    assert store.reads == 0


def test_a_row_that_leaves_a_named_feature_to_its_default_is_answered(tmp_path: Path):
    build_artifact(tmp_path, inputs=KEYED_INPUTS[:2], plan=None)
    server = Server(tmp_path).load()
    reply = ask(server, {"age": None})
    assert reply.json["marks"] == [{"row": 0, "defaulted": ["age", "tickets"]}]
    assert ask(server, {}).json["error"] == "instances[0]: is empty; give features by name (age, tickets)"


def test_without_a_store_only_whole_rows_are_taken(keyed: Path):
    server = Server(keyed).load()
    assert ask(server, WHOLE).status == 200
    reply = ask(server, {"customer_id": 7, **ASKED})
    assert reply.status == 400
    assert "online store" in reply.json["error"]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"entity": {"customer_id": 7}, "features": [1, 2]}, "by name"),
        ({"entity": {"shoe": 7}, "features": ASKED}, "shoe"),
        ({"entity": {"customer_id": 7}, "features": {**ASKED, "customer_id": 8}}, "customer_id"),
    ],
)
def test_native_entities_that_are_malformed(server: Server, body: dict, word: str):
    reply = server.post("/predict", body)
    assert reply.status == 400
    assert word in reply.json["error"]


def test_the_documents_name_the_entity(server: Server):
    info = server.get("/model/info").json
    assert (info["entity_keys"], info["request_values"]) == (["customer_id"], ["boost", "charges"])
    schema = server.get("/openapi.json").json["paths"]["/predict"]["post"]["requestBody"]
    assert "customer_id" in json.dumps(schema)


def test_a_plan_without_views_still_computes_on_demand(tmp_path: Path):
    plan = OnlinePlan("p", "s", (), (), KEYED_PLAN.on_demand, ())
    inputs = (
        Input("charges", "float64"),
        Input("boost", "float64"),
        Input("load", "float64", default=1.0, source="on_demand"),
    )
    contract: ModelContract = build_artifact(tmp_path, inputs=inputs, plan=plan)
    assert contract.plan is not None
    server = Server(tmp_path).load()
    computed = ask(server, {"charges": 60.0, "boost": 2.0})
    assert computed.json["probabilities"] == ask(server, [60.0, 2.0, 30.0]).json["probabilities"]  # type: ignore[arg-type]
    assert "marks" not in computed.json
    by_zero = ask(server, {"charges": 60.0, "boost": 0.0})
    assert by_zero.json["marks"] == [{"row": 0, "defaulted": ["load"]}]
    assert ask(server, {"charges": 60.0, "boost": "x"}).status == 400
