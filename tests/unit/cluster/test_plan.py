"""One plan for two situations: they part in where images, charts and tools come from, and in nothing else."""

import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from serinus_airgap import versions
from serinus_airgap.charts import PLACES
from serinus_cluster.own_images import IMAGES
from serinus_cluster.plan import CLUSTER, NODE, PLATFORM, VALUES, plan
from serinus_cluster.render import UnknownPin, render
from serinus_cluster.situation import Situation
from serinus_cluster.steps import (
    ApplyManifests,
    AskModel,
    Chart,
    ChartFolder,
    CreateCluster,
    FindDocker,
    InstallChart,
    OwnChart,
    Source,
    StandIn,
)

ROOT = Path(__file__).resolve().parents[3]
PINS = versions.load()
ONLINE, AIRGAP = plan(Situation.ONLINE, PINS), plan(Situation.AIRGAP, PINS)
# What steps before have told: the names of our own images.
FILLED = PINS | {image.key: f"registry/{image.name}:1" for image in IMAGES} | {"NODE_IMAGE": "node:1"}
BOTH = pytest.mark.parametrize("steps", [ONLINE, AIRGAP], ids=["online", "airgap"])


def without_sources(value: Any) -> Any:
    """Return a step as nested tuples in which every source is the same word."""
    if isinstance(value, Source):
        return "a source"
    if is_dataclass(value):
        return (type(value).__name__, *(without_sources(getattr(value, each.name)) for each in fields(value)))
    if isinstance(value, tuple):
        return tuple(without_sources(each) for each in value)
    return value


def sources(steps: list[Any]) -> dict[str, Source]:
    found = {step.name: getattr(step.action, "source", None) for step in steps}
    return {name: source for name, source in found.items() if source is not None}


def test_the_two_situations_differ_only_in_sources():
    assert [without_sources(step) for step in ONLINE] == [without_sources(step) for step in AIRGAP]


def test_where_each_situation_takes_its_parts_from():
    def words(source: Source) -> str:
        match source:
            case Chart():
                return "chart pulled"
            case ChartFolder():
                return "chart of a module"
            case StandIn():
                return "stand-in"
            case OwnChart():
                return " ".join(["our own chart", *source.settings])
        return repr(source)

    online, airgap = sources(ONLINE), sources(AIRGAP)
    assert {name: (words(online[name]), words(airgap[name])) for name in online} == {
        "docker": ("Daemon(setup=None)", "Daemon(setup='airgap/docker/setup.sh')"),
        "tools": ("Tools(build=False)", "Tools(build=True)"),
        "images": ("Images(built=False)", "Images(built=True)"),
        "push": ("Images(built=False)", "Images(built=True)"),
        # The same name: pulled here, built and tagged there.
        "registry": (f"Image(reference='{PINS['REGISTRY_IMAGE']}')",) * 2,
        "cluster": (
            f"Image(reference='{PINS['KIND_NODE_IMAGE']}')",
            f"Image(reference='docker.io/kindest/node:{PINS['KUBERNETES']}')",
        ),
        "metrics chart": ("chart pulled", "chart of a module"),
        "gateway definitions": ("chart pulled", "chart of a module"),
        "gateway controller": ("chart pulled", "chart of a module"),
        "certificates": ("chart pulled", "stand-in"),
        "kserve definitions": ("chart pulled", "chart of a module"),
        "kserve chart": ("chart pulled", "chart of a module"),
        # No package registry has Grafana.
        "platform": ("our own chart", "our own chart monitoring.grafana.enabled=false"),
    }


def test_both_node_images_are_of_one_minor_of_kubernetes():
    minor = PINS["KUBERNETES"].rsplit(".", 1)[0]
    assert f"kindest/node:{minor}." in PINS["KIND_NODE_IMAGE"]
    assert "@sha256:" in PINS["KIND_NODE_IMAGE"]


def test_both_charts_of_a_part_have_the_same_pin():
    for name, source in sources(AIRGAP).items():
        if isinstance(source, ChartFolder):
            pulled = sources(ONLINE)[name]
            assert isinstance(pulled, Chart)
            assert pulled.reference.rsplit("/", 1)[-1] == source.name
            # metrics-server numbers its chart apart from its program.
            assert pulled.version == (
                PINS["METRICS_SERVER_CHART"] if source.name == "metrics-server" else source.version
            )
            assert source.name in PLACES
        if isinstance(source, StandIn):
            assert source.definitions in PLACES


