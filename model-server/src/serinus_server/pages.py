"""What the server says of itself: health, readiness and metadata of both protocols, metrics.

Plain functions without a framework, so that a process is ready before FastAPI is imported. The served
model's own paths are answered from here; `app` documents the same pages, and answers for every other
name with its 404.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from serinus_server import openapi
from serinus_server.metrics import CONTENT_TYPE, Exposition
from serinus_server.model import Model
from serinus_server.protocols import v2_metadata

_encode = msgspec.json.Encoder().encode
_JSON = b"application/json"

# Status, body, content type.
Answer = tuple[int, bytes, bytes]


@dataclass(frozen=True)
class Page:
    """One GET. `path` may hold `{model}` and `{version}`."""

    path: str
    tag: str
    summary: str
    answer: Callable[[], Answer]


def pages(model: Model, exposition: Exposition, is_draining: Callable[[], bool]) -> list[Page]:
    """Return every page of one loaded model. `is_draining` turns every readiness into 503."""
    contract, name = model.contract, model.name

    def fixed(body: Any) -> Callable[[], Answer]:
        answer = (200, _encode(body), _JSON)
        return lambda: answer

    def ready(body: dict[str, Any]) -> Callable[[], Answer]:
        yes, no = (200, _encode(body), _JSON), (503, _encode({"error": "draining"}), _JSON)
        return lambda: no if is_draining() else yes

    def health() -> Answer:
        state = "draining" if is_draining() else "ok"
        body = {"status": state, "model": name, "version": model.version, "revision": contract.revision}
        return 503 if is_draining() else 200, _encode(body), _JSON

    one = ready({"name": name, "ready": True})
    metadata = fixed(v2_metadata.model(contract, name, model.version))
    versioned = "/v2/models/{model}/versions/{version}"
    return [
        Page("/", "health", "Liveness, as KServe V1 asks it", fixed({"status": "alive"})),
        Page("/health", "health", "State of the process and of what it depends on", health),
        Page("/ready", "health", "Readiness: 503 while draining", ready({"ready": True})),
        Page(
            "/metrics", "health", "Prometheus text format", lambda: (200, exposition.text(), CONTENT_TYPE)
        ),
        Page(
            "/model/info", "native", "What is served: inputs, classes, revision",
            fixed(openapi.model_info(model)),
        ),
        Page("/v1/models", "v1", "Names of the served models", fixed({"models": [name]})),
        Page("/v1/models/{model}", "v1", "Readiness of one model", one),
        Page("/v2", "v2", "Server metadata", fixed(v2_metadata.SERVER)),
        Page("/v2/health/live", "v2", "Liveness", fixed({"live": True})),
        Page("/v2/health/ready", "v2", "Readiness of the server", ready({"ready": True})),
        Page("/v2/models", "v2", "Names of the served models", fixed({"models": [name]})),
        Page("/v2/models/{model}", "v2", "Metadata of one model", metadata),
        Page("/v2/models/{model}/ready", "v2", "Readiness of one model", one),
        Page(versioned, "v2", "Metadata of one version", metadata),
        Page(f"{versioned}/ready", "v2", "Readiness of one version", one),
    ]  # fmt: skip


def by_path(given: list[Page], name: str, version: str) -> dict[str, Callable[[], Answer]]:
    """Return the answers of the served model by its plain paths."""
    return {each.path.format(model=name, version=version): each.answer for each in given}
