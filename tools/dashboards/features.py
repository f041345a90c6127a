"""Features and Redis: what degrades answers without an error, and the stores behind it."""

from tools.dashboards.board import THIRD, Query, board, choice, lines

CHOSEN = 'namespace=~"$namespace", model=~"$model"'
EVERY = "[$__rate_interval]"
STORE = 'redis=~"$redis"'
# The exporters are asked every 30 s, and Grafana's own interval goes by the fastest targets.
STEADY = "[5m]"

BOARD = board(
    "features",
    "Features and Redis",
    "Online features as models got them, the prediction log, and the two Redis behind them.",
    [
        (
            "Online features in answers",
            [
                lines(
                    "Degraded rows",
                    "Share of rows answered with defaults because the store was late or down.",
                    "percentunit",
                    Query(
                        f"""
                        sum by (model, revision) (rate(serinus_degraded_rows_total{{{CHOSEN}}}{EVERY}))
                        / (sum by (model, revision) (rate(ml_predictions_total{{{CHOSEN}}}{EVERY})) > 0)
                        """,
                        "{{model}} {{revision}}",
                    ),
                    width=THIRD,
                ),
                lines(
                    "Defaults by feature",
                    "Values a second that a declared default filled: absent in the store or in the request.",
                    "cps",
                    Query(
                        f"sum by (model, feature) (rate(serinus_defaulted_values_total{{{CHOSEN}}}{EVERY}))",
                        "{{model}} {{feature}}",
                    ),
                    width=THIRD,
                ),
                lines(
                    "Stale values by view",
                    "Values a second beyond their view's ttl: materialization is behind.",
                    "cps",
                    Query(
                        f"sum by (model, view) (rate(serinus_stale_values_total{{{CHOSEN}}}{EVERY}))",
                        "{{model}} {{view}}",
                    ),
                    width=THIRD,
                ),
            ],
        ),
        (
            "Prediction log",
            [
                lines(
                    "Logged and lost",
                    "Rows a second. Dropped: buffer full or sink down. Trimmed: cut off uncollected.",
                    "rowsps",
                    *(
                        Query(
                            f"sum by (model) (rate(serinus_prediction_log_{what}_total{{{CHOSEN}}}{EVERY}))",
                            f"{{{{model}}}} {what}",
                        )
                        for what in ("logged", "dropped", "trimmed")
                    ),
                    width=THIRD,
                ),
                lines(
                    "Share logged",
                    "Rows logged of rows answered. Drift and quality are measured on these.",
                    "percentunit",
                    Query(
                        f"""
                        sum by (model) (rate(serinus_prediction_log_logged_total{{{CHOSEN}}}{EVERY}))
                        / (sum by (model) (rate(ml_predictions_total{{{CHOSEN}}}{EVERY})) > 0)
                        """,
                        "{{model}}",
                    ),
                    width=THIRD,
                ),
                lines(
                    "Waiting in the stream",
                    "Entries in the log's streams, for the collect Job. Its bound trims the oldest.",
                    "short",
                    Query("sum by (redis, stream) (redis_stream_length)", "{{stream}}"),
                    width=THIRD,
                ),
            ],
        ),
        (
            "Redis",
            [
                lines(
                    "Memory",
                    "Used, and the limit at which writes are refused: nothing is ever evicted.",
                    "bytes",
                    Query(f"redis_memory_used_bytes{{{STORE}}}", "{{redis}} used"),
                    Query(f"redis_memory_max_bytes{{{STORE}}} > 0", "{{redis}} limit"),
                    width=THIRD,
                ),
                lines(
                    "Commands",
                    "A second, all kinds.",
                    "ops",
                    Query(f"rate(redis_commands_processed_total{{{STORE}}}{STEADY})", "{{redis}}"),
                    width=THIRD,
                ),
                lines(
                    "Keys",
                    "One hash an entity in the feature store.",
                    "short",
                    Query(f"sum by (redis) (redis_db_keys{{{STORE}}})", "{{redis}}"),
                    width=THIRD,
                ),
                lines(
                    "Hits",
                    "Share of key look-ups that found something.",
                    "percentunit",
                    Query(
                        f"""
                        rate(redis_keyspace_hits_total{{{STORE}}}{STEADY})
                        / (rate(redis_keyspace_hits_total{{{STORE}}}{STEADY})
                           + rate(redis_keyspace_misses_total{{{STORE}}}{STEADY}) > 0)
                        """,
                        "{{redis}}",
                    ),
                    width=THIRD,
                ),
                lines(
                    "Clients",
                    "Connections. Every server keeps a few.",
                    "short",
                    Query(f"redis_connected_clients{{{STORE}}}", "{{redis}}"),
                    width=THIRD,
                ),
                lines(
                    "Reachable",
                    "1 where the exporter reaches it.",
                    "short",
                    Query(f"redis_up{{{STORE}}}", "{{redis}}"),
                    width=THIRD,
                ),
            ],
        ),
    ],
    variables=[
        choice("namespace", "Namespace", "label_values(serinus_model_info, namespace)"),
        choice("model", "Model", 'label_values(serinus_model_info{namespace=~"$namespace"}, model)'),
        choice("redis", "Redis", "label_values(redis_up, redis)"),
    ],
)
