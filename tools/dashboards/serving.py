"""Model serving: rate, errors and latency by revision; what a canary is to be compared by."""

from tools.dashboards.board import HALF, THIRD, Query, board, choice, lines, rows

CHOSEN = 'namespace=~"$namespace", model=~"$model"'
EVERY = "[$__rate_interval]"
REVISIONS = "sum by (namespace, model, revision)"
TO_BACKENDS = f"sum by (envoy_cluster_name) (rate(envoy_cluster_upstream_rq_total{EVERY}))"
LISTENERS = '{envoy_http_conn_manager_prefix=~"https?-.+"}'
# Envoy numbers backends; the operator says which revision a number is.
REVISION = """
  * on (envoy_cluster_name) group_left (namespace, route, revision)
    max by (envoy_cluster_name, namespace, route, revision) (
      serinus_route_backend_info{namespace=~"$namespace"})
"""

BOARD = board(
    "serving",
    "Model serving",
    "Requests, errors and latency of models by revision, and where their traffic goes.",
    [
        (
            "In the model servers, by revision",
            [
                lines(
                    "Requests",
                    "A second, by revision: during a canary two lines, as the weights say.",
                    "reqps",
                    Query(
                        f"{REVISIONS} (rate(serinus_requests_total{{{CHOSEN}}}{EVERY}))",
                        "{{model}} {{revision}}",
                    ),
                    width=THIRD,
                ),
                lines(
                    "Errors",
                    "Share of answers 5xx by revision. Refused requests (4xx) are not errors of the server.",
                    "percentunit",
                    Query(
                        f"""
                        sum by (namespace, model, revision) (
                          rate(serinus_requests_total{{{CHOSEN}, code=~"5.."}}{EVERY}))
                        / (sum by (namespace, model, revision) (
                          rate(serinus_requests_total{{{CHOSEN}}}{EVERY})) > 0)
                        """,
                        "{{model}} {{revision}}",
                    ),
                    width=THIRD,
                ),
                lines(
                    "Latency",
                    "50th, 95th and 99th percentile of the time from the whole body to the answer.",
                    "s",
                    *(
                        Query(
                            f"""
                            histogram_quantile({share}, sum by (namespace, model, revision, le) (
                              rate(ml_prediction_duration_seconds_bucket{{{CHOSEN}}}{EVERY})))
                            """,
                            f"{{{{model}}}} {{{{revision}}}} {share:.0%}",
                        )
                        for share in (0.5, 0.95, 0.99)
                    ),
                    width=THIRD,
                ),
                lines(
                    "Answers by status",
                    "A second. A rise of 4xx after a rollout of a client is the client's.",
                    "reqps",
                    Query(
                        f"sum by (model, code) (rate(serinus_requests_total{{{CHOSEN}}}{EVERY})) > 0",
                        "{{model}} {{code}}",
                    ),
                    width=THIRD,
                ),
                lines(
                    "Predictions by class",
                    "Rows a second. Their shares shift when the world does, or when a revision is wrong.",
                    "rowsps",
                    Query(
                        "sum by (model, revision, prediction)"
                        f" (rate(ml_predictions_total{{{CHOSEN}}}{EVERY}))",
                        "{{model}} {{revision}} {{prediction}}",
                    ),
                    width=THIRD,
                    stacked=True,
                ),
                lines(
                    "Invalid outputs",
                    "Rows a second whose output was no probability vector. Any at all is a broken model.",
                    "rowsps",
                    Query(
                        f"sum by (model, revision) (rate(serinus_invalid_outputs_total{{{CHOSEN}}}{EVERY}))",
                        "{{model}} {{revision}}",
                    ),
                    width=THIRD,
                ),
            ],
        ),
        (
            "Through the gateway, by revision",
            [
                lines(
                    "Weights in force",
                    "Percent of a route's traffic by revision, as the operator has written it.",
                    "percent",
                    Query('serinus_route_weight{namespace=~"$namespace"}', "{{route}} {{revision}}"),
                    width=THIRD,
                    stacked=True,
                ),
                lines(
                    "Requests to backends",
                    "A second, as Envoy counts them: what reached no pod is here too.",
                    "reqps",
                    Query(
                        f"{TO_BACKENDS} {REVISION}",
                        "{{route}} {{revision}}",
                    ),
                    width=THIRD,
                ),
                lines(
                    "Errors of backends",
                    "Share of answers 5xx by revision, connections that failed included.",
                    "percentunit",
                    Query(
                        f"""
                        (sum by (envoy_cluster_name) (
                            rate(envoy_cluster_upstream_rq_xx{{envoy_response_code_class="5"}}{EVERY}))
                          or {TO_BACKENDS} * 0)
                        / ({TO_BACKENDS} > 0)
                        {REVISION}
                        """,
                        "{{route}} {{revision}}",
                    ),
                    width=THIRD,
                ),
                lines(
                    "Time of backends",
                    "95th percentile by revision, network included.",
                    "ms",
                    Query(
                        f"""
                        histogram_quantile(0.95, sum by (envoy_cluster_name, le) (
                          rate(envoy_cluster_upstream_rq_time_bucket{{envoy_cluster_name=~"httproute/.+"}}{EVERY})))
                        {REVISION}
                        """,
                        "{{route}} {{revision}}",
                    ),
                    width=THIRD,
                ),
                lines(
                    "Healthy pods behind a route",
                    "Endpoints that Envoy knows and holds for healthy. 0 with weight is a share of 503.",
                    "short",
                    Query(
                        f"max by (envoy_cluster_name) (envoy_cluster_membership_healthy) {REVISION}",
                        "{{route}} {{revision}}",
                    ),
                    width=THIRD,
                ),
                lines(
                    "Refused at the gate",
                    "Requests a second that reached no route, or no backend.",
                    "reqps",
                    Query(
                        f"sum(rate(envoy_http_no_route{LISTENERS}{EVERY}))",
                        "no route",
                    ),
                    Query(
                        f"sum(rate(envoy_http_no_cluster{LISTENERS}{EVERY}))",
                        "no backend",
                    ),
                    width=THIRD,
                ),
            ],
        ),
        (
            "What is served",
            [
                rows(
                    "Models",
                    "Each served model with its revision, its version in the registry, and its pods.",
                    Query(f"count by (namespace, model, revision, version) (serinus_model_info{{{CHOSEN}}})"),
                    width=HALF,
                ),
                rows(
                    "Accuracy",
                    "The newest evaluated or labelled accuracy by revision.",
                    Query(f"max by (namespace, model, revision) (ml_model_accuracy{{{CHOSEN}}})"),
                    unit="percentunit",
                    width=HALF,
                ),
            ],
        ),
    ],
    variables=[
        choice("namespace", "Namespace", "label_values(serinus_model_info, namespace)"),
        choice("model", "Model", 'label_values(serinus_model_info{namespace=~"$namespace"}, model)'),
    ],
)
