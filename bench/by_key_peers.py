"""The servers that `by_key` measures beside ours, each started as a process of its own.

noop   ASGI, the same uvicorn settings as ours: read the body, one Redis PING, a constant
feast  FastAPI and Feast's SDK as a tutorial writes it, with the same graph
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

ANSWER = b'{"predictions":["no"],"probabilities":[[0.75,0.25]]}'


def noop(port: int, redis_url: str) -> None:
    """Serve the least that a request by key can cost: one round trip over our own connection."""
    import uvicorn

    from serinus_server.http_protocol import BoundedProtocol
    from serinus_server.redis_address import parse_address
    from serinus_server.redis_connection import RedisConnection

    connection = RedisConnection(parse_address(redis_url), 1.0)
    ping = [b"*1\r\n$4\r\nPING\r\n"]
    length = str(len(ANSWER)).encode()
    start = {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-type", b"application/json"), (b"content-length", length)],
    }
    body = {"type": "http.response.body", "body": ANSWER}

    async def application(_: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await connection.request(ping)
        await send(start)
        await send(body)

    uvicorn.run(
        application, port=port, http=BoundedProtocol, ws="none", lifespan="off", loop="uvloop",
        log_config=None, access_log=False, proxy_headers=False, server_header=False,
    )  # fmt: skip


def feast(port: int, model: str, data: str, redis_url: str) -> None:
    """Serve the SDK's answer: features, matrix, graph."""
    import numpy as np
    import uvicorn
    from fastapi import FastAPI
    from pydantic import BaseModel

    from serinus_contracts.artifact import CONTRACT_FILE, GRAPH_INPUT, GRAPH_OUTPUT, MODEL_FILE, read_contract
    from serinus_jobs.feature_store import FeatureStore
    from serinus_jobs.settings import Settings

    contract = read_contract((Path(model) / CONTRACT_FILE).read_bytes())
    repository = Path(__file__).resolve().parents[1] / "feature_repo"
    settings = Settings(data=Path(data), feature_repo=repository, tracking_uri="", online_store=redis_url)
    store = FeatureStore(settings)._store
    service = store.get_feature_service("churn")
    names = [each.name for each in contract.inputs]
    defaults = [each.default for each in contract.inputs]
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(Path(model) / MODEL_FILE), options)
    application = FastAPI()

    class Body(BaseModel):
        instances: list[dict[str, int]]

    @application.post("/v1/models/churn:predict")
    async def predict(body: Body) -> dict[str, Any]:
        found = store.get_online_features(features=service, entity_rows=body.instances).to_dict()
        columns = [
            [default if value is None else value for value in found[name]]
            for name, default in zip(names, defaults, strict=True)
        ]
        matrix = np.array(columns, dtype=np.float64).T
        probabilities = session.run([GRAPH_OUTPUT], {GRAPH_INPUT: matrix})[0]
        chosen = probabilities[:, 1] >= contract.threshold
        labels = [contract.classes[int(each)] for each in chosen]
        return {"predictions": labels, "probabilities": probabilities.tolist()}

    @application.get("/ready")
    async def ready() -> dict[str, bool]:
        return {"ready": True}

    uvicorn.run(application, port=port, loop="uvloop", log_config=None, access_log=False)


if __name__ == "__main__":
    peer, number, *rest = sys.argv[1:]
    print(json.dumps({"peer": peer, "port": int(number)}), file=sys.stderr)
    {"noop": noop, "feast": feast}[peer](int(number), *rest)
