"""The Tiltfile: every path, chart, image key, Service and command that it names is there."""

import re
import subprocess
from pathlib import Path

import pytest
import starlark
import yaml
from tests.support import needed
from tests.support.programs import found
from tests.support.tilt import Tilt, commands, option, run

from serinus_cluster.cli import application
from serinus_cluster.own_images import IMAGES
from serinus_cluster.plan import CONTEXT

ROOT = Path(__file__).resolve().parents[2]
CLUSTER_WIDE = {
    "ClusterRole",
    "ClusterRoleBinding",
    "ClusterServingRuntime",
    "ClusterStorageContainer",
    "GatewayClass",
}
REFERENCES = {f"localhost:5001/serinus/{image.name}": image for image in IMAGES}


@pytest.fixture(scope="module")
def tilt() -> Tilt:
    return run((ROOT / "Tiltfile").read_text())


def tool(name: str) -> str:
    """Return a tool of `make up` or of this machine."""
    return str(found(name) or needed.missing(f"{name} is missing: make up"))


def rendered(*words: str) -> list[dict]:
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def release(tilt: Tilt, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Return the arguments of the release's `helm upgrade`, and what stood for each image."""
    deploy = tilt.deploys["platform"]
    images = {reference: f"{reference}:tilt-{i}" for i, reference in enumerate(deploy.image_deps)}
    called = commands(deploy.apply_cmd, folder, ROOT, list(images.values()))
    (upgrade,) = [words for words in called if words[0] == "helm" and "upgrade" in words]
    return upgrade, images


def platform(tilt: Tilt, folder: Path) -> tuple[list[dict], dict[str, str]]:
    """Return what the release's command would install, rendered by Helm, and what stood for each image."""
    words, images = release(tilt, folder)
    name, chart = words[words.index("--install") + 1 : words.index("--install") + 3]
    namespace = option(words, "--namespace")
    more = [word for value in option(words, "--values") for word in ("--values", value)]
    more += [word for value in option(words, "--set") for word in ("--set", value)]
    return rendered(tool("helm"), "template", name, chart, "--namespace", *namespace, *more), images


def test_it_speaks_to_the_cluster_of_make_up_alone(tilt: Tilt, tmp_path: Path):
    assert tilt.contexts == [CONTEXT]
    lines = [each.apply_cmd for each in tilt.deploys.values()]
    lines += [each.delete_cmd for each in tilt.deploys.values()]
    lines += [each.cmd or each.serve_cmd for each in tilt.locals.values()]
    for line in lines:
        for words in commands(line, tmp_path, ROOT, ["a:1", "b:1", "c:1", "d:1"]):
            assert option(words, "--context") + option(words, "--kube-context") == [CONTEXT], line


def test_every_watched_path_is_there(tilt: Tilt):
    for each in (*tilt.builds.values(), *tilt.deploys.values()):
        for path in each.deps:
            assert (ROOT / path).exists(), path


def test_what_is_needed_is_there(tilt: Tilt):
    for name, needs in tilt.needs.items():
        assert set(needs) <= tilt.deploys.keys() | tilt.locals.keys(), name


def test_each_of_our_images_is_built_again_when_one_of_its_inputs_changes(tilt: Tilt, tmp_path: Path):
    assert tilt.builds.keys() == REFERENCES.keys()
    for reference, build in tilt.builds.items():
        image = REFERENCES[reference]
        assert set(build.deps) == set(image.inputs), reference
        (words,) = commands(build.command, tmp_path, ROOT, [])
        assert words == ["serinus-cluster", "image", image.name, "--tag", "expected:ref"]


def test_the_command_that_builds_images_exists():
    assert "image" in {each.callback.__name__ for each in application.registered_commands}


@pytest.mark.helm
def test_the_release_is_rendered_with_each_image_that_was_built(tilt: Tilt, tmp_path: Path):
    objects, images = platform(tilt, tmp_path)
    text = yaml.safe_dump_all(objects)
    for image in images.values():
        assert f"image: {image}" in text, image
    assert "_IMAGE}" not in text
    # And what Tilt asks for afterwards is found: `kubectl get -f -` takes each object's own namespace.
    without = {each["kind"] for each in objects if "namespace" not in each["metadata"]}
    assert without <= CLUSTER_WIDE


@pytest.mark.helm
def test_every_port_that_is_forwarded_is_one_of_a_service(tilt: Tilt, tmp_path: Path):
    objects, _ = platform(tilt, tmp_path)
    ports = {
        each["metadata"]["name"]: {port["port"] for port in each["spec"]["ports"]}
        for each in objects
        if each["kind"] == "Service"
    }
    forwarded = {name: each for name, each in tilt.locals.items() if each.serve_cmd}
    assert forwarded
    for name, local in forwarded.items():
        match = re.search(r"port-forward service/(\S+) (\d+)$", local.serve_cmd)
        assert match, local.serve_cmd
        assert int(match[2]) in ports[match[1]], name
        assert local.links == [f"http://127.0.0.1:{match[2]}"]


def test_the_models_jobs_are_those_of_its_folder_and_use_the_image_that_was_built(tilt: Tilt, tmp_path: Path):
    deploy = tilt.deploys["churn"]
    called = commands(deploy.apply_cmd, tmp_path, ROOT, ["x:1"])
    (folder,) = [words[-1] for words in called if "kustomize" in words]
    objects = rendered(tool("kubectl"), "kustomize", folder)
    images = {
        container["image"].rpartition(":")[0]
        for each in objects
        if each["kind"] == "CronJob"
        for container in each["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    }
    assert images == set(deploy.image_deps)
    assert {"churn-train"} <= {each["metadata"]["name"] for each in objects if each["kind"] == "CronJob"}
    (words,) = commands(tilt.locals["train churn"].cmd, tmp_path, ROOT, [])
    assert words[-1] == "--from=cronjob/churn-train"


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("custom_build('a', 'b', dep=['c'])", "dep"),
        ("k8s_resource('nobody')", "not deployed"),
        ("helm_resource('a', 'b')", "helm_resource"),
        ("print(f'{1}')", "f-strings"),
    ],
)
def test_what_tilt_does_not_know_is_refused(text: str, refused: str):
    with pytest.raises(starlark.StarlarkError, match=refused):
        run(text)
