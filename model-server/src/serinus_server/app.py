"""The FastAPI application: health, metadata of both protocols, metrics, and the documents.

Predict paths of the served model never come here; what does come to a predict route names a model or
a version that is not served, and gets its 404.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from serinus_server import openapi
from serinus_server.errors import body_of
from serinus_server.metrics import CONTENT_TYPE, Exposition
from serinus_server.model import Model
from serinus_server.protocols import v2_metadata

_encode = msgspec.json.Encoder().encode


def create(model: Model, exposition: Exposition, is_draining: Callable[[], bool], max_rows: int) -> FastAPI:
    """Return the application for one loaded model. `is_draining` turns every readiness into 503."""
    contract, name = model.contract, model.name
    app = FastAPI(
        title=f"Serinus: {name}",
        description=f"Model `{name}`, revision `{contract.revision}`, {contract.estimator}.",
        version=model.version,
        redoc_url=None,
        redirect_slashes=False,
        responses={
            404: {"description": "another model, version or path than what is served"},
            503: {"description": "not ready: loading or draining"},
        },
    )
    app.add_exception_handler(HTTPException, _as_error)

    def ready(body: dict[str, Any]) -> Response:
        return _json(body if not is_draining() else {"error": "draining"}, 503 if is_draining() else 200)

    def known(given: str) -> None:
        if given != name:
            raise HTTPException(404, f"model: not served here; this server has {name}")

    def known_version(given: str, version: str) -> None:
        known(given)
        if version != model.version:
            raise HTTPException(404, f"version: not served here; this server has {model.version}")

    @app.get("/", tags=["health"], summary="Liveness, as KServe V1 asks it")
    async def alive() -> Response:
        return _json({"status": "alive"})

    @app.get("/health", tags=["health"], summary="State of the process and of what it depends on")
    async def health() -> Response:
        state = "draining" if is_draining() else "ok"
        body = {"status": state, "model": name, "version": model.version, "revision": contract.revision}
        return _json(body, 503 if is_draining() else 200)

    @app.get("/ready", tags=["health"], summary="Readiness: 503 while draining")
    async def ready_plain() -> Response:
        return ready({"ready": True})

    @app.get("/metrics", tags=["health"], summary="Prometheus text format")
    async def metrics() -> Response:
        return Response(exposition.text(), headers={"content-type": CONTENT_TYPE.decode()})

    @app.get("/model/info", tags=["native"], summary="What is served: inputs, classes, revision")
    async def info() -> Response:
        return _json(openapi.model_info(model))

    @app.get("/v1/models", tags=["v1"], summary="Names of the served models")
    async def v1_models() -> Response:
        return _json({"models": [name]})

    @app.get("/v1/models/{model}", tags=["v1"], summary="Readiness of one model")
    async def v1_model(model: str) -> Response:
        known(model)
        return ready({"name": name, "ready": True})

    @app.get("/v2", tags=["v2"], summary="Server metadata")
    async def v2_server() -> Response:
        return _json(v2_metadata.SERVER)

    @app.get("/v2/health/live", tags=["v2"], summary="Liveness")
    async def v2_live() -> Response:
        return _json({"live": True})

    @app.get("/v2/health/ready", tags=["v2"], summary="Readiness of the server")
    async def v2_ready() -> Response:
        return ready({"ready": True})

    @app.get("/v2/models", tags=["v2"], summary="Names of the served models")
    async def v2_models() -> Response:
        return _json({"models": [name]})

    metadata = v2_metadata.model(contract, name, model.version)

    @app.get("/v2/models/{model}", tags=["v2"], summary="Metadata of one model")
    async def v2_model(model: str) -> Response:
        known(model)
        return _json(metadata)

    @app.get("/v2/models/{model}/ready", tags=["v2"], summary="Readiness of one model")
    async def v2_model_ready(model: str) -> Response:
        known(model)
        return ready({"name": name, "ready": True})

    @app.get("/v2/models/{model}/versions/{version}", tags=["v2"], summary="Metadata of one version")
    async def v2_version(model: str, version: str) -> Response:
        known_version(model, version)
        return _json(metadata)

    @app.get("/v2/models/{model}/versions/{version}/ready", tags=["v2"], summary="Readiness of one version")
    async def v2_version_ready(model: str, version: str) -> Response:
        known_version(model, version)
        return ready({"name": name, "ready": True})

    async def not_served(request: Request) -> Response:
        given, version = request.path_params.get("model", ""), request.path_params.get("version")
        known(given) if version is None else known_version(given, version)
        raise HTTPException(404)

    for path, about in openapi.predict_routes(model, max_rows).items():
        app.post(path, **about)(not_served)
    return app


def _json(body: Any, status: int = 200) -> Response:
    return Response(_encode(body), status, media_type="application/json")


async def _as_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = error.detail if error.status_code != 405 else f"method: {request.method[:16]} is not taken here"
    if message == "Not Found":
        message = "path: nothing is served here; /docs lists what is"
    return Response(body_of(message), error.status_code, error.headers, media_type="application/json")
