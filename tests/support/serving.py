"""A whole server without a socket: the real application, called as uvicorn would call it."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serinus_contracts.artifact import Input
from serinus_contracts.plan import JoinKey, OnDemand, OnlinePlan, PlanFeature, PlanView
from serinus_server import wiring
from serinus_server.asgi import Application
from serinus_server.doors import FeatureRow, OnlineStore
from serinus_server.settings import Settings

JSON = {"content-type": "application/json"}

KEYED_INPUTS = (
    Input("age", "int64", minimum=18, maximum=100, default=40, source="store"),
    Input("tickets", "float64", default=0.0, source="store"),
    Input("charges", "float64", minimum=0, source="request"),
    Input("load", "float64", default=1.0, source="on_demand"),
)
KEYED_PLAN = OnlinePlan(
    project="p",
    feature_service="churn",
    join_keys=(JoinKey("customer_id", "INT64"),),
    views=(
        PlanView(
            "profile",
            86_400,
            (PlanFeature("age", "INT64", "00"), PlanFeature("tickets", "DOUBLE", "01")),
            "_ts:profile",
            "p_profile",
        ),
    ),
    on_demand=(OnDemand("load", "DOUBLE", "charges / boost"),),
    request=("boost", "charges"),
)


class FakeStore:
    """An online store in a dict of customer id to row; `down` is an exception to raise instead."""

    def __init__(self, rows: Mapping[int, FeatureRow]) -> None:
        self.rows = rows
        self.down: Exception | None = None
        self.reads = 0
        self.closed = False

    async def read(self, entities: Sequence[Mapping[str, Any]]) -> list[FeatureRow]:
        self.reads += 1
        await asyncio.sleep(0)
        if self.down is not None:
            raise self.down
        return [self.rows.get(e["customer_id"], FeatureRow({}, found=False)) for e in entities]

    async def close(self) -> None:
        self.closed = True


@dataclass
class MemorySink:
    """A prediction log in a list."""

    lines: list[bytes] = field(default_factory=list)

    async def write(self, lines: Sequence[bytes]) -> None:
        self.lines += lines

    async def close(self) -> None:
        pass


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Server:
    """The application of one artifact. `call` sends one request through the ASGI interface."""

    def __init__(self, folder: Path, store: OnlineStore | None = None, **settings: Any) -> None:
        self.settings = Settings(model_dir=folder, **settings)
        self.application = Application(self.settings)
        self.sink = MemorySink()
        self.store = store
        self.served: wiring.Served | None = None

    def load(self) -> "Server":
        loaded = wiring.load(self.settings)
        self.served = wiring.wire(self.settings, loaded, self.application, self.store, self.sink)
        return self

    def call(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] = b"",
        headers: Mapping[str, str] = JSON,
    ) -> Reply:
        chunks = [body] if isinstance(body, bytes) else list(body)
        messages: list[dict[str, Any]] = [
            {"type": "http.request", "body": chunk, "more_body": i < len(chunks) - 1}
            for i, chunk in enumerate(chunks)
        ]
        return asyncio.run(self._call(method, path, headers, _replay(messages)))

    def post(self, path: str, body: Any, **headers: str) -> Reply:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.call("POST", path, data, {**JSON, **{k.replace("_", "-"): v for k, v in headers.items()}})

    def get(self, path: str) -> Reply:
        return self.call("GET", path, headers={})

    async def _call(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        receive: Callable[[], Awaitable[dict[str, Any]]],
    ) -> Reply:
        sent: list[dict[str, Any]] = []

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
            "method": method, "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"",
            "root_path": "", "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1), "state": {},
            "headers": [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in headers.items()],
        }  # fmt: skip
        await self.application(scope, receive, send)
        if not sent:
            return Reply(0, {}, b"")
        body = b"".join(message.get("body", b"") for message in sent[1:])
        shown = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
        return Reply(sent[0]["status"], shown, body)

    def close(self) -> None:
        """End the log, so that every line is in the sink."""

        async def run() -> None:
            assert self.served is not None
            await self.served.log.start()
            await self.served.log.close(5)

        asyncio.run(run())


def _replay(messages: list[dict[str, Any]]) -> Callable[[], Awaitable[dict[str, Any]]]:
    left = iter(messages)

    async def receive() -> dict[str, Any]:
        message = next(left, None)
        return message if message is not None else {"type": "http.disconnect"}

    return receive
