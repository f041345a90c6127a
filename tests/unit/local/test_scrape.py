"""From expositions to the judge's counters."""

from serinus_local.scrape import counts
from serinus_operator.adapters.prometheus_text import parse
from serinus_operator.rollout.counters import Counts

ENVOY = """\
# TYPE envoy_cluster_upstream_rq_completed counter
envoy_cluster_upstream_rq_completed{envoy_cluster_name="slot-0"} 100
envoy_cluster_upstream_rq_completed{envoy_cluster_name="slot-1"} 40
# TYPE envoy_cluster_upstream_rq_xx counter
envoy_cluster_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="slot-1"} 37
envoy_cluster_upstream_rq_xx{envoy_response_code_class="5",envoy_cluster_name="slot-1"} 3
"""
SERVER = """\
# TYPE ml_prediction_duration_seconds histogram
ml_prediction_duration_seconds_bucket{model="churn",revision="b",le="0.05"} 35
ml_prediction_duration_seconds_bucket{model="churn",revision="b",le="+Inf"} 37
ml_prediction_duration_seconds_count{model="churn",revision="b"} 37
# TYPE serinus_invalid_outputs_total counter
serinus_invalid_outputs_total{model="churn",revision="b"} 1
# TYPE ml_predictions_total counter
ml_predictions_total{model="churn",revision="b",prediction="no"} 30
ml_predictions_total{model="churn",revision="b",prediction="yes"} 6
"""


def test_requests_and_errors_are_envoys_and_the_rest_is_the_servers():
    found = counts(parse(ENVOY), parse(SERVER), 1, "b", 0.05)
    assert found == Counts(requests=40, errors=3, slow=2, invalid=1, predictions={"no": 30, "yes": 6})


def test_an_arm_without_counters_on_either_side_is_unknown_not_zero():
    assert counts(parse(""), parse(SERVER), 1, "b", 0.05) is None
    assert counts(parse(ENVOY), parse(""), 1, "b", 0.05) is None
    assert counts(parse(ENVOY), parse(SERVER), 1, "another revision", 0.05) is None


def test_no_error_yet_is_zero_errors():
    found = counts(parse(ENVOY), parse(SERVER.replace('"b"', '"a"')), 0, "a", 0.05)
    assert found is not None
    assert (found.requests, found.errors) == (100, 0)
