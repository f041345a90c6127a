"""The model registry: aliases and tags of MLflow, over its REST interface. No policy here."""

from typing import Any
from urllib.parse import quote

import httpx

_MISSING = "RESOURCE_DOES_NOT_EXIST"
_API = "/api/2.0/mlflow"


class RegistryUnavailable(Exception):
    """The registry did not answer, or refused. The message says what was asked."""


class Registry:
    """One registry. Every call waits at most `timeout` seconds."""

    def __init__(self, url: str, timeout: float = 10.0) -> None:
        self._client = httpx.Client(base_url=url.rstrip("/") + _API, timeout=timeout)

    def alias(self, model: str, alias: str) -> str | None:
        """Return the version that `alias` names, None when nothing has that alias."""
        answer = self._call("GET", "/registered-models/alias", params={"name": model, "alias": alias})
        return None if answer is None else str(answer["model_version"]["version"])

    def move_alias(self, model: str, alias: str, version: str) -> None:
        """Let `alias` name `version`. The same again changes nothing."""
        body = {"name": model, "alias": alias, "version": version}
        self._call("POST", "/registered-models/alias", json=body, must_exist=True)

    def delete_alias(self, model: str, alias: str) -> None:
        """Take `alias` away. Nothing to take is no error."""
        self._call("DELETE", "/registered-models/alias", json={"name": model, "alias": alias})

    def tags(self, model: str, version: str) -> dict[str, str]:
        """Return a version's tags. Raises RegistryUnavailable when there is no such version."""
        query = {"name": model, "version": version}
        answer = self._call("GET", "/model-versions/get", params=query, must_exist=True)
        found: list[dict[str, str]] = (answer or {}).get("model_version", {}).get("tags", [])
        return {tag["key"]: tag["value"] for tag in found}

    def set_tag(self, model: str, version: str, key: str, value: str) -> None:
        """Set one tag of a version."""
        body = {"name": model, "version": version, "key": key, "value": value}
        self._call("POST", "/model-versions/set-tag", json=body, must_exist=True)

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def _call(
        self, method: str, path: str, *, must_exist: bool = False, **given: Any
    ) -> dict[str, Any] | None:
        """Return the answer's JSON, or None for what does not exist."""
        what = f"{method} {quote(path)}"
        try:
            answer = self._client.request(method, path, **given)
            document = answer.json() if answer.content else {}
        except (httpx.HTTPError, ValueError) as error:
            raise RegistryUnavailable(f"{what}: {error or type(error).__name__}") from None
        if not isinstance(document, dict):
            raise RegistryUnavailable(f"{what}: answered with {type(document).__name__}, not an object")
        if answer.is_success:
            return document
        # A missing alias is INVALID_PARAMETER_VALUE in some versions and RESOURCE_DOES_NOT_EXIST in others.
        missing = (
            document.get("error_code") == _MISSING or "alias" in str(document.get("message", "")).lower()
        )
        if missing and not must_exist:
            return None
        raise RegistryUnavailable(f"{what}: {answer.status_code} {document.get('message', '')}"[:500])
