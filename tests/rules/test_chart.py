"""The chart as rendered for a cluster that has a part of it already, and the configuration that it writes."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import charts

ABSENT = {
    "prometheus": {"enabled": False},
    "alertmanager": {"enabled": False},
    "grafana": {"enabled": False},
    "kubeStateMetrics": {"enabled": False},
}


def named(helm: Path, values: dict[str, Any]) -> dict[tuple[str, str], charts.Object]:
    rendered = charts.objects(charts.template(helm, "monitoring", values))
    return {(each["kind"], each["metadata"]["name"]): each for each in rendered}


def test_the_configuration_is_one_that_prometheus_takes(helm: Path, promtool: Path, tmp_path: Path):
    values = {
        "redisExporter": {"targets": [{"part": "redis"}]},
        "prometheus": {
            "remoteWrite": [{"url": "https://example.com/write"}],
            "scrape": {"extra": [{"job_name": "mine", "static_configs": [{"targets": ["mine:1"]}]}]},
        },
    }
    written = named(helm, values)[("ConfigMap", "serinus-prometheus")]["data"]
    for name, text in written.items():
        (tmp_path / name).write_text(text.replace("/etc/prometheus/", f"{tmp_path}/"))
    done = subprocess.run(
        [promtool, "check", "config", "--syntax-only", tmp_path / "prometheus.yaml"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    scraped = [each["job_name"] for each in yaml.safe_load(written["scrape.yaml"])["scrape_configs"]]
    assert {"model-servers", "envoy", "pods", "nodes", "volumes", "redis", "mine"} <= set(scraped)
    assert len(scraped) == len(set(scraped))


def test_a_cluster_with_its_own_monitoring_gets_rules_boards_and_nothing_that_runs(helm: Path):
    values = {
        **ABSENT,
        "alerts": {"prometheusRule": True, "prometheusRuleLabels": {"release": "theirs"}},
        "prometheus": {
            "enabled": False,
            "scrape": {"podMonitors": True, "podMonitorLabels": {"release": "theirs"}},
        },
    }
    found = named(helm, values)
    assert sorted(found) == [
        ("ConfigMap", "serinus-dashboards"),
        ("ConfigMap", "serinus-prometheus"),
        ("ConfigMap", "serinus-prometheus-rules"),
        ("NetworkPolicy", "serinus-monitoring-deny"),
        ("PodMonitor", "serinus-envoy"),
        ("PodMonitor", "serinus-model-servers"),
        ("PodMonitor", "serinus-pods"),
        ("PrometheusRule", "serinus-rules"),
    ]
    theirs = [each for (kind, _), each in found.items() if kind in ("PodMonitor", "PrometheusRule")]
    assert {each["metadata"]["labels"]["release"] for each in theirs} == {"theirs"}
    # The alerting itself is watched by who runs it.
    files = dict(found[("ConfigMap", "serinus-prometheus-rules")]["data"])
    assert "SerinusWatchdog" in files.pop("monitoring.yaml")
    groups = [group for text in files.values() for group in yaml.safe_load(text)["groups"]]
    assert found[("PrometheusRule", "serinus-rules")]["spec"]["groups"] == groups


def relabelled(configs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return relabelings of a PodMonitor in Prometheus' own words."""
    words = {"sourceLabels": "source_labels", "targetLabel": "target_label"}
    return [{words.get(key, key): value for key, value in each.items()} for each in configs]


def test_a_prometheus_operator_scrapes_what_ours_scrapes(helm: Path):
    values = {
        "redisExporter": {"targets": [{"part": "redis"}, {"part": "log-redis"}]},
        "prometheus": {"scrape": {"podMonitors": True}},
    }
    found = named(helm, values)
    text = found[("ConfigMap", "serinus-prometheus")]["data"]["scrape.yaml"]
    ours = {each["job_name"]: each for each in yaml.safe_load(text)["scrape_configs"]}
    endpoints = {
        name.removeprefix("serinus-"): each["spec"]["podMetricsEndpoints"][0]
        for (kind, name), each in found.items()
        if kind == "PodMonitor"
    }
    # Kubelets are that operator's own to scrape, and so are Alertmanager and Grafana.
    absent = {"nodes", "volumes", "alertmanager", "grafana"}
    assert set(endpoints) == set(ours) - absent - {"redis", "log-redis"} | {"redis-exporters"}
    for job in ("model-servers", "envoy", "pods"):
        given = relabelled(endpoints[job]["relabelings"])
        # The same steps, but for pods left to the other jobs; then the job, and one target of many.
        steps = [each for each in ours[job]["relabel_configs"] if each.get("regex") != ".+"]
        assert given[:-2] == [each for each in steps if each.get("regex") != "envoy-gateway;proxy"]
        assert given[-2] == {"target_label": "job", "replacement": job}
        assert given[-1] == {"action": "labeldrop", "regex": "container|endpoint"}
        assert endpoints[job]["interval"] == ours[job].get("scrape_interval", "30s")
        assert endpoints[job].get("honorLabels") == ours[job].get("honor_labels")
        kept = relabelled(endpoints[job].get("metricRelabelings", []))
        assert kept == ours[job].get("metric_relabel_configs", [])


def test_a_prometheus_that_is_there_is_let_in(helm: Path):
    theirs = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    values = {
        "global": {"prometheus": {"from": [theirs]}},
        "redisExporter": {"targets": [{"part": "redis"}]},
    }
    found = named(helm, values)
    open_to = {
        name.removeprefix("serinus-")
        for (kind, name), each in found.items()
        if kind == "NetworkPolicy"
        for rule in each["spec"].get("ingress", [])
        if theirs in rule["from"]
    }
    assert open_to == {"alertmanager", "grafana", "kube-state-metrics", "redis-exporters"}


def test_a_grafana_may_ask_another_prometheus(helm: Path):
    values = {**ABSENT, "grafana": {"enabled": True, "prometheusUrl": "http://theirs.monitoring:9090"}}
    found = named(helm, values)
    source = yaml.safe_load(found[("ConfigMap", "serinus-grafana")]["data"]["datasource.yaml"])
    assert [each["url"] for each in source["datasources"]] == ["http://theirs.monitoring:9090"]
    assert found[("NetworkPolicy", "serinus-grafana")]["spec"]["egress"][-1] in ({}, None)


def test_alertmanagers_that_are_there_are_told(helm: Path):
    values = {"alertmanager": {"enabled": False, "external": ["theirs.monitoring:9093"]}}
    config = yaml.safe_load(
        named(helm, values)[("ConfigMap", "serinus-prometheus")]["data"]["prometheus.yaml"]
    )
    (told,) = config["alerting"]["alertmanagers"]
    assert told["static_configs"] == [{"targets": ["theirs.monitoring:9093"]}]


@pytest.mark.parametrize(
    ("values", "named_in_it"),
    [
        ({"alerts": {"models": {"churn": {"accurcy": 0.9}}}}, "accurcy"),
        ({"redisExporter": {"targets": [{"name": "theirs", "address": "theirs:6379"}]}}, "targets/0"),
        ({"prometheus": {"retention": {"time": "two weeks"}}}, "two weeks"),
        ({"prometheus": {"enabled": False}}, r"name yours in grafana\.prometheusUrl"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_by_name(
    helm: Path, values: dict[str, Any], named_in_it: str
):
    with pytest.raises(charts.Refused, match=named_in_it):
        charts.template(helm, "monitoring", values)
