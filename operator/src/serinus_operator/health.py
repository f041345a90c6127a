"""Metrics and health over HTTP, of leaders and followers alike."""

from collections.abc import Callable, Iterable
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing: probes and scrapes come every few seconds."""


def serve(port: int, registry: CollectorRegistry, unwell: Callable[[], str]) -> WSGIServer:
    """Serve /metrics, /healthz and /readyz from a thread. `unwell` says what is wrong, or "".

    A follower is ready: it waits, and a rolling update must not wait for it to lead.
    """
    metrics: Callable[..., Iterable[bytes]] = make_wsgi_app(registry)

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO")
        if path == "/metrics":
            return metrics(environ, start)
        words = unwell() if path in ("/healthz", "/readyz") else "no such page"
        codes = {"": "200 OK", "no such page": "404 Not Found"}
        start(codes.get(words, "503 Service Unavailable"), [("Content-Type", "text/plain; charset=utf-8")])
        return [(words or "ok").encode()]

    server = make_server("", port, application, handler_class=_Quiet)
    Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
