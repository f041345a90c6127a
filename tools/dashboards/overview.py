"""Platform overview: is anything wrong, and where to look next."""

from tools.dashboards.board import HALF, Query, board, lines, number, rows

BOARD = board(
    "overview",
    "Platform overview",
    "Whether models answer, and whether what they stand on is well.",
    [
        (
            "At a glance",
            [
                number(
                    "Models ready",
                    "InferenceServices that are Ready.",
                    "short",
                    Query('sum(serinus_inferenceservice_condition{condition="Ready"})'),
                ),
                number(
                    "Models not ready",
                    "InferenceServices that exist and are not Ready.",
                    "short",
                    Query('count(serinus_inferenceservice_condition{condition="Ready"} == 0) or vector(0)'),
                    bad_above=1,
                ),
                number(
                    "Requests",
                    "Requests that the gateway takes a second.",
                    "reqps",
                    Query("sum(serinus:gateway_requests:rate5m)"),
                ),
                number(
                    "Errors",
                    "Share of answers 5xx, as clients see it.",
                    "percentunit",
                    Query("max(serinus:gateway_errors:ratio5m) or vector(0)"),
                    bad_above=0.01,
                ),
                number(
                    "Alerts firing",
                    "Without the watchdog, which always fires.",
                    "short",
                    Query('count(ALERTS{alertstate="firing", alertname!="SerinusWatchdog"}) or vector(0)'),
                    bad_above=1,
                ),
                number(
                    "Parts down",
                    "Deployments and StatefulSets of the platform without an available pod.",
                    "short",
                    Query(
                        """
                        (count((kube_deployment_status_replicas_available == 0)
                          and on (namespace, deployment)
                            kube_deployment_labels{label_app_kubernetes_io_part_of="serinus"}) or vector(0))
                        + (count((kube_statefulset_status_replicas_ready == 0)
                          and on (namespace, statefulset)
                            kube_statefulset_labels{label_app_kubernetes_io_part_of="serinus"}) or vector(0))
                        """
                    ),
                    bad_above=1,
                ),
                number(
                    "Targets down",
                    "What Prometheus cannot reach: boards are blind there.",
                    "short",
                    Query("count(up == 0) or vector(0)"),
                    bad_above=1,
                ),
                number(
                    "Jobs failed",
                    "Jobs that have given up, of those still kept.",
                    "short",
                    Query('sum(kube_job_failed{condition="true"}) or vector(0)'),
                    bad_above=1,
                ),
            ],
        ),
        (
            "The way in",
            [
                lines(
                    "Answers of the gateway",
                    "By class of status. 4xx are clients' mistakes, 401 and 429 among them; 5xx are ours.",
                    "reqps",
                    Query(
                        "sum by (envoy_response_code_class) (serinus:gateway_requests:rate5m)",
                        "{{envoy_response_code_class}}xx",
                    ),
                    stacked=True,
                ),
                lines(
                    "Time in the gateway",
                    "From the request's arrival to the answer's end, network to the model included.",
                    "ms",
                    *(
                        Query(
                            f"""
                            histogram_quantile({share}, sum by (le) (rate(
                              envoy_http_downstream_rq_time_bucket{{envoy_http_conn_manager_prefix=~"https?-.+"}}[5m])))
                            """,
                            f"{share:.0%}",
                        )
                        for share in (0.5, 0.95, 0.99)
                    ),
                ),
            ],
        ),
        (
            "The platform's parts",
            [
                rows(
                    "Alerts",
                    "What fires or is about to, the watchdog included.",
                    Query(
                        "count by (alertname, alertstate, severity, namespace, model) (ALERTS)",
                    ),
                    width=HALF,
                ),
                rows(
                    "Pods available",
                    "By part. 0 is a part that is down.",
                    Query(
                        """
                        kube_deployment_status_replicas_available
                          * on (namespace, deployment) group_left (label_app_kubernetes_io_component)
                            kube_deployment_labels{label_app_kubernetes_io_part_of="serinus"}
                        or kube_statefulset_status_replicas_ready
                          * on (namespace, statefulset) group_left (label_app_kubernetes_io_component)
                            kube_statefulset_labels{label_app_kubernetes_io_part_of="serinus"}
                        """
                    ),
                    width=HALF,
                ),
                lines(
                    "Restarts",
                    "Of containers, within a quarter of an hour.",
                    "short",
                    Query(
                        "sum by (namespace, pod)"
                        " (increase(kube_pod_container_status_restarts_total[15m])) > 0 or vector(0)",
                        "{{namespace}}/{{pod}}",
                    ),
                ),
                lines(
                    "Memory",
                    "Working set by namespace.",
                    "bytes",
                    Query(
                        "sum by (namespace) (serinus:pod_memory_used_bytes)",
                        "{{namespace}}",
                    ),
                    stacked=True,
                ),
            ],
        ),
    ],
)
