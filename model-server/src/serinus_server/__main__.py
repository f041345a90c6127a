"""The process: settings, artifact, graph, store, log and protocols wired by hand; signals; the drain."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
from collections.abc import Iterator

import uvicorn

from serinus_server.asgi import Application
from serinus_server.settings import Settings, SettingsError
from serinus_server.short_way import protocol

_log = logging.getLogger("serinus_server")
# How long requests that are under way may take after the drain, and then the log's last rows.
_GRACE_SECONDS = 10
_FLUSH_SECONDS = 10.0
_YOUNG_OBJECTS = 20_000


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: they would end the process before the log is flushed."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def main() -> None:
    """Serve until SIGTERM or SIGINT. Exit codes: 0 after a graceful end, 1 when the port cannot be had,
    2 for settings or an artifact that cannot be served."""
    if sys.argv[1:]:
        _take_no_arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    try:
        settings = Settings.from_environment()
    except SettingsError as error:
        sys.exit(_refuse(str(error)))
    import uvloop

    sys.exit(uvloop.run(serve(settings)))


def _take_no_arguments() -> None:
    import argparse  # seldom needed, and a start is measured in milliseconds

    argparse.ArgumentParser(
        prog="serinus-server",
        description="Serve the model in SERINUS_MODEL_DIR. It takes no arguments: its settings are the "
        "variables of docs/reference/server-settings.md, which `python -m serinus_server.settings` prints.",
    ).parse_args()


def _refuse(message: str) -> int:
    print(f"serinus-server: {message}", file=sys.stderr)
    return 2


async def serve(settings: Settings) -> int:
    """Listen, load, serve, drain; return the exit code."""
    application = Application(settings)
    try:
        listener = _bound(settings)
    except OSError as error:
        print(f"serinus-server: {settings.host}:{settings.port}: {error.strerror}", file=sys.stderr)
        return 1
    server = _Server(_config(settings, application))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _on_signal, number, server, stop)
    opened = _Port(server, listener)
    if settings.open_port == "early":
        opened.task()
    try:
        return await _load_and_serve(settings, application, server, stop, opened)
    finally:
        server.should_exit = True
        await opened.closed()


def _bound(settings: Settings) -> socket.socket:
    """Take the port, so that a taken one is noticed at once. Until it is opened connections are refused."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((settings.host, settings.port))
    except OSError:
        listener.close()
        raise
    return listener


class _Port:
    """The port: bound, and opened once."""

    def __init__(self, server: uvicorn.Server, listener: socket.socket) -> None:
        self._server, self._listener = server, listener
        self._task: asyncio.Task[None] | None = None

    def task(self) -> asyncio.Task[None]:
        """Open the port, if it is not, and return what serves it."""
        if self._task is None:
            self._task = asyncio.create_task(self._server.serve(sockets=[self._listener]))
        return self._task

    async def closed(self) -> None:
        """Wait until nothing is served any more."""
        if self._task is None:
            self._listener.close()
        else:
            await asyncio.wait({self._task})


def _config(settings: Settings, application: Application) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        http=protocol(application, settings.request_seconds),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=settings.max_connections,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


def _on_signal(number: int, server: uvicorn.Server, stop: asyncio.Event) -> None:
    if stop.is_set() or number == signal.SIGINT:
        # Asked twice, or from a terminal: no waiting for routers.
        server.should_exit = True
    stop.set()


async def _load_and_serve(
    settings: Settings,
    application: Application,
    server: uvicorn.Server,
    stop: asyncio.Event,
    port: _Port,
) -> int:
    # Heavy imports stand here, so that liveness can be answered while they are made.
    from serinus_contracts.errors import ContractError
    from serinus_server import wiring
    from serinus_server.artifacts import ArtifactError

    try:
        loaded = await asyncio.to_thread(wiring.load, settings)
        store, sink = wiring.make_doors(settings, loaded.contract)
        served = wiring.wire(settings, loaded, application, store, sink)
    except SettingsError as error:
        return _refuse(str(error))
    except (ArtifactError, ContractError, ValueError) as error:
        return _refuse(f"{settings.model_dir}: {error}")
    await served.log.start()
    listening = port.task()
    # What is loaded stays. Without this the collector walks all of it again and again.
    gc.collect()
    gc.freeze()
    # Rows that wait for the log are no garbage, and requests make hardly any in cycles: look seldom.
    gc.set_threshold(_YOUNG_OBJECTS, 20, 20)
    model = served.model
    _log.info(
        "serving model=%s version=%s revision=%s on http://%s:%d",
        model.name, model.version, model.contract.revision, settings.host, settings.port,
    )  # fmt: skip
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({stopped, listening}, return_when=asyncio.FIRST_COMPLETED)
    application.draining = True
    _log.info("not ready from now on; requests are still taken for %g s", settings.drain_seconds)
    loop = asyncio.get_running_loop()
    end = loop.time() + settings.drain_seconds
    while not server.should_exit and loop.time() < end:
        await asyncio.sleep(0.05)
    server.should_exit = True
    await asyncio.wait({listening})
    await served.log.close(_FLUSH_SECONDS)
    if served.store is not None:
        await served.store.close()
    rows = sum(model.metrics.predictions.values())
    _log.info(
        "ended model=%s revision=%s rows=%d logged=%d dropped=%d",
        model.name, model.contract.revision, rows, served.log.logged, served.log.dropped,
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    main()
