"""Charts are finished as upstream's release does it; the disk budget adds up."""

import pytest

from serinus_airgap.charts import PLACES, fill, folder, released
from serinus_airgap.daemon import local_name
from serinus_airgap.reading import DescriptionError
from serinus_airgap.sizes import BUDGET, GB, parse_docker, parse_size, shares, still_needed


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("image: ${A}", "image: x:1"),
        ("${A}${A}", "x:1x:1"),
        ("${B} $A", "${B} $A"),
        ("{{ .Values.a }}", "{{ .Values.a }}"),
    ],
)
def test_values_are_filled_in_as_upstreams_release_does(template: str, filled: str):
    assert fill(template, {"A": "x:1"}) == filled


def test_a_chart_carries_the_released_version():
    chart = 'name: a\nversion: v0.0.0-latest\nappVersion: "latest"\ndependencies:\n  - version: "0.0.0"\n'
    assert released(chart, "v1.2.3") == (
        'name: a\nversion: v1.2.3\nappVersion: v1.2.3\ndependencies:\n  - version: "0.0.0"\n'
    )


def test_an_unknown_chart_is_answered_with_the_known_ones():
    with pytest.raises(
        DescriptionError, match=f"no chart is called 'kserv'; there are {', '.join(sorted(PLACES))}"
    ):
        folder("kserv", {})


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("registry.k8s.io/coredns/coredns:v1", "r:5/coredns/coredns:v1"),
        ("docker.io/envoyproxy/gateway:v1", "r:5/envoyproxy/gateway:v1"),
        ("kserve/agent:v1", "r:5/kserve/agent:v1"),
        ("registry:3", "r:5/library/registry:3"),
        ("localhost:5001/serinus/a:1", "r:5/serinus/a:1"),
    ],
)
def test_a_registry_holds_an_image_under_its_upstream_path(reference: str, name: str):
    assert local_name(reference, "r:5") == name


@pytest.mark.parametrize(
    ("text", "size"), [("0B", 0), ("72.13kB", 72130), ("198MB", 198_000_000), ("1.5GB", 1_500_000_000)]
)
def test_sizes_of_docker_are_read(text: str, size: int):
    assert parse_size(text) == size


def test_what_is_no_size_is_refused():
    with pytest.raises(ValueError, match="not a size of Docker's: '1 ell'"):
        parse_size("1 ell")


def test_docker_tells_images_and_build_cache():
    lines = (
        '{"Type":"Images","Size":"2GB"}',
        '{"Type":"Containers","Size":"1B"}',
        '{"Type":"Build Cache","Size":"1GB"}',
    )
    printed = "\n".join(lines)
    assert parse_docker(printed) == {"Docker images": 2 * GB, "Docker build cache": GB}


@pytest.mark.parametrize(
    ("used", "needed"),
    [
        ({}, sum(BUDGET.values())),
        (BUDGET, 0),
        # More than planned in one place leaves no room in another.
        ({**BUDGET, "binaries": 99 * GB, "Go modules": 0}, BUDGET["Go modules"]),
    ],
)
def test_what_a_build_would_still_write(used: dict[str, int], needed: int):
    assert still_needed(shares(used)) == needed
