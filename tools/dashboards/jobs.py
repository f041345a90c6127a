"""Jobs: what runs, what failed, how long it takes and when each schedule last succeeded."""

from tools.dashboards.board import HALF, QUARTER, WHOLE, Query, board, choice, lines, number, rows

CHOSEN = 'namespace=~"$namespace"'
# Labels of a model's Jobs: which model, which verb.
NAMED = f"""
  * on (namespace, job_name) group_left (label_serinus_dev_model, label_serinus_dev_verb)
    kube_job_labels{{{CHOSEN}}}
"""

BOARD = board(
    "jobs",
    "Jobs",
    "Jobs and CronJobs of models and of the platform.",
    [
        (
            "Now",
            [
                number(
                    "Running",
                    "Pods of Jobs that run.",
                    "short",
                    Query(f"sum(kube_job_status_active{{{CHOSEN}}})"),
                    width=QUARTER,
                ),
                number(
                    "Succeeded",
                    "Jobs that are kept and succeeded.",
                    "short",
                    Query(f'sum(kube_job_complete{{{CHOSEN}, condition="true"}})'),
                ),
                number(
                    "Failed",
                    "Jobs that are kept and gave up.",
                    "short",
                    Query(f'sum(kube_job_failed{{{CHOSEN}, condition="true"}}) or vector(0)'),
                    bad_above=1,
                ),
                number(
                    "Schedules suspended",
                    "CronJobs that are templates: they run when someone, or the operator, says so.",
                    "short",
                    Query(f"sum(kube_cronjob_spec_suspend{{{CHOSEN}}})"),
                ),
            ],
        ),
        (
            "Runs",
            [
                lines(
                    "Jobs by state",
                    "Of those that are kept: history limits and time limits take old ones away.",
                    "short",
                    Query(f"sum(kube_job_status_active{{{CHOSEN}}})", "running"),
                    Query(f'sum(kube_job_complete{{{CHOSEN}, condition="true"}})', "succeeded"),
                    Query(f'sum(kube_job_failed{{{CHOSEN}, condition="true"}}) or vector(0)', "failed"),
                ),
                lines(
                    "Pods that failed",
                    "By Job. A Job may still succeed: it tries again.",
                    "short",
                    Query(
                        f"sum by (namespace, job_name) (kube_job_status_failed{{{CHOSEN}}})", "{{job_name}}"
                    ),
                ),
                rows(
                    "How long Jobs took",
                    "Seconds from start to success, with the model and the verb that their labels name.",
                    Query(
                        f"""
                        (kube_job_status_completion_time{{{CHOSEN}}} - kube_job_status_start_time{{{CHOSEN}}})
                        {NAMED}
                        """
                    ),
                    unit="s",
                    width=WHOLE,
                ),
            ],
        ),
        (
            "Schedules",
            [
                rows(
                    "CronJobs",
                    "1 is suspended: a template, run by hand or by the operator.",
                    Query(
                        f"max by (namespace, cronjob, schedule) (kube_cronjob_info{{{CHOSEN}}})"
                        " * on (namespace, cronjob) group_left () kube_cronjob_spec_suspend"
                    ),
                    width=HALF,
                ),
                lines(
                    "Use of Jobs' pods",
                    "CPU cores of pods that a Job made, by namespace.",
                    "short",
                    Query(
                        f"""
                        sum by (namespace) (
                          serinus:pod_cpu_used_cores{{{CHOSEN}}}
                          * on (namespace, pod) group_left ()
                            max by (namespace, pod) (kube_pod_owner{{{CHOSEN}, owner_kind="Job"}}))
                        or sum by (namespace) (kube_pod_owner{{{CHOSEN}, owner_kind="Job"}}) * 0
                        """,
                        "{{namespace}}",
                    ),
                ),
            ],
        ),
    ],
    variables=[choice("namespace", "Namespace", "label_values(kube_job_info, namespace)")],
    since="now-24h",
)
