"""Bring an XGBoost classifier that was trained elsewhere into the registry.

    python manifests/examples/xgboost/bring.py <model.json>

The model is neither fitted nor changed: it is written as one ONNX graph, the graph's probabilities are
compared with the model's own on every row of the project's table, and it goes to MLflow with its contract.
Then `serinus-jobs evaluate` and `serinus-jobs register` treat it like a model of Serinus' own training.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from xgboost import XGBClassifier

from serinus_contracts import registry_tags
from serinus_contracts.artifact import ARTIFACT_PATH
from serinus_jobs import card, export, reference, scoring, training_set
from serinus_jobs.artifact_folder import write
from serinus_jobs.errors import JobError
from serinus_jobs.project import load_model
from serinus_jobs.registry import Registry, write_flavour
from serinus_jobs.run_tags import CHECK_FILE, CHECK_PATH, KIND, SINCE, TRAINED_TO, UNTIL
from serinus_jobs.settings import Settings

PROJECT = Path(__file__).resolve().parent


def bring(model: Path, settings: Settings) -> str:
    """Log `model`, XGBoost's JSON or UBJSON, as a run of the project and return the run's id.

    Raises JobError for a model of other features or classes, and where the graph disagrees with it.
    """
    project = load_model(PROJECT)
    data = training_set.load(project, settings)
    classifier = XGBClassifier()
    classifier.load_model(model)
    expected = (len(data.inputs), len(project.label.classes))
    if (classifier.n_features_in_, classifier.n_classes_) != expected:
        found = (classifier.n_features_in_, classifier.n_classes_)
        raise JobError(f"{model}: has {found} features and classes, model.yaml says {expected}")
    pipeline = export.build_pipeline(classifier, data.inputs, scaled=False)
    graph = export.to_onnx(pipeline, len(data.inputs))
    own = np.asarray(pipeline.predict_proba(data.matrix), dtype=np.float64)
    difference = export.verify(export.Graph(graph.SerializeToString()), data.matrix, own)
    metrics = scoring.score_all(data.target, own, project.threshold)
    params = {"estimator": project.estimator.class_, "trained": "elsewhere"}
    classes, names = project.label.classes, [each.name for each in data.inputs]
    with tempfile.TemporaryDirectory(prefix="serinus-bring-") as scratch:
        folder = Path(scratch)
        write_flavour(graph, folder / ARTIFACT_PATH, len(data.inputs))
        # There are no training rows to describe: drift is measured against the rows it was judged on.
        described = reference.describe(
            data.frame, data.inputs, scoring.predicted(own, project.threshold), classes, metrics
        )
        text = card.render(
            project,
            data.inputs,
            params=params,
            rows={"rows it was judged on": len(data.matrix)},
            window=None,
            metrics=metrics,
            # XGBoost's own: the mean gain of a feature's splits.
            importance=dict(zip(names, map(float, classifier.feature_importances_), strict=True)),
            export_difference=difference,
            data_digest=data.digest,
        )
        contract = write(folder / ARTIFACT_PATH, project, data.inputs, data.plan, described, text)
        (folder / CHECK_PATH).mkdir()
        np.savez_compressed(folder / CHECK_PATH / CHECK_FILE, matrix=data.matrix, probabilities=own)
        return Registry(settings).log_run(
            project.name,
            name="bring",
            params=params,
            metrics={f"holdout.{name}": value for name, value in metrics.items()},
            tags={
                KIND: "train",
                registry_tags.DIGEST: contract.digest,
                registry_tags.DATA_DIGEST: data.digest,
                registry_tags.STAGE: registry_tags.STAGES[0],
                registry_tags.FEATURE_SERVICE: "",
                SINCE: "",
                UNTIL: "",
                TRAINED_TO: "",
            },
            folder=folder,
        )


if __name__ == "__main__":
    try:
        print(bring(Path(sys.argv[1]), Settings.from_environment()))
    except JobError as error:
        sys.exit(f"bring: {error}")
