"""What must run before anything else: the registry."""

import sys

import httpx

from serinus_local.processes import Child, Processes, free_ports
from serinus_local.run import Options

_READY_SECONDS = 120.0


def start_registry(options: Options, processes: Processes) -> tuple[Child, str]:
    """Start an MLflow server on SQLite that serves artifacts itself. Return it and its address.

    It takes its time to import, so `wait_registry` waits for it, later.
    """
    [port] = free_ports(1)
    command = [
        sys.executable, "-m", "mlflow", "server",
        "--backend-store-uri", f"sqlite:///{options.work / 'mlflow.db'}",
        "--artifacts-destination", str(options.work / "mlartifacts"),
        "--serve-artifacts", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
    ]  # fmt: skip
    child = processes.start("mlflow", command, {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"})
    return child, f"http://127.0.0.1:{port}"


def wait_registry(child: Child, url: str, processes: Processes) -> float:
    """Wait until the registry answers a search. Return the seconds waited."""

    def answers() -> bool:
        try:
            query = f"{url}/api/2.0/mlflow/registered-models/search"
            return httpx.get(query, params={"max_results": 1}, timeout=5.0).status_code == 200
        except httpx.HTTPError:
            return False

    return processes.wait_ready(child, answers, _READY_SECONDS)
