"""The FastAPI application: the documents, and the answer to every path that is not served.

What the served model answers never comes here: its predict paths are `protocols`, the rest is `pages`.
All stand in the documents; called here, they name a model or a version that is not served and get a 404.
Slow to import, so `wiring` defers it.
"""

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from serinus_server import openapi
from serinus_server.errors import body_of
from serinus_server.model import Model
from serinus_server.pages import Page


def create(model: Model, documented: list[Page], max_rows: int) -> FastAPI:
    """Return the application that documents `documented` and the predict verbs of one loaded model."""
    name = model.name
    app = FastAPI(
        title=f"Serinus: {name}",
        description=f"Model `{name}`, revision `{model.contract.revision}`, {model.contract.estimator}.",
        version=model.version,
        redoc_url=None,
        redirect_slashes=False,
        responses={
            404: {"description": "another model, version or path than what is served"},
            503: {"description": "not ready: loading or draining"},
        },
    )
    app.add_exception_handler(HTTPException, _as_error)

    async def not_served(request: Request) -> Response:
        given, version = request.path_params.get("model", name), request.path_params.get("version")
        if given != name:
            raise HTTPException(404, f"model: not served here; this server has {name}")
        if version not in (None, model.version):
            raise HTTPException(404, f"version: not served here; this server has {model.version}")
        raise HTTPException(404)

    for page in documented:
        # Named by its path: an operation of the documents needs a name of its own.
        app.get(page.path, tags=[page.tag], summary=page.summary, name=page.path)(not_served)
    for path, about in openapi.predict_routes(model, max_rows).items():
        app.post(path, **about)(not_served)
    return app


async def _as_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = error.detail if error.status_code != 405 else f"method: {request.method[:16]} is not taken here"
    if message == "Not Found":
        message = "path: nothing is served here; /docs lists what is"
    return Response(body_of(message), error.status_code, error.headers, media_type="application/json")