@BOTH
def test_every_step_has_a_name_of_its_own_and_every_wait_a_deadline(steps: list[Any]):
    assert len({step.name for step in steps}) == len(steps)
    for step in steps:
        for wait in step.waits:
            assert 0 < wait.seconds <= 300, step.name
            assert wait.what


@BOTH
def test_every_file_that_a_step_names_exists_and_renders_from_the_pins(steps: list[Any]):
    for step in steps:
        action = step.action
        paths = [
            *(action.files if isinstance(action, ApplyManifests) else ()),
            *((action.values,) if isinstance(action, InstallChart) else ()),
            *((action.config,) if isinstance(action, CreateCluster) else ()),
            *((action.body,) if isinstance(action, AskModel) else ()),
            *(word for wait in step.waits for word in wait.kubectl if word.startswith("manifests/")),
        ]
        if isinstance(action, FindDocker) and action.source.setup:
            paths.append(action.source.setup)
        if isinstance(action, InstallChart) and isinstance(action.source, StandIn):
            paths += action.source.files
        for path in paths:
            assert (ROOT / path).is_file(), (step.name, path)
            # The first model's own names are filled by a step; its tests hold them.
            if path.endswith(".yaml") and "first-model" not in path:
                text = render((ROOT / path).read_text(), FILLED, path)
                assert list(yaml.safe_load_all(text)), path


def test_what_has_to_come_before_what():
    order = [step.name for step in AIRGAP]
    for before, after in (
        ("docker", "images"),
        ("tools", "cluster"),
        # The node that is built here pulls even its control plane from the registry.
        ("push", "cluster"),
        ("namespaces", "gateway controller"),
        ("own images", "platform"),
        ("gateway definitions", "platform"),
        ("certificates", "platform"),
        ("kserve", "platform"),
        ("platform", "first model"),
        ("gateway definitions", "kserve chart"),
        ("certificates", "kserve chart"),
        ("kserve definitions", "kserve chart"),
        ("kserve", "first model"),
        ("model volume", "first model"),
    ):
        assert order.index(before) < order.index(after), (before, after)
    # Readiness by use.
    assert order[-3:] == ["request", "feature read", "scrape"]


def test_the_rendered_cluster_listens_on_loopback_and_maps_the_gateway():
    text = render((ROOT / "manifests/cluster/kind.yaml").read_text(), {"NODE_IMAGE": "node:1"}, "kind.yaml")
    config = yaml.safe_load(text)
    (node,) = config["nodes"]
    assert (config["name"], node["image"], f"{config['name']}-control-plane") == (CLUSTER, "node:1", NODE)
    assert config["networking"]["apiServerAddress"] == "127.0.0.1"
    mapped = {each["containerPort"]: each["hostPort"] for each in node["extraPortMappings"]}
    assert {each["listenAddress"] for each in node["extraPortMappings"]} == {"127.0.0.1"}
    values = yaml.safe_load(render((ROOT / f"{VALUES}/{PLATFORM}.yaml").read_text(), FILLED, "values"))
    gateway = values["serving"]["gateway"]
    assert mapped == {gateway["http"]["nodePort"]: 8080, gateway["https"]["nodePort"]: 8443}
    assert mapped[gateway["https"]["nodePort"]] == gateway["https"]["externalPort"]
    (mount,) = node["extraMounts"]
    assert (ROOT / mount["hostPath"]).is_dir()
    assert mount["containerPath"] in text.split("directory:")[1]


def test_only_what_versions_env_pins_is_named_by_version():
    """A version in a manifest or a values file would be a second place for the same fact."""
    for path in sorted((ROOT / "manifests/cluster").rglob("*.yaml")):
        text = re.sub(r"#.*", "", path.read_text())
        assert not re.findall(r"(?:image|tag): \S*:?v?\d+\.\d+\.\d+", text), path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a ${B} c", "a 1 c"),
        ("${B}${B}", "11"),
        ("$B ${b} $(B) {{ .B }}", "$B ${b} $(B) {{ .B }}"),
        ("", ""),
    ],
)
def test_a_pin_is_filled_in_and_nothing_else(text: str, expected: str):
    assert render(text, {"B": "1"}, "x.yaml") == expected


def test_an_unknown_pin_names_the_file():
    with pytest.raises(UnknownPin, match=r"x\.yaml: \$\{NONE\} is no key of versions\.env"):
        render("${NONE}", {}, "x.yaml")
