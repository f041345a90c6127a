"""The steps of `make up`, in order: a pure function of the situation and the pins."""

from collections.abc import Mapping

from serinus_cluster import first_model
from serinus_cluster.situation import Situation
from serinus_cluster.sources import Sources, sources
from serinus_cluster.steps import (
    ApplyDefinitions,
    ApplyManifests,
    AskMetrics,
    AskModel,
    Await,
    BuildImages,
    BuildOwnImages,
    Chart,
    ChartFolder,
    CreateCluster,
    FindDocker,
    FindTools,
    InstallChart,
    OwnChart,
    PushImages,
    ReadFeature,
    SecretKey,
    StandIn,
    StartRegistry,
    Step,
    TrainModel,
    Wait,
    WireRegistry,
)

CLUSTER = "serinus"
CONTEXT = f"kind-{CLUSTER}"
NODE = f"{CLUSTER}-control-plane"
REGISTRY = "serinus-registry"
REGISTRY_PORT = 5001
# kind puts its nodes there.
NETWORK = "kind"
GATEWAY_URL = "http://127.0.0.1:8080"
MANIFESTS = "manifests/cluster"
VALUES = f"{MANIFESTS}/values"
# The platform's release, its namespace and that of its first model.
PLATFORM = "serinus"
SYSTEM = "serinus-system"
MODELS = "serinus-models"


def plan(situation: Situation, pins: Mapping[str, str]) -> list[Step]:
    """Return every step. The two situations give the same list but for the fields of type `Source`."""
    origin = sources(situation, pins)
    return [*_machine(origin), *_node(origin), *_foundation(origin), *_platform(origin), *_model()]


def _machine(origin: Sources) -> list[Step]:
    return [
        # Cold, the tools and the images are compiled: minutes a part on two cores.
        Step("docker", FindDocker(origin.daemon), 900),
        Step("tools", FindTools(origin.tools), 1200),
        Step("images", BuildImages(origin.images), 5400),
        Step("registry", StartRegistry(REGISTRY, REGISTRY_PORT, NETWORK, origin.registry), 120),
        Step("push", PushImages(f"localhost:{REGISTRY_PORT}", origin.images), 900),
        Step("own images", BuildOwnImages(), 1800),
        Step("model artifact", TrainModel(MODELS), 300),
    ]


def _node(origin: Sources) -> list[Step]:
    return [
        Step(
            "cluster",
            CreateCluster(CLUSTER, f"{MANIFESTS}/kind.yaml", origin.node),
            600,
            (
                Wait("the API server answers", ("get", "--raw", "/readyz"), 60),
                Wait("the node is Ready", _condition("Ready", "node", "--all"), 180),
                Wait("StorageClass standard exists", ("get", "storageclass", "standard"), 30),
                Wait("cluster DNS is available", _rolled_out("kube-system", "coredns"), 180),
            ),
        ),
        Step("wiring", WireRegistry(REGISTRY, f"{MANIFESTS}/local-registry.yaml"), 60),
        Step("namespaces", ApplyManifests((f"{MANIFESTS}/namespaces.yaml",)), 60),
    ]


def _foundation(origin: Sources) -> list[Step]:
    # The charts of what takes half a minute to become ready come first, and are waited for at the end.
    return [
        Step("metrics chart", _chart("metrics-server", "kube-system", origin.metrics), 180),
        Step(
            "certificates",
            _chart("cert-manager", "cert-manager", origin.certificates),
            300,
            (
                Wait(
                    "its pods are available",
                    _condition("Available", "deployment", "--all", *_in("cert-manager")),
                    180,
                ),
                Wait("a Certificate is taken", _dry_run("certificate.yaml"), 120),
            ),
        ),
        Step("gateway definitions", ApplyDefinitions(origin.gateway), 180),
        Step("kserve definitions", _chart("kserve-crd", "kserve", origin.kserve_definitions), 180),
        Step("kserve chart", _chart("kserve", "kserve", origin.kserve), 300),
        Step(
            "gateway controller",
            _chart("envoy-gateway", "envoy-gateway-system", origin.gateway),
            300,
            (Wait("Envoy Gateway is available", _rolled_out("envoy-gateway-system", "envoy-gateway"), 180),),
        ),
        Step(
            "kserve",
            Await(),
            0,
            (
                Wait(
                    "its certificate is issued",
                    _condition("Ready", "certificate/serving-cert", *_in("kserve")),
                    120,
                ),
                Wait("its controller is available", _rolled_out("kserve", "kserve-controller-manager"), 180),
                Wait("its webhook takes an InferenceService", _dry_run("inferenceservice.yaml"), 120),
            ),
        ),
        Step(
            "metrics",
            Await(),
            0,
            (
                # Asked raw: `kubectl top` believes what it knew of the API before, from its cache.
                Wait(
                    "the node's metrics appear",
                    ("get", "--raw", f"/apis/metrics.k8s.io/v1beta1/nodes/{NODE}"),
                    120,
                ),
            ),
        ),
    ]


