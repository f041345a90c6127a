"""The door to MLflow: runs, versions, aliases and tags. The only file that imports it.

Works with `sqlite:///file.db` (artifacts beside the file) and with `http://server` (artifacts wherever
that server keeps them). Nothing here waits without a deadline, and nothing leaves for anyone else:
MLflow's and onnxruntime's usage reports are switched off.
"""

import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
# A server with a bucket would send its clients there by signed addresses: Jobs neither reach nor trust it.
os.environ.setdefault("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "false")
os.environ.setdefault("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", "false")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import mlflow
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException, RestException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking import MlflowClient

from serinus_contracts.artifact import ARTIFACT_PATH, GRAPH_INPUT
from serinus_jobs.addresses import public
from serinus_jobs.errors import JobError
from serinus_jobs.registered import Run, Version
from serinus_jobs.settings import Settings

# MLflow narrates its tables and threads at INFO and WARNING; what matters comes as an exception.
logging.getLogger("mlflow").setLevel(logging.ERROR)
logging.getLogger("alembic").setLevel(logging.ERROR)

_LONGEST_PARAM = 6_000
_MISSING = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
# A server with a login denies what is not there, too.
_REFUSED = {
    "UNAUTHENTICATED": "check MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
    "PERMISSION_DENIED": "is it registered under that name, and may MLFLOW_TRACKING_USERNAME do that?",
}


class Registry:
    """MLflow at `settings.tracking_uri`. Every method raises JobError where MLflow cannot answer; exit
    code 1 (a Job may retry) if the server is at fault, 2 if what was asked for is not there."""

    def __init__(self, settings: Settings) -> None:
        self.uri = settings.tracking_uri
        scheme = urlsplit(self.uri).scheme
        if scheme not in ("sqlite", "http", "https"):
            raise JobError(f"MLFLOW_TRACKING_URI: {self.uri!r}; use sqlite:///path.db or http://server")
        self._local: Path | None = None
        if scheme == "sqlite":
            database = Path(self.uri.removeprefix("sqlite:///"))
            database.parent.mkdir(parents=True, exist_ok=True)
            self._local = database.absolute().parent / "mlartifacts"
        with self._asked("connect"):
            # Artifact stores behind an http server find it through the global setting only.
            mlflow.set_tracking_uri(self.uri)
            self._client = MlflowClient(self.uri)

    def log_run(
        self,
        experiment: str,
        *,
        name: str,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        folder: Path | None = None,
    ) -> str:
        """Log one finished run with all files of `folder`, if any, as its artifacts; return the run id.

        A run whose files did not all arrive is marked FAILED, so nothing takes it for a model.
        """
        with self._asked("log the run"):
            run = self._client.create_run(self._experiment(experiment), run_name=name)
            run_id = str(run.info.run_id)
            try:
                self._client.log_batch(
                    run_id,
                    metrics=_metrics(metrics),
                    params=[Param(key, str(value)[:_LONGEST_PARAM]) for key, value in params.items()],
                    tags=[RunTag(key, value) for key, value in tags.items()],
                )
                if folder is not None:
                    self._client.log_artifacts(run_id, str(folder))
            except BaseException:
                self._client.set_terminated(run_id, "FAILED")
                raise
            self._client.set_terminated(run_id, "FINISHED")
        return run_id

    def extend_run(
        self,
        run_id: str,
        *,
        tags: Mapping[str, str],
        metrics: Mapping[str, float],
        files: Sequence[Path] = (),
    ) -> None:
        """Add files (at the artifacts' root), metrics and tags to a run."""
        with self._asked(f"add to run {run_id}"):
            for path in files:
                self._client.log_artifact(run_id, str(path))
            self._client.log_batch(
                run_id, metrics=_metrics(metrics), tags=[RunTag(key, value) for key, value in tags.items()]
            )

    def run(self, run_id: str) -> Run:
        """Return the run."""
        with self._asked(f"read run {run_id}"):
            return Run.of(self._client.get_run(run_id))

    def search_runs(self, experiment: str, query: str = "", limit: int = 100) -> list[Run]:
        """Return at most `limit` runs of an experiment, newest first; `query` in MLflow's filter words."""
        with self._asked(f"search runs of {experiment}"):
            found = self._client.get_experiment_by_name(experiment)
            if found is None:
                return []
            runs = self._client.search_runs(
                [found.experiment_id], query, max_results=limit, order_by=["attributes.start_time DESC"]
            )
            return [Run.of(each) for each in runs]

    def fetch(self, run_id: str, path: str, into: Path) -> Path:
        """Download an artifact file or folder of a run into `into`; return where it is."""
        with self._asked(f"fetch {path} of run {run_id}"):
            into.mkdir(parents=True, exist_ok=True)
            return Path(self._client.download_artifacts(run_id, path, str(into)))

    def fetch_version(self, version: Version, into: Path) -> Path:
        """Download a version's artifact into `into`; return its folder."""
        with self._asked(f"fetch {version.model} version {version.version}"):
            into.mkdir(parents=True, exist_ok=True)
            store: Any = get_artifact_repository(version.source)
            return Path(store.download_artifacts("", str(into)))

    def create_version(self, model: str, run_id: str, tags: Mapping[str, str], description: str) -> Version:
        """Register the artifact of a run as the next version of `model`."""
        with self._asked(f"register {model}"):
            try:
                self._client.create_registered_model(model)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            source = f"{self._client.get_run(run_id).info.artifact_uri}/{ARTIFACT_PATH}"
            made = self._client.create_model_version(
                model, source, run_id=run_id, tags=dict(tags), description=description
            )
            return Version.of(made)

    def versions(self, model: str) -> list[Version]:
        """Return all versions of `model`, newest first; none if it is unknown."""
        with self._asked(f"list versions of {model}"):
            # One by one, because a search does not tell the aliases.
            found = self._client.search_model_versions(f"name='{model}'", max_results=1_000)
            return [
                Version.of(self._client.get_model_version(model, each.version))
                for each in sorted(found, key=lambda each: -int(each.version))
            ]

    def version(self, model: str, version: str) -> Version:
        """Return one version by its number."""
        with self._asked(f"read {model} version {version}"):
            return Version.of(self._client.get_model_version(model, version))

    def by_alias(self, model: str, alias: str) -> Version | None:
        """Return the version that `alias` names, or None where the model or the alias is unknown."""
        with self._asked(f"read {model}@{alias}"):
            try:
                return Version.of(self._client.get_model_version_by_alias(model, alias))
            except MlflowException as error:
                denied = error.error_code == "PERMISSION_DENIED"
                if error.error_code in _MISSING or (denied and not self._knows(model)):
                    return None
                raise

    def _knows(self, model: str) -> bool:
        return bool(self._client.search_registered_models(f"name='{model}'", max_results=1))

    def set_alias(self, model: str, alias: str, version: str) -> None:
        """Point `alias` to `version`; it leaves the version that had it."""
        with self._asked(f"set {model}@{alias}"):
            self._client.set_registered_model_alias(model, alias, version)

    def delete_alias(self, model: str, alias: str) -> None:
        """Remove `alias`. No error where it is not set."""
        with self._asked(f"delete {model}@{alias}"):
            self._client.delete_registered_model_alias(model, alias)

    def set_tags(self, model: str, version: str, tags: Mapping[str, str]) -> None:
        """Set tags on a version."""
        with self._asked(f"tag {model} version {version}"):
            for key, value in tags.items():
                self._client.set_model_version_tag(model, version, key, value)

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is None:
            location = None if self._local is None else (self._local / name).as_uri()
            try:
                return str(self._client.create_experiment(name, artifact_location=location))
            except MlflowException as error:
                # Another Job made it in the meantime.
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                return self._experiment(name)
        return str(found.experiment_id)

    @contextmanager
    def _asked(self, what: str) -> Iterator[None]:
        try:
            yield
        except MlflowException as error:
            cure = _REFUSED.get(error.error_code)
            final = cure or isinstance(error, RestException) or error.error_code in _MISSING
            code = 2 if final and error.error_code != "INTERNAL_ERROR" else 1
            text = str(error.message).strip().splitlines()[0] + (f"; {cure}" if cure else "")
            raise JobError(f"MLflow at {public(self.uri)}: cannot {what}: {text}", code) from error
        except OSError as error:
            raise JobError(f"MLflow at {public(self.uri)}: cannot {what}: {error}", 1) from error


def write_flavour(graph: Any, folder: Path, width: int) -> None:
    """Write `graph` as MLflow's own ONNX model into `folder`, so that `mlflow.onnx.load_model` reads it.

    The requirements are named instead of inferred: inferring starts a process and takes seconds.
    """
    import mlflow.onnx
    import numpy as np
    import onnx
    import onnxruntime
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    mlflow.onnx.save_model(
        graph,
        str(folder),
        pip_requirements=[f"onnx=={onnx.__version__}", f"onnxruntime=={onnxruntime.__version__}"],
        onnx_execution_providers=["CPUExecutionProvider"],
        save_as_external_data=False,
        signature=ModelSignature(Schema([TensorSpec(np.dtype(np.float64), (-1, width), GRAPH_INPUT)])),
    )


def _metrics(values: Mapping[str, float]) -> list[Metric]:
    now = int(time.time() * 1000)
    # A database has no NaN; a metric that could not be computed is absent.
    return [Metric(key, float(value), now, 0) for key, value in values.items() if value == value]
