"""The process `serinus-operator`: stand for leader, and lead. Ends when it has led and no longer may."""

import argparse
import asyncio
import logging
import os
import signal
import sys
import time
from contextlib import suppress

from serinus_operator import handlers
from serinus_operator.adapters.kubernetes import Cluster, ClusterError, connect
from serinus_operator.adapters.lease import Election
from serinus_operator.gauges import Gauges
from serinus_operator.health import serve
from serinus_operator.reconcile import Reconciler
from serinus_operator.settings import Settings, SettingsError, read_settings
from serinus_operator.work import Key, Work

_log = logging.getLogger("serinus_operator")
# The worker shows life every 5 s; one look asks the API server at most six times, 10 s each.
_SILENT_SECONDS = 90.0
# KServe writes the same status while a service changes, and complains of who writes meanwhile. So a condition
# waits until a service has been quiet for so long. Its route does not.
_QUIET_SECONDS = 2.0


def main() -> None:
    """Run until the process is asked to end."""
    # Whoever asks for help must not find an operator running on the cluster of the current context.
    argparse.ArgumentParser(
        prog="serinus-operator",
        description="Keep the routes of labelled InferenceServices. It takes no arguments: its settings are "
        "SERINUS_GATEWAY, SERINUS_WATCH_NAMESPACES, SERINUS_LEASE, SERINUS_METRICS_PORT, POD_NAME and "
        "POD_NAMESPACE of the environment, which the chart sets.",
    ).parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("kopf").setLevel(logging.WARNING)
    try:
        asyncio.run(_run(read_settings()))
    except (SettingsError, ClusterError) as error:
        sys.exit(f"serinus-operator: {error}")


async def _run(settings: Settings) -> None:
    api = connect()
    cluster = Cluster(api)
    cluster.check(settings.namespaces)
    gauges, work = Gauges(), Work()
    election = Election(api, settings.lease, settings.lease_namespace, settings.identity, _end)

    def unwell() -> str:
        if not election.alive:
            return "the election's thread is gone"
        silent = time.monotonic() - work.beat
        if election.leading.is_set() and silent > _SILENT_SECONDS:
            return f"the worker has been silent for {silent:.0f} s"
        return ""

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    election.start()
    server = serve(settings.port, gauges.registry, unwell)
    _log.info("%s stands for lease %s/%s", settings.identity, settings.lease_namespace, settings.lease)
    try:
        if await _leads(election, stop):
            _log.info("%s leads", settings.identity)
            gauges.leader.set(1)
            reports = Work()

            def report(key: Key) -> None:
                loop.call_soon_threadsafe(reports.defer, key, _QUIET_SECONDS)

            reconciler = Reconciler(cluster, settings.gateway, gauges, report)
            workers = [
                asyncio.create_task(work.run(reconciler.look)),
                asyncio.create_task(reports.run(reconciler.show)),
            ]
            try:
                await handlers.watch(work.add, settings.identity, settings.namespaces, stop)
            finally:
                for worker in workers:
                    worker.cancel()
    finally:
        await asyncio.to_thread(election.release)
        server.shutdown()


async def _leads(election: Election, stop: asyncio.Event) -> bool:
    """Wait until this process leads (True) or is asked to end (False)."""
    while not stop.is_set():
        if election.leading.is_set():
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await stop.wait()
    return False


def _end() -> None:
    """End at once: another may lead already, and a look under way must not write any more."""
    _log.error("the lease is lost")
    logging.shutdown()
    os._exit(1)
