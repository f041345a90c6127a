"""Stories: MLflow keeps artifacts in a bucket of somebody's S3 server, and backups of it go anywhere."""

import secrets
import shlex
import subprocess
from collections.abc import Iterator

import pytest
import yaml
from tests.support.charts import CHARTS
from tests.support.cluster import CONTEXT, Cluster, Namespace, NotYet, Object, until
from tests.support.cluster_bucket import BUCKET, PORT, Bucket
from tests.support.cluster_jobs import ROOT, Jobs
from tests.support.cluster_pods import IDLE, connections, python_pod, running
from tests.support.cluster_registry import fetched, pods, scale, settled, small_registry, team
from tests.support.cluster_release import Release
from tests.support.programs import program
from tests.support.story_images import story_images

pytestmark = [pytest.mark.cluster, pytest.mark.full, pytest.mark.timeout(1500)]

NAME, OTHER = "bucketed", "elsewhere"
CHECK = "check-bucket"
ON_A_VOLUME: Object = {"storage": {"size": "256Mi"}}
# What one pod of MLflow itself says, whichever the Service would choose.
DIGEST = """
import base64, hashlib, os, sys, urllib.request
login = base64.b64encode(f"admin:{os.environ['MLFLOW_AUTH_ADMIN_PASSWORD']}".encode()).decode()
place = f"http://localhost:5000/api/2.0/mlflow-artifacts/artifacts/{sys.argv[1]}"
asked = urllib.request.Request(place, headers={"Authorization": f"Basic {login}"})
print(hashlib.sha256(urllib.request.urlopen(asked, timeout=30).read()).hexdigest())
"""


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[Namespace]:
    """The registry's, its S3 server's and its team's, in one."""
    yield from team(cluster, NAME)


@pytest.fixture(scope="module")
def bucket(namespace: Namespace) -> Bucket:
    """The S3 server."""
    found = Bucket(namespace, story_images("versitygw")["versitygw"])
    found.start()
    return found


@pytest.fixture(scope="module")
def release(namespace: Namespace, bucket: Bucket) -> Release:
    """A registry of two pods that keeps artifacts there."""
    found = Release(program("helm"), namespace, NAME)
    found.install(small_registry(namespace.name, {"s3": bucket.values()}, replicas=2))
    return found


@pytest.fixture(scope="module")
def graph(release: Release, bucket: Bucket) -> str:
    """Where the graph of a model lies, below the artifacts' folder: a Job of the team has registered it."""
    jobs = Jobs(release.namespace, secrets.token_hex(2))
    jobs.apply("iris")
    jobs.done("iris-train")
    (found,) = [each for each in bucket.files() if each.endswith("/model/model.onnx")]
    return found.removeprefix(f"{BUCKET}/mlflow/")


def test_a_model_lies_in_the_bucket_and_comes_from_there(release: Release, bucket: Bucket, graph: str):
    # Given a model that a Job has logged with the login that may write
    # Then all that MLflow keeps lies in the bucket, and no pod of it has a volume for it
    assert all(each.startswith(f"{BUCKET}/mlflow/") for each in bucket.files())
    volumes = [volume for pod in pods(release) for volume in pod["spec"]["volumes"]]
    assert [each for each in volumes if "persistentVolumeClaim" in each] == []
    # And both pods, which wrote the first tables together, have never failed
    restarts = [
        status["restartCount"] for pod in pods(release) for status in pod["status"]["containerStatuses"]
    ]
    assert restarts == [0, 0]
    # And have the same
    names = settled(release, 2)
    digests = {release.namespace.execute(name, "python", "-c", DIGEST, graph).output for name in names}
    assert [len(each) for each in digests] == [64]
    # And a server gets it with the login that may only read
    assert "iris revision" in fetched(release.namespace)
    # When MLflow and the S3 server have started anew
    stamp = {"spec": {"template": {"metadata": {"annotations": {"story": "restarted"}}}}}
    place = release.namespace
    place.cluster.patch("apps/v1", "Deployment", f"{NAME}-mlflow", stamp, place.name)
    bucket.serve()
    assert set(settled(release, 2)).isdisjoint(names)
    # Then a server gets it as before
    assert "iris revision" in fetched(release.namespace)


