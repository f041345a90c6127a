"""When a release, definitions and manifests are as they should be, and how they are put right."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.scripted import Scripted

from serinus_cluster.acts.choose import act
from serinus_cluster.acts.platform import content
from serinus_cluster.place import Place
from serinus_cluster.steps import ApplyDefinitions, ApplyManifests, Chart, InstallChart, OwnChart

CHART = Chart("oci://example.com/charts/thing", "v1.2.3")
INSTALL = InstallChart("thing", "things", "values.yaml", CHART)
DEFINITIONS = ApplyDefinitions(CHART)


def release(
    programs: Scripted, place: Place, status: str = "deployed", action: InstallChart = INSTALL
) -> None:
    """Have helm know the release that `action` asks for."""
    mark = act(action, place)._mark()
    programs.say("status thing", json.dumps({"info": {"status": status, "description": mark}}))
    programs.say("get manifest thing", "kind: ConfigMap\nmetadata: {name: a}\n")
    programs.say("kubectl --context kind-serinus get --namespace things --output name --filename -", "a")


def test_a_release_that_helm_does_not_know_is_missing(programs: Scripted, place: Place):
    programs.say("status thing", code=1, err="Error: release: not found")
    assert act(INSTALL, place).missing() == "not installed"


def test_a_release_as_it_was_installed_is_in_place(programs: Scripted, place: Place):
    release(programs, place)
    assert act(INSTALL, place).missing() is None


def test_a_release_that_broke_off_is_installed_anew_without_its_lock(programs: Scripted, place: Place):
    release(programs, place, status="pending-upgrade")
    programs.say("delete secret").say("upgrade --install thing")
    wanted = act(INSTALL, place)
    assert wanted.missing() == "its last installation is pending-upgrade"
    assert wanted.apply(60).words == "v1.2.3"
    (lock,) = [call for call in programs.calls if "delete secret" in call]
    assert lock.endswith("--selector owner=helm,name=thing,status=pending-upgrade")
    (upgrade,) = [call for call in programs.calls if "upgrade --install" in call]
    assert "oci://example.com/charts/thing --version v1.2.3 " in upgrade
    assert "--reset-values" in upgrade
    assert (place.work / "values-thing.yaml").read_text() == "tag: one\n"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda place: place.pins.update(THING="two"), id="a value"),
        pytest.param(lambda place: (place.root / "values.yaml").write_text("tag: x"), id="the values file"),
    ],
)
def test_another_value_is_another_release(programs: Scripted, place: Place, change):
    release(programs, place)
    change(place)
    assert act(INSTALL, place).missing() == "version or values differ"


def test_another_version_of_the_chart_is_another_release(programs: Scripted, place: Place):
    release(programs, place)
    other = replace(INSTALL, source=replace(CHART, version="v1.2.4"))
    assert act(other, place).missing() == "version or values differ"


def test_a_changed_file_of_a_chart_of_ours_is_another_release(programs: Scripted, place: Place):
    folder = place.root / "chart"
    (folder / "templates").mkdir(parents=True)
    (folder / "templates" / "a.yaml").write_text("a: 1")
    own = replace(INSTALL, source=OwnChart("chart", ("a.b=c",)))
    release(programs, place, action=own)
    programs.say("upgrade --install thing")
    assert act(own, place).missing() is None
    (folder / "templates" / "a.yaml").write_text("a: 2")
    assert act(own, place).missing() == "version or values differ"
    assert act(own, place).apply(60).words == "chart"
    assert "--set a.b=c" in programs.calls[-1]


def test_an_object_that_somebody_deleted_is_named(programs: Scripted, place: Place):
    release(programs, place)
    programs.say("get --namespace things --output name", code=1, err='configmaps "a" not found\nmore')
    assert act(INSTALL, place).missing() == 'an object of it is missing: configmaps "a" not found'


def test_a_charts_content_holds_names_files_and_what_it_links_to(tmp_path: Path):
    chart, shared = tmp_path / "chart", tmp_path / "lib"
    chart.mkdir()
    shared.mkdir()
    (shared / "_a.tpl").write_text("a")
    (chart / "lib").symlink_to(shared)
    before = content(chart)
    (shared / "_a.tpl").rename(shared / "_b.tpl")
    renamed = content(chart)
    (shared / "_b.tpl").write_text("b")
    assert len({before, renamed, content(chart)}) == 3


@pytest.mark.parametrize(
    ("held", "there", "missing"),
    [
        ("", "", "those of v1.2.3 were not applied yet"),
        (f"{replace(CHART, version='v1')}\na.x b.x", "a.x\nb.x", "those of v1.2.3 were not applied yet"),
        (f"{CHART}\na.x b.x", "a.x  2026\nb.x  2026\nc.y  2026", None),
        (f"{CHART}\na.x b.x", "a.x  2026", "b.x is gone"),
    ],
    ids=["none", "another version", "all", "one less"],
)
def test_definitions_are_compared_by_chart_and_name(
    programs: Scripted, place: Place, held: str, there: str, missing: str | None
):
    programs.say("get configmap serinus-gateway-definitions", held)
    programs.say("get customresourcedefinitions --no-headers", there)
    assert act(DEFINITIONS, place).missing() == missing


def test_definitions_are_applied_and_remembered(programs: Scripted, place: Place):
    programs.say("show crds", "kind: CustomResourceDefinition\n")
    programs.say("apply --server-side").say("get --filename -", "a.x b.x")
    assert act(DEFINITIONS, place).apply(60).words == "2 definitions"
    assert '"names": "a.x b.x"' in programs.given
    assert str(CHART) in programs.given


def test_a_failed_job_is_deleted_before_it_is_applied_again(programs: Scripted, place: Place):
    programs.say("get job load", "True").say("delete job load").say("apply --server-side")
    manifests = act(ApplyManifests(("job.yaml",)), place)
    assert manifests.missing() == "Job load failed"
    assert manifests.apply(60).words == "job.yaml"
    deleted, applied = programs.calls[-2:]
    assert "delete job load --namespace things" in deleted
    assert "apply" in applied


@pytest.mark.parametrize(("code", "missing"), [(0, None), (1, "manifests differ"), (2, "manifests differ")])
def test_the_server_says_whether_manifests_differ(
    programs: Scripted, place: Place, code: int, missing: str | None
):
    programs.say("get job load", "").say("diff --server-side", code=code)
    assert act(ApplyManifests(("job.yaml",)), place).missing() == missing