def _platform(origin: Sources) -> list[Step]:
    return [
        Step(
            "platform",
            _chart(PLATFORM, SYSTEM, origin.platform),
            # On a new cluster its hooks wait until the node has pulled what they run.
            600,
            (
                Wait(
                    "its Deployments are available",
                    _condition("Available", "deployment", "--all", *_in(SYSTEM)),
                    300,
                ),
                Wait(
                    "its stores are ready",
                    _until("jsonpath={.status.readyReplicas}=1", "statefulset", "--all", *_in(SYSTEM)),
                    180,
                ),
                Wait(
                    "the Gateway is programmed",
                    _condition("Programmed", f"gateway/{PLATFORM}", *_in(SYSTEM)),
                    180,
                ),
            ),
        ),
    ]


def _model() -> list[Step]:
    return [
        Step(
            "model volume",
            ApplyManifests((first_model.ARTIFACT,)),
            60,
            (
                Wait(
                    "the artifact is written",
                    _condition("Complete", "job", first_model.JOBS, *_in(MODELS)),
                    180,
                ),
            ),
        ),
        Step(
            "first model",
            ApplyManifests((first_model.SERVICE,)),
            60,
            (
                Wait(
                    "the InferenceService is Ready",
                    _condition("Ready", "inferenceservice/iris", *_in(MODELS)),
                    240,
                ),
            ),
        ),
        Step(
            "request",
            AskModel(
                "iris",
                MODELS,
                GATEWAY_URL,
                f"{first_model.FOLDER}/request.json",
                SecretKey(SYSTEM, "serinus-admin-keys", "admin"),
            ),
            60,
        ),
        Step(
            "feature read",
            ReadFeature(
                MODELS,
                "serving.kserve.io/inferenceservice=iris",
                writer=SecretKey(MODELS, "serinus-online-store", "SERINUS_ONLINE_STORE"),
                reader=SecretKey(MODELS, "serinus-online-store-reader", "SERINUS_ONLINE_STORE"),
            ),
            60,
        ),
        Step(
            "scrape",
            AskMetrics(
                SYSTEM, "serinus-prometheus:9090", f'up{{job="model-servers",namespace="{MODELS}"}} == 1'
            ),
            120,
        ),
    ]


def _chart(release: str, namespace: str, source: Chart | ChartFolder | OwnChart | StandIn) -> InstallChart:
    return InstallChart(release, namespace, f"{VALUES}/{release}.yaml", source)


def _in(namespace: str) -> tuple[str, str]:
    return ("--namespace", namespace)


def _condition(condition: str, *what: str) -> tuple[str, ...]:
    return _until(f"condition={condition}", *what)


def _until(true: str, *what: str) -> tuple[str, ...]:
    # One attempt is short: the wait around it repeats it and holds the deadline.
    return ("wait", f"--for={true}", *what, "--timeout=5s")


def _rolled_out(namespace: str, deployment: str) -> tuple[str, ...]:
    # Not the condition Available: during an upgrade the old pods still fulfil it.
    return ("rollout", "status", f"deployment/{deployment}", *_in(namespace), "--timeout=5s")


def _dry_run(name: str) -> tuple[str, ...]:
    return ("apply", "--dry-run=server", "--filename", f"{MANIFESTS}/checks/{name}")
