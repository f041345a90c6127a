"""The API server by paths and plain JSON: what the agents decide with is what it holds, not models of it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from kubernetes import client, config, watch
from urllib3.exceptions import HTTPError

from serinus_agents.shapes import Json

SECONDS = (5, 60)
JSON = "application/json"
# Names and annotations alone: the schemas of a cluster's definitions are tens of megabytes.
ONE_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
LIST_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class ApiError(RuntimeError):
    """The API server refused or could not be reached; `status` is 0 in the second case."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Api:
    """A thin door to the API server."""

    def __init__(self) -> None:
        """Use the pod's service account, or where there is none the user's kubeconfig."""
        configuration = client.Configuration()
        try:
            config.load_incluster_config(configuration)  # type: ignore[no-untyped-call] # the library has no types
        except config.ConfigException:
            config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call] # likewise
        # The callers' loops try again, with pauses; three attempts at once would only fill the log.
        configuration.retries = False
        self._client = client.ApiClient(configuration)

    def collection(self, path: str, *, metadata_only: bool = False) -> tuple[list[Json], str]:
        """Return the objects of a collection, and the version to watch from."""
        body = self._json("GET", path, headers={"Accept": LIST_METADATA if metadata_only else JSON})
        return body["items"], body["metadata"]["resourceVersion"]

    def watch(self, path: str, version: str, seconds: int, *, metadata_only: bool = False) -> Iterator[Json]:
        """Yield the changes of a collection after a version, for so many seconds at most."""

        def open_stream(*, watch: bool, timeout_seconds: int, _preload_content: bool) -> Any:
            answer = self._send(
                "GET",
                path,
                {
                    "watch": str(watch).lower(),
                    "timeoutSeconds": str(timeout_seconds),
                    "resourceVersion": version,
                },
                headers={"Accept": ONE_METADATA if metadata_only else JSON},
                timeout=(5, timeout_seconds + 10),
            )
            if answer.status != 200:
                raise ApiError(f"watch {path}: {answer.status} {_message(answer.read())}", answer.status)
            return answer.response

        try:
            yield from watch.Watch().stream(open_stream, timeout_seconds=seconds)  # type: ignore[no-untyped-call] # likewise
        except (client.ApiException, HTTPError) as problem:
            raise _readable("watch", path, problem) from problem

    def get(self, path: str) -> Json | None:
        """Return one object, or None where there is none."""
        try:
            return self._json("GET", path)
        except ApiError as problem:
            if problem.status == 404:
                return None
            raise

    def create(self, path: str, body: Mapping[str, Any]) -> None:
        """Create an object in a collection."""
        self._json("POST", path, body, {"Content-Type": JSON})

    def merge(self, path: str, body: Mapping[str, Any]) -> None:
        """Merge a part into an object."""
        self._json("PATCH", path, body, {"Content-Type": "application/merge-patch+json"})

    def patch(self, path: str, operations: list[Json]) -> None:
        """Apply JSON patch operations to an object, all or none."""
        self._json("PATCH", path, operations, {"Content-Type": "application/json-patch+json"})

    def _json(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Json:
        answer = self._send(method, path, {}, body, headers)
        try:
            text = answer.read()
        except HTTPError as problem:
            raise _readable(method, path, problem) from problem
        if not 200 <= answer.status <= 299:
            raise ApiError(f"{method} {path}: {answer.status} {_message(text)}", answer.status)
        read: Json = json.loads(text)
        return read

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: tuple[int, int] = SECONDS,
    ) -> Any:
        request = self._client.param_serialize(
            method,
            path,
            query_params=list(query.items()),
            header_params={"Accept": JSON, **(headers or {})},
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            return self._client.call_api(*request, _request_timeout=timeout)
        except (client.ApiException, HTTPError) as problem:
            raise _readable(method, path, problem) from problem


def _readable(method: str, path: str, problem: client.ApiException | HTTPError) -> ApiError:
    if isinstance(problem, client.ApiException):  # its text is the whole response, headers included
        return ApiError(f"{method} {path}: {problem.status} {problem.reason}", problem.status or 0)
    return ApiError(f"{method} {path}: {problem}")


def _message(text: bytes) -> str:
    try:
        return str(json.loads(text).get("message"))
    except ValueError:
        return text[:200].decode(errors="replace").strip()
