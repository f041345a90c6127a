"""Prometheus' text format to counters."""

import pytest

from serinus_operator.adapters.prometheus_text import MetricsUnreadable, parse

TEXT = """\
# TYPE envoy_cluster_upstream_rq_completed counter
envoy_cluster_upstream_rq_completed{envoy_cluster_name="slot-0"} 575
envoy_cluster_upstream_rq_completed{envoy_cluster_name="slot-1"} 626
# HELP ml_predictions_total rows
# TYPE ml_predictions_total counter
ml_predictions_total{model="churn",revision="a",prediction="no"} 8.0
ml_predictions_total{model="churn",revision="a",prediction="yes"} 2.0
ml_predictions_total{model="churn",revision="b",prediction="no"} 1.0
# TYPE ml_prediction_duration_seconds histogram
ml_prediction_duration_seconds_bucket{revision="a",le="0.05"} 7
ml_prediction_duration_seconds_bucket{revision="a",le="0.1"} 9
ml_prediction_duration_seconds_bucket{revision="a",le="+Inf"} 10
ml_prediction_duration_seconds_sum{revision="a"} 1.5
ml_prediction_duration_seconds_count{revision="a"} 10
broken_counter NaN
negative_counter -1
"""
FOUND = parse(TEXT)


@pytest.mark.parametrize(
    ("name", "labels", "total"),
    [
        ("envoy_cluster_upstream_rq_completed", {}, 1201),
        ("envoy_cluster_upstream_rq_completed", {"envoy_cluster_name": "slot-1"}, 626),
        ("ml_predictions_total", {"revision": "a"}, 10),
        ("ml_predictions_total", {"revision": "c"}, None),
        ("no_such_metric", {}, None),
    ],
)
def test_counters_are_summed_over_what_matches(name, labels, total):
    assert FOUND.total(name, **labels) == total


def test_counters_are_kept_apart_by_a_label():
    assert FOUND.by_label("ml_predictions_total", "prediction", revision="a") == {"no": 8, "yes": 2}
    assert FOUND.by_label("ml_predictions_total", "prediction", revision="c") == {}


@pytest.mark.parametrize(("edge", "slow"), [(0.05, 3), (0.1, 1)])
def test_what_was_slower_than_an_edge_is_a_count(edge, slow):
    assert FOUND.slower_than("ml_prediction_duration_seconds", edge, revision="a") == slow


def test_a_histogram_that_is_not_there_is_none():
    assert FOUND.slower_than("ml_prediction_duration_seconds", 0.05, revision="b") is None


def test_an_objective_between_two_edges_is_refused_with_the_edges():
    with pytest.raises(MetricsUnreadable, match=r"0\.07 is no bucket edge; edges are \+Inf, 0\.05, 0\.1"):
        FOUND.slower_than("ml_prediction_duration_seconds", 0.07)


@pytest.mark.parametrize("name", ["broken_counter", "negative_counter"])
def test_a_value_that_no_counter_has_is_refused(name):
    with pytest.raises(MetricsUnreadable, match=name):
        FOUND.total(name)


@pytest.mark.parametrize("text", ["<html>502 Bad Gateway</html>", 'a{b="c" 1', "a one"])
def test_other_text_is_refused(text):
    with pytest.raises(MetricsUnreadable):
        parse(text)
