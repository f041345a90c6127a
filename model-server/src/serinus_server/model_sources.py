"""Where `serinus-fetch` gets a model's files: MLflow over REST, or a folder.

MLflow is asked through three doors of its REST API only: a version (by number or alias), its download
URI, and the artifact proxy. No mlflow package, no object store's credentials.
"""

import logging
import math
import re
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import httpx

from serinus_contracts.registry_tags import DIGEST

T = TypeVar("T")
_log = logging.getLogger(__name__)
_MLFLOW = re.compile(
    r"mlflow://(?P<model>[^/?#@]{1,256})/(?P<version>@?[^/?#@]{1,256})(?:\?(?P<query>[^#]*))?"
)
_REQUEST_SECONDS = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
# Whoever looks at a pod that waits finds out why, without a line for each try.
_TOLD_EVERY_SECONDS = 30.0
_CHUNK = 1 << 20
_CURES = {
    401: "; check MLFLOW_TRACKING_TOKEN or USERNAME and PASSWORD",
    # MLflow's login refuses a name that it does not know like one that is not the user's.
    403: "; check MLFLOW_TRACKING_TOKEN or USERNAME and PASSWORD, and that the model is registered",
}


class FetchError(Exception):
    """The model cannot be fetched. `exit_code`: 1 try later, 2 wrong or missing, 3 must not be used."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Source(Protocol):
    """A place that holds one model's files. `digest` is the contract's digest that is expected, if known."""

    digest: str | None

    def copy(self, name: str, target: BinaryIO, limit: int) -> None:
        """Write the file `name` into `target`. Raises FetchError, also when it is over `limit` bytes."""
        ...


def open_source(uri: str, environment: Mapping[str, str], deadline: float) -> Source:
    """Return the source at `uri`: `mlflow://<model>/<version or @alias>[?digest=…]` or `file:///folder`.

    `deadline` is a reading of time.monotonic after which no try begins. Raises FetchError.
    """
    if uri.startswith("file://"):
        parts = urlsplit(uri)
        if parts.netloc not in ("", "localhost"):
            raise FetchError(f"{uri[:200]!r}: names the host {parts.netloc!r}; write file:///folder", 2)
        return _Folder(Path(unquote(parts.path)), _wanted_digest(parts.query))
    match = _MLFLOW.fullmatch(uri)
    if match is None:
        raise FetchError(f"{uri[:200]!r}: must be mlflow://<model>/<version or @alias> or file:///folder", 2)
    version = unquote(match["version"])
    if not version.startswith("@") and not version.isdecimal():
        raise FetchError(f"{uri[:200]!r}: the version must be a number, or @ and an alias", 2)
    server = _Server(environment, deadline)
    return _Mlflow(server, unquote(match["model"]), version, _wanted_digest(match["query"] or ""))


def _wanted_digest(query: str) -> str | None:
    options = dict(parse_qsl(query, keep_blank_values=True))
    digest = options.pop("digest", None)
    if options or (digest is not None and not re.fullmatch("[0-9a-f]{12,64}", digest)):
        raise FetchError(f"?{query[:100]}: the only option is digest=<12 to 64 hex digits>", 2)
    return digest


class _Folder:
    def __init__(self, folder: Path, digest: str | None) -> None:
        if not folder.is_dir():
            raise FetchError(f"{folder}: is no folder", 2)
        self._folder = folder
        self.digest = digest

    def copy(self, name: str, target: BinaryIO, limit: int) -> None:
        path = self._folder / name
        if path.is_symlink() or not path.is_file():
            raise FetchError(f"{path}: is no plain file there", 2)
        if path.stat().st_size > limit:
            raise FetchError(f"{name}: is over the limit of {limit} bytes", 3)
        with path.open("rb") as source:
            shutil.copyfileobj(source, target)


class _Mlflow:
    def __init__(self, server: "_Server", model: str, version: str, digest: str | None) -> None:
        self._server = server
        self._shown = f"{model}/{version}"
        found = server.version(model, version)
        tags = {tag["key"]: tag["value"] for tag in found.get("tags", [])}
        tagged = tags.get(DIGEST)
        if digest is not None and tagged is not None and not tagged.startswith(digest):
            raise FetchError(f"{self._shown}: its digest is {tagged[:12]}, wanted was {digest[:12]}", 3)
        self.digest = tagged or digest
        self._root = server.artifact_root(model, str(found["version"]))
        self._sizes = server.sizes(self._root)

    def copy(self, name: str, target: BinaryIO, limit: int) -> None:
        if name not in self._sizes:
            listed = ", ".join(sorted(self._sizes)[:10]) or "nothing"
            raise FetchError(f"{self._shown}: has no {name}, only {listed}; was it registered by Serinus?", 2)
        if self._sizes[name] > limit:
            raise FetchError(f"{name}: has {self._sizes[name]} bytes, the limit is {limit}", 3)
        self._server.download(f"{self._root}/{name}", target, limit)


class _Server:
    """MLflow's REST API with retries. What the server says is wrong is final, what it cannot do is not."""

    def __init__(self, environment: Mapping[str, str], deadline: float) -> None:
        base = environment.get("MLFLOW_TRACKING_URI", "")
        parts = urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise FetchError("MLFLOW_TRACKING_URI: must be the http(s) address of an MLflow server", 2)
        self._host = parts.netloc.rpartition("@")[2]
        self._shown = f"{parts.scheme}://{self._host}"
        self._deadline = deadline
        headers, auth = {}, None
        if token := environment.get("MLFLOW_TRACKING_TOKEN"):
            headers["Authorization"] = f"Bearer {token}"
        elif user := environment.get("MLFLOW_TRACKING_USERNAME"):
            auth = (user, environment.get("MLFLOW_TRACKING_PASSWORD", ""))
        # Redirects are not followed: they would carry the credentials somewhere else.
        self._client = httpx.Client(
            base_url=base.rstrip("/") + "/api/2.0/", headers=headers, auth=auth, timeout=_REQUEST_SECONDS
        )

    def version(self, model: str, version: str) -> dict[str, Any]:
        """Return the registered version that a number or an @alias names."""
        if version.startswith("@"):
            question = {"name": model, "alias": version[1:]}
            answer = self._get("mlflow/registered-models/alias", question)
        else:
            answer = self._get("mlflow/model-versions/get", {"name": model, "version": version})
        found = answer.get("model_version")
        if not isinstance(found, dict) or not str(found.get("version", "")).isdecimal():
            raise FetchError(f"{self._shown}: does not answer like MLflow's model registry", 2)
        return found

    def artifact_root(self, model: str, version: str) -> str:
        """Return the version's folder as a path of the artifact proxy."""
        question = {"name": model, "version": version}
        uri = str(self._get("mlflow/model-versions/get-download-uri", question).get("artifact_uri", ""))
        parts = urlsplit(uri)
        path = unquote(parts.path).strip("/")
        if parts.scheme != "mlflow-artifacts" or (parts.netloc and parts.netloc != self._host):
            raise FetchError(
                f"{model}/{version}: its files lie at {uri[:100]!r}, not behind this MLflow server; start it "
                "with --serve-artifacts and register the model again",
                2,
            )
        if not path or any(step in ("", ".", "..") for step in path.split("/")):
            raise FetchError(f"{model}/{version}: its path {path[:100]!r} leads elsewhere", 3)
        return path

    def sizes(self, root: str) -> dict[str, int]:
        """Return the size in bytes of each file directly in `root`."""
        answer = self._get("mlflow-artifacts/artifacts", {"path": root})
        files = answer.get("files", [])
        return {f["path"]: int(f.get("file_size", 0)) for f in files if not f.get("is_dir")}

    def download(self, path: str, target: BinaryIO, limit: int) -> None:
        """Write the artifact at `path` into `target`, at most `limit` bytes."""

        def once() -> None:
            target.seek(0)
            target.truncate()
            with self._client.stream("GET", f"mlflow-artifacts/artifacts/{quote(path)}") as response:
                self._check(response, path)
                size = 0
                for chunk in response.iter_bytes(_CHUNK):
                    size += len(chunk)
                    if size > limit:
                        raise FetchError(f"{path}: is over the limit of {limit} bytes", 3)
                    if time.monotonic() > self._deadline:
                        raise FetchError(f"{path}: not here before the deadline", 1)
                    target.write(chunk)

        self._retried(once)

    def _get(self, path: str, question: dict[str, str]) -> dict[str, Any]:
        def once() -> dict[str, Any]:
            response = self._client.get(path, params=question)
            self._check(response, ", ".join(question.values()))
            try:
                answer = response.json()
            except ValueError:
                answer = None
            if not isinstance(answer, dict):
                raise FetchError(f"{self._shown}: does not answer like MLflow", 2)
            return answer

        return self._retried(once)

    def _check(self, response: httpx.Response, what: str) -> None:
        status = response.status_code
        if status == 200:
            return
        if status == 429 or status >= 500:
            raise httpx.TransportError(f"HTTP {status}")
        response.read()
        try:
            said = str(response.json()["message"])
        except (ValueError, KeyError, TypeError):
            said = response.reason_phrase
        raise FetchError(f"{self._shown}: {what}: HTTP {status}: {said[:300]}{_CURES.get(status, '')}", 2)

    def _retried(self, once: Callable[[], T]) -> T:
        pause, told = _FIRST_PAUSE, -math.inf
        while True:
            try:
                return once()
            except httpx.HTTPError as error:
                now = time.monotonic()
                reason = f"{self._shown}: {str(error) or type(error).__name__}"
                if now + pause > self._deadline:
                    raise FetchError(f"{reason}; tried until the deadline", 1) from None
                if now - told > _TOLD_EVERY_SECONDS:
                    _log.warning("%s; trying again, for %.0f s at most", reason, self._deadline - now)
                    told = now
            time.sleep(pause)
            pause = min(_LONGEST_PAUSE, pause * 2)
