"""Capacity and cost: what is there, held, used; how models scale; what each costs."""

from tools.dashboards.board import HALF, QUARTER, THIRD, Query, board, choice, lines, number, rows

CHOSEN = 'namespace=~"$namespace"'
# The InferenceService of a pod, from the label that KServe puts on it.
OF_MODEL = f"""
  * on (namespace, pod) group_left (label_serving_kserve_io_inferenceservice)
    kube_pod_labels{{{CHOSEN}, label_serving_kserve_io_inferenceservice!=""}}
"""
BY_MODEL = "sum by (namespace, label_serving_kserve_io_inferenceservice)"
CPU = f"serinus:pod_cpu_used_cores{{{CHOSEN}}}"
MEMORY = f"serinus:pod_memory_used_bytes{{{CHOSEN}}}"
ALLOCATABLE = 'sum(kube_node_status_allocatable{{resource="{}"}})'
REQUESTED = 'sum by (namespace, pod) (kube_pod_container_resource_requests{resource="cpu"})'
USED = "serinus:pod_cpu_used_cores"
MODEL = "{{label_serving_kserve_io_inferenceservice}}"

BOARD = board(
    "capacity",
    "Capacity and cost",
    "Nodes, autoscalers and what the pods of each model hold, use and cost.",
    [
        (
            "Nodes",
            [
                number(
                    "CPU used",
                    "Share of the nodes' allocatable cores.",
                    "percentunit",
                    Query(
                        "sum(rate(node_cpu_usage_seconds_total[5m]))"
                        ' / sum(kube_node_status_allocatable{resource="cpu"})'
                    ),
                    bad_above=0.9,
                ),
                number(
                    "CPU requested",
                    "Share that pods hold: at 1 no pod with a request starts any more.",
                    "percentunit",
                    Query(
                        """
                        sum(kube_pod_container_resource_requests{resource="cpu"}
                          * on (namespace, pod) group_left () (kube_pod_status_phase{phase="Running"} == 1))
                        / sum(kube_node_status_allocatable{resource="cpu"})
                        """
                    ),
                    bad_above=0.95,
                ),
                number(
                    "Memory used",
                    "Share of the nodes' allocatable memory.",
                    "percentunit",
                    Query(f"sum(node_memory_working_set_bytes) / {ALLOCATABLE.format('memory')}"),
                    bad_above=0.9,
                ),
                number(
                    "Pods",
                    "Share of the pods that the nodes take.",
                    "percentunit",
                    Query(
                        'sum(kube_pod_status_phase{phase="Running"})'
                        ' / sum(kube_node_status_allocatable{resource="pods"})'
                    ),
                    bad_above=0.9,
                    width=QUARTER,
                ),
                lines(
                    "CPU by namespace",
                    "Cores in use.",
                    "short",
                    Query(
                        f"sum by (namespace) ({CPU})",
                        "{{namespace}}",
                    ),
                    stacked=True,
                ),
                lines(
                    "Memory by namespace",
                    "Working set.",
                    "bytes",
                    Query(
                        f"sum by (namespace) ({MEMORY})",
                        "{{namespace}}",
                    ),
                    stacked=True,
                ),
            ],
        ),
        (
            "Models",
            [
                lines(
                    "CPU of models",
                    "Cores that a model's pods use.",
                    "short",
                    Query(
                        f"{BY_MODEL} ({CPU} {OF_MODEL})",
                        MODEL,
                    ),
                    width=THIRD,
                ),
                lines(
                    "Memory of models",
                    "Working set of a model's pods.",
                    "bytes",
                    Query(
                        f"{BY_MODEL} ({MEMORY} {OF_MODEL})",
                        MODEL,
                    ),
                    width=THIRD,
                ),
                lines(
                    "Pods by autoscaler",
                    "Now, wanted and at most. At most for long: see its runbook.",
                    "short",
                    *(
                        Query(
                            f"kube_horizontalpodautoscaler_{series}{{{CHOSEN}}}",
                            f"{{{{horizontalpodautoscaler}}}} {what}",
                        )
                        for series, what in (
                            ("status_current_replicas", "now"),
                            ("status_desired_replicas", "wanted"),
                            ("spec_max_replicas", "at most"),
                        )
                    ),
                    width=THIRD,
                ),
            ],
        ),
        (
            "Cost, at the prices of the chart's values",
            [
                number(
                    "Everything, an hour",
                    "What all pods hold or use, whichever is more, at the prices in the chart's `costs`.",
                    "currencyUSD",
                    Query("sum(serinus:pod_cost_per_hour)"),
                ),
                number(
                    "Models, an hour",
                    "The share of it that pods of models make.",
                    "currencyUSD",
                    Query(f"sum(serinus:pod_cost_per_hour{{{CHOSEN}}} {OF_MODEL})"),
                ),
                number(
                    "Held but unused CPU",
                    "Share of requested cores that nobody uses.",
                    "percentunit",
                    Query(
                        f"""
                        1 - sum(clamp_max({USED} / on (namespace, pod) ({REQUESTED} > 0), 1)
                            * on (namespace, pod) {REQUESTED})
                          / sum({REQUESTED} and on (namespace, pod) {USED})
                        """
                    ),
                ),
                number(
                    "1,000 predictions",
                    "Cost of the models' pods over the rows they answer, by the last five minutes.",
                    "currencyUSD",
                    Query(
                        f"""
                        1000 * sum(serinus:pod_cost_per_hour{{{CHOSEN}}} {OF_MODEL})
                        / (3600 * sum(serinus:model_rows:rate5m{{{CHOSEN}}}) > 0)
                        """
                    ),
                ),
                rows(
                    "An hour of each model",
                    "By InferenceService.",
                    Query(f"{BY_MODEL} (serinus:pod_cost_per_hour{{{CHOSEN}}} {OF_MODEL})"),
                    unit="currencyUSD",
                    width=HALF,
                ),
                lines(
                    "Cost by namespace",
                    "An hour.",
                    "currencyUSD",
                    Query(f"sum by (namespace) (serinus:pod_cost_per_hour{{{CHOSEN}}})", "{{namespace}}"),
                    stacked=True,
                ),
            ],
        ),
    ],
    variables=[choice("namespace", "Namespace", "label_values(kube_pod_info, namespace)")],
)
