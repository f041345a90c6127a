"""Metric names, labels and bucket edges: written by the server, read by judge, rules and boards.

`revision` is the model digest's first 12 hex digits. Every label set is created at 0 at start, so
that a revision's first error is never lost between two scrapes.
"""

PREDICTIONS = "ml_predictions_total"  # rows, by model, revision, prediction (class label)
DURATION = "ml_prediction_duration_seconds"  # requests, histogram, by model, revision
ACCURACY = "ml_model_accuracy"  # gauge, by model, revision: newest evaluated or labelled accuracy
DRIFT = "ml_drift_score"  # gauge, by model, revision, feature: effect size of the newest drift report
REQUESTS = "serinus_requests_total"  # requests, by model, revision, protocol, code (HTTP status)
INVALID = "serinus_invalid_outputs_total"  # rows whose output is not a probability vector
DEGRADED = "serinus_degraded_rows_total"  # rows answered with a default because the store was late or down
DEFAULTED = "serinus_defaulted_values_total"  # values filled by a declared default, by feature
STALE = "serinus_stale_values_total"  # stored values older than their view's ttl, by view
LOGGED = "serinus_prediction_log_logged_total"  # rows handed to the sink
DROPPED = "serinus_prediction_log_dropped_total"  # rows dropped because the buffer was full or the sink down
TRIMMED = "serinus_prediction_log_trimmed_total"  # rows this writer cut off a bounded stream, uncollected
MODEL_INFO = "serinus_model_info"  # gauge 1, by model, revision, version

PROTOCOLS = ("v1", "v2", "native")
# Seconds. The edges hold the usual latency objectives exactly, so "slower than the SLO" is a count.
DURATION_BUCKETS = (
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0,
)  # fmt: skip