@pytest.mark.usefixtures("graph")
def test_mlflow_reaches_the_bucket_and_no_other_server(release: Release, bucket: Bucket):
    # Given another server on the port of the S3 server
    serve = f"import http.server as h; h.test(h.SimpleHTTPRequestHandler, port={PORT})"
    other = running(release.namespace, python_pod(release.namespace.cluster, "other", serve))
    running(release.namespace, python_pod(release.namespace.cluster, "anyone", IDLE))
    own = bucket.endpoint.removeprefix("https://")
    strange = f"{other['status']['podIP']}:{PORT}"

    # Which anyone can reach
    def work() -> None:
        found = connections(release.namespace, "anyone", [own, strange])
        if set(found.values()) != {"connected"}:
            raise NotYet(found)

    until("both can be reached", work, 30)
    # When a pod of MLflow tries them, then it gets to its bucket alone
    found = connections(release.namespace, settled(release, 2)[0], [own, strange])
    assert found == {own: "connected", strange: "TimeoutError"}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"ARTIFACTS_BUCKET": "nothing"}, "artifacts.s3.bucket: {place} has no bucket 'nothing'"),
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "No user exists with the provided access key ID"),
        ({"AWS_SECRET_ACCESS_KEY": "no"}, "artifacts.s3.existingSecret: {place} does not take the Secret's"),
        ({"AWS_CA_BUNDLE": None}, "artifacts.s3.ca: no authority that is trusted signed"),
        ({"MLFLOW_S3_ENDPOINT_URL": "https://none"}, "artifacts.s3.endpoint: https://none does not answer"),
    ],
    ids=["bucket", "key", "secret", "authority", "endpoint"],
)
def test_what_is_wrong_with_a_bucket_is_named(
    release: Release, bucket: Bucket, changed: dict[str, str | None], words: str
):
    # Given the container that looks for the bucket before MLflow starts, with one setting wrong
    deployment = release.namespace.get("apps/v1", "Deployment", f"{NAME}-mlflow")
    assert deployment is not None
    template = deployment["spec"]["template"]
    (check,) = [each for each in template["spec"]["initContainers"] if each["name"] == CHECK]
    kept = [each for each in check["env"] if each["name"] not in changed]
    check["env"] = [*kept, *({"name": key, "value": value} for key, value in changed.items() if value)]
    # Under the network policy of MLflow's chart, but not behind its Service
    labels = {**template["metadata"]["labels"], "app.kubernetes.io/component": "mlflow-restore"}
    metadata = {"name": f"check-{secrets.token_hex(2)}", "labels": labels}
    spec = {**template["spec"], "initContainers": [], "containers": [check], "restartPolicy": "Never"}
    # When it runs
    release.namespace.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})

    def look() -> str:
        pod = release.namespace.get("v1", "Pod", metadata["name"]) or {}
        (status,) = pod.get("status", {}).get("containerStatuses", [{}])
        if "terminated" not in status.get("state", {}):
            raise NotYet(status)
        return str(status["state"]["terminated"].get("message"))

    # Then the pod's status says which value has to change
    assert words.format(place=bucket.endpoint) in until("it has ended", look, 120)


@pytest.mark.usefixtures("graph")
def test_an_upgrade_to_a_wrong_bucket_leaves_mlflow_at_work(release: Release):
    # Given a release that works
    before = set(settled(release, 2))
    # When somebody upgrades it to a bucket that is not there
    wrong = ["--reuse-values", "--set", "mlflow.artifacts.s3.bucket=nothing"]
    with pytest.raises(AssertionError, match="helm upgrade"):
        release.run("upgrade", NAME, str(CHARTS / "platform"), *wrong, "--wait", "--timeout", "45s")
    # Then the new pod says why it does not start
    ended = [
        status[state]["terminated"].get("message", "")
        for pod in pods(release)
        if pod["metadata"]["name"] not in before
        for status in pod["status"].get("initContainerStatuses", [])
        for state in ("state", "lastState")
        if "terminated" in status.get(state, {})
    ]
    assert any("has no bucket 'nothing'" in message for message in ended), ended
    # And the old ones go on
    assert "iris revision" in fetched(release.namespace)
    release.run("rollback", NAME, "--wait", "--timeout", "200s")
    settled(release, 2)


