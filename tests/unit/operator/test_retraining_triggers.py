"""Which drift and quality reports ask for a retraining."""

from serinus_contracts.drift_report import DriftReport, FeatureDrift, QualityReport
from serinus_operator.retraining.triggers import triggers


def feature(name, drifted):
    return FeatureDrift(name, "kolmogorov-smirnov", 0.3, 0.0, 0.0, 0.3, 0.1, drifted)


def drift_report(verdict="drifted", prediction=None):
    features = (feature("age", True), feature("plan", False))
    return DriftReport("churn", "r1", 0.0, 60.0, 900, 500, verdict, features, prediction, "feed")


def quality_report(degraded=("accuracy",)):
    metrics = {"accuracy": (0.5, 0.4, 0.6)}
    return QualityReport(
        "churn", "r1", 0.0, 60.0, 900, 400, (1.0, 2.0), metrics, {"accuracy": 0.9}, bool(degraded), degraded
    )


def test_reports_become_triggers():
    found = triggers(
        [
            drift_report("stable"),
            drift_report("insufficient"),
            drift_report(prediction=feature("prediction", True)),
            drift_report(prediction=feature("prediction", False)),
            quality_report(()),
            quality_report(),
        ]
    )

    assert [each.cause for each in found] == [
        "drift in age, prediction",
        "drift in age",
        "quality below the holdout's: accuracy",
    ]
    assert [each.fingerprint for each in found[:2]] == ["feed", "feed"]
    assert found[2].fingerprint != triggers([quality_report(("f1",))])[0].fingerprint
    assert found[2].fingerprint == triggers([quality_report()])[0].fingerprint
