"""A Prometheus of somebody else's, in another namespace: who has to let it in does."""

from pathlib import Path

from tests.support import charts

THEIRS = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "theirs"}}}
VALUES = {
    "global": {"prometheus": {"from": [THEIRS]}},
    "monitoring": {
        "prometheus": {"enabled": False, "scrape": {"podMonitors": True}},
        "grafana": {"prometheusUrl": "http://theirs.theirs:9090"},
    },
}
# Whose metrics nobody scrapes.
SILENT = {"serinus-mlflow", "serinus-postgresql", "serinus-redis", "serinus-log-redis"}


def test_whoever_tells_metrics_lets_it_in_and_nobody_else(helm: Path):
    documents = charts.objects(charts.template(helm, "platform", VALUES))
    policies = [each for each in documents if each["kind"] == "NetworkPolicy"]
    open_to = {
        each["metadata"]["name"]
        for each in policies
        for rule in each["spec"].get("ingress") or []
        if THEIRS in rule.get("from", [])
    }
    told = {"operator", "models", "kube-state-metrics", "redis-exporters", "alertmanager", "grafana"}
    assert open_to == {f"serinus-{part}" for part in told}
    assert {each["metadata"]["name"] for each in policies} >= SILENT