@pytest.mark.usefixtures("graph")
def test_a_backup_brings_the_bucket_back(release: Release, bucket: Bucket):
    # Given a backup
    completed, words = release.job(f"{NAME}-mlflow-backup", "backup")
    assert completed, words
    before = bucket.files()
    assert f"artifacts: {len(before)} files of s3://{BUCKET}/mlflow/" in words
    # And damage: the bucket is empty
    bucket.empty()
    assert bucket.files() == []
    # When somebody restores while MLflow runs, then it is refused with the reason
    completed, words = release.job(f"{NAME}-mlflow-restore", "too-early")
    assert not completed
    assert "scale MLflow to 0 replicas first" in words
    assert bucket.files() == []
    # When MLflow is stopped, and somebody restores
    scale(release, 0)
    completed, words = release.job(f"{NAME}-mlflow-restore", "restore")
    assert completed, words
    scale(release, 2)
    # Then every object is back, and servers get the model
    assert bucket.files() == before
    assert "iris revision" in fetched(release.namespace)


@pytest.fixture(scope="module")
def elsewhere(cluster: Cluster, release: Release) -> Iterator[Release]:
    """Another installation: another name and namespace, a volume for artifacts; both backup volumes open."""
    for namespace in team(cluster, OTHER):
        found = Release(program("helm"), namespace, OTHER)
        found.install(small_registry(namespace.name, ON_A_VOLUME))
        hold(release)
        hold(found)
        yield found


def hold(release: Release) -> None:
    """Apply the documented pod that holds the backups' volume open."""
    pod = yaml.safe_load((ROOT / "manifests/backups/pod.yaml").read_text())
    (volume,) = pod["spec"]["volumes"]
    volume["persistentVolumeClaim"]["claimName"] = f"{release.name}-mlflow-backup"
    running(release.namespace, pod)


def execute(release: Release, *words: str) -> str:
    """Return the shell's words for `kubectl exec` there."""
    kubectl = [str(program("kubectl")), "--context", CONTEXT, "--namespace", release.namespace.name]
    return shlex.join([*kubectl, "exec", "-i", "backups", "--", *words])


def moved(source: Release, target: Release, name: str) -> None:
    """Make a backup, copy it to the other installation, and restore it there: as the chart's README says."""
    completed, words = source.job(f"{source.name}-mlflow-backup", f"{name}-backup")
    assert completed, words
    backup = words.rsplit("backup ", 1)[1].split()[0]
    read = execute(source, "tar", "-cC", "/backup", backup)
    write = execute(target, "tar", "-xC", "/backup")
    subprocess.run(["bash", "-c", f"set -o pipefail; {read} | {write}"], check=True, timeout=120)
    replicas = len(pods(target))
    scale(target, 0)
    completed, words = target.job(f"{target.name}-mlflow-restore", f"{name}-restore")
    assert completed, words
    assert f"backup {backup} is restored" in words
    scale(target, replicas)
    again = ["--reuse-values", "--wait", "--timeout", "200s"]
    target.run("upgrade", target.name, str(CHARTS / "platform"), *again)


@pytest.mark.usefixtures("graph")
def test_another_installation_takes_a_buckets_backup_over(release: Release, elsewhere: Release):
    # Given another installation, with passwords of its own and nothing in it
    place = "serinus-registry-reader"
    assert release.secret(place) != elsewhere.secret(place)
    assert elsewhere.mlflow("reader", "GET", "registered-models/search") == (200, "{}")
    # When it gets a backup of the registry with the bucket
    moved(release, elsewhere, "there")
    # Then its own passwords open it
    status, answer = elsewhere.mlflow("reader", "GET", "registered-models/search")
    assert (status, '"iris"' in answer) == (200, True), answer
    assert elsewhere.mlflow("writer", "POST", "registered-models/create", {"name": "next"})[0] == 200
    # And a server there gets the model
    assert "iris revision" in fetched(elsewhere.namespace)


@pytest.mark.usefixtures("graph")
def test_a_volumes_backup_goes_to_a_bucket(release: Release, elsewhere: Release, bucket: Bucket):
    # Given a registry with a volume, which has the model, and one whose bucket has lost everything
    before = bucket.files()
    assert "iris revision" in fetched(elsewhere.namespace)
    bucket.empty()
    # When that one gets a backup of the first
    moved(elsewhere, release, "back")
    # Then every file lies in its bucket, and a server gets the model
    assert bucket.files() == before
    assert "iris revision" in fetched(release.namespace)
