"""MLflow's artifacts in a bucket: who reaches it with what, backup and restore, and what errors say."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    SSLError,
)
from tests.support import charts

spec = importlib.util.spec_from_file_location("bucket", charts.CHARTS / "mlflow" / "files" / "bucket.py")
assert spec is not None
assert spec.loader is not None
bucket = importlib.util.module_from_spec(spec)
spec.loader.exec_module(bucket)

ENDPOINT = "https://s3.storage.svc:9000"
S3: dict[str, Any] = {"bucket": "models", "endpoint": ENDPOINT, "existingSecret": "key"}


def answer(code: str, status: int = 0) -> ClientError:
    said = {"Error": {"Code": code, "Message": "words of the service"}}
    return ClientError({**said, "ResponseMetadata": {"HTTPStatusCode": status}}, "ListObjectsV2")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (answer("NoSuchBucket"), f"artifacts.s3.bucket: {ENDPOINT} has no bucket 'models'"),
        (answer("InvalidAccessKeyId"), "artifacts.s3.existingSecret: .* does not take the Secret's key"),
        (answer("SignatureDoesNotMatch"), "artifacts.s3.existingSecret: .* does not take the Secret's key"),
        (answer("AccessDenied"), "artifacts.s3.existingSecret: its key may not use the bucket 'models'"),
        (answer("AuthorizationHeaderMalformed"), "artifacts.s3.region: .*words of the service"),
        (NoCredentialsError(), "artifacts.s3.existingSecret: AWS_ACCESS_KEY_ID"),
        (SSLError(endpoint_url=ENDPOINT, error="self-signed"), "artifacts.s3.ca: .*self-signed"),
        (answer("NoSuchUser", 404), "artifacts.s3: .* refuses .*words of the service"),
        (answer("SlowDown", 503), None),
        (answer("TooManyRequests", 429), None),
        (EndpointConnectionError(endpoint_url=ENDPOINT), None),
    ],
    ids=lambda each: "" if each is None else type(each).__name__,
)
def test_an_error_names_the_value_that_mends_it(error: BotoCoreError | ClientError, words: str | None):
    found = bucket.explained(error, "models", ENDPOINT)
    if words is None:
        assert found is None
    else:
        with pytest.raises(bucket.Unusable, match=words):
            raise found


def test_what_passes_is_waited_for_and_what_stays_is_not():
    told = [EndpointConnectionError(endpoint_url=ENDPOINT), EndpointConnectionError(endpoint_url=ENDPOINT)]

    def ask() -> None:
        if told:
            raise told.pop()

    bucket.reach(ask, "models", ENDPOINT, 60, pause=0)
    assert told == []

    def gone() -> None:
        raise EndpointConnectionError(endpoint_url=ENDPOINT)

    with pytest.raises(EndpointConnectionError):
        bucket.reach(gone, "models", ENDPOINT, 0, pause=0)


def rendered(helm: Path, values: dict[str, Any]) -> list[charts.Object]:
    return charts.objects(charts.template(helm, "platform", {"mlflow": values}))


def policy(helm: Path, s3: dict[str, Any]) -> dict[str, Any]:
    (found,) = [
        each
        for each in rendered(helm, {"artifacts": {"s3": s3}})
        if (each["kind"], each["metadata"]["name"]) == ("NetworkPolicy", "serinus-mlflow-bucket")
    ]
    return dict(found["spec"])


@pytest.mark.parametrize(
    ("s3", "port"),
    [
        ({"endpoint": ENDPOINT}, 9000),
        ({"endpoint": "http://s3.storage.svc"}, 80),
        ({"endpoint": "https://s3.example.com/"}, 443),
        ({"endpoint": ""}, 443),
        ({"endpoint": "http://s3.storage.svc", "port": 8080}, 8080),
    ],
)
def test_the_policy_opens_the_endpoints_port(helm: Path, s3: dict[str, Any], port: int):
    (rule,) = policy(helm, {**S3, **s3})["egress"]
    assert rule == {"ports": [{"protocol": "TCP", "port": port}]}


def test_the_policy_opens_it_to_those_that_are_named_and_for_those_that_ask(helm: Path):
    peers = [{"ipBlock": {"cidr": "192.0.2.0/24"}}]
    found = policy(helm, {**S3, "peers": peers})
    assert [rule.get("to") for rule in found["egress"]] == [peers]
    (asking,) = found["podSelector"]["matchExpressions"]
    assert asking["values"] == ["mlflow", "mlflow-backup", "mlflow-restore"]


def test_without_a_key_the_nodes_role_can_be_asked_for(helm: Path):
    (_, role) = policy(helm, {**S3, "existingSecret": ""})["egress"]
    assert role["to"] == [{"ipBlock": {"cidr": "169.254.169.254/32"}}]


def steps(helm: Path, verb: str, values: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Return the image's name and the stages of each container of backup or restore, in their order."""
    (pod,) = [
        each for each in charts.pods(rendered(helm, values)) if each.owner == f"CronJob serinus-mlflow-{verb}"
    ]
    return [
        (each["image"].rpartition("/")[2].partition(":")[0], each["command"][2:]) for each in pod.containers
    ]


ALL = ["databases", "artifacts", "finish"]
BACK = ["check", "artifacts", "databases", "finish"]
IN_STAGES = [("postgres", ["check"]), ("mlflow", ["artifacts"]), ("postgres", ["databases", "finish"])]


@pytest.mark.parametrize(
    ("values", "backup", "restore"),
    [
        ({}, [("postgres", ALL)], [("postgres", BACK)]),
        (
            {"artifacts": {"s3": S3}},
            [("postgres", ["databases"]), ("mlflow", ["artifacts", "finish"])],
            IN_STAGES,
        ),
        # A backup of another time or installation may hold artifacts all the same.
        ({"artifacts": {"s3": S3}, "backup": {"artifacts": False}}, [("postgres", ALL)], IN_STAGES),
    ],
    ids=["volume", "bucket", "bucket kept elsewhere"],
)
def test_each_stage_runs_in_the_image_that_has_its_program(
    helm: Path, values: dict[str, Any], backup: list[Any], restore: list[Any]
):
    assert steps(helm, "backup", values) == backup
    assert steps(helm, "restore", values) == restore


def test_a_private_authority_is_trusted_wherever_the_bucket_is_asked(helm: Path):
    found = rendered(helm, {"artifacts": {"s3": {**S3, "ca": {"existingSecret": "s3-tls"}}}})
    asking = {
        (pod.owner, each["name"]): [mount["mountPath"] for mount in each["volumeMounts"]]
        for pod in charts.pods(found)
        for each in pod.containers
        if {"name": "AWS_CA_BUNDLE", "value": "/etc/serinus/s3-ca/ca.crt"} in each.get("env", [])
    }
    assert asking.keys() == {
        ("Deployment serinus-mlflow", "check-bucket"),
        ("Deployment serinus-mlflow", "mlflow"),
        ("CronJob serinus-mlflow-backup", "backup"),
        ("CronJob serinus-mlflow-restore", "artifacts"),
    }
    assert all("/etc/serinus/s3-ca" in mounts for mounts in asking.values())


def test_two_places_for_the_authorities_are_one_too_many(helm: Path):
    both = {"existingSecret": "a", "existingConfigMap": "b"}
    with pytest.raises(charts.Refused, match=r"artifacts\.s3\.ca: existingSecret and existingConfigMap"):
        rendered(helm, {"artifacts": {"s3": {**S3, "ca": both}}})
