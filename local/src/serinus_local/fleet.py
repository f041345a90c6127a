"""The serving side: model servers in two slots behind Envoy. What a decision's actions are applied to."""

import sys
from dataclasses import dataclass
from pathlib import Path

import httpx

from serinus_contracts.artifact import CONTRACT_FILE, read_contract
from serinus_contracts.records import PREDICTION_ID_HEADER
from serinus_local.envoy import Envoy
from serinus_local.envoy_config import SLOTS, Backend
from serinus_local.load import Request
from serinus_local.processes import Child, LocalError, Processes, free_ports
from serinus_local.scrape import counts, scrape
from serinus_operator.adapters.prometheus_text import parse
from serinus_operator.rollout.counters import Counts, Sample

_FETCH_SECONDS = 60.0


@dataclass(frozen=True)
class Server:
    """One running model server. `ready_seconds` is from its start to its first answered prediction."""

    slot: int
    version: str
    revision: str
    port: int
    child: Child
    ready_seconds: float

    @property
    def url(self) -> str:
        """Its own address, past Envoy."""
        return f"http://127.0.0.1:{self.port}"


class Fleet:
    """The stable server, maybe a canary, and the weight between them. `environment` goes to every
    server, `probe` is the prediction that a server must answer before it counts as ready."""

    def __init__(
        self,
        folder: Path,
        processes: Processes,
        environment: dict[str, str],
        probe: Request,
        slo_seconds: float,
    ) -> None:
        self.folder = folder
        self.envoy = Envoy(folder / "envoy", processes)
        self.canary: Server | None = None
        self.weight = 0
        self._processes = processes
        self._environment = environment
        self._probe = probe
        self._slo_seconds = slo_seconds
        self._stable: Server | None = None
        self._client = httpx.Client(timeout=2.0)

    @property
    def stable(self) -> Server:
        """The server in force. Raises LocalError before `start`."""
        if self._stable is None:
            raise LocalError("nothing is served yet")
        return self._stable

    def start(self, model: str, version: str) -> Server:
        """Fetch and serve the first version, then open the gateway."""
        self._stable = self._serve(model, version, slot=SLOTS[0])
        self.envoy.start(self._backends())
        return self._stable

    def create_candidate(self, model: str, version: str) -> Server:
        """Fetch and start a candidate in the free slot. It gets no traffic."""
        free = next(slot for slot in SLOTS if slot != self.stable.slot)
        self.canary = self._serve(model, version, slot=free)
        self._apply(0)
        return self.canary

    def set_weight(self, weight: int) -> None:
        """Send `weight` percent of new requests to the canary."""
        self._apply(weight)

    def promote(self) -> None:
        """Make the drained-to canary the stable server and end the old one, which gets nothing any more."""
        if self.canary is None or self.weight != 100:
            raise LocalError(f"only a canary with all traffic can be promoted, the weight is {self.weight}")
        loser, self._stable, self.canary, self.weight = self.stable, self.canary, None, 0
        self.envoy.apply(self._backends())
        self._processes.stop(loser.child)

    def drop_candidate(self) -> None:
        """End the canary, which gets nothing any more."""
        if self.canary is None:
            return
        if self.weight:
            raise LocalError(f"the canary still gets {self.weight} % of the traffic")
        loser, self.canary = self.canary, None
        self.envoy.apply(self._backends())
        self._processes.stop(loser.child)

    def sample(self, t: float) -> Sample:
        """Read the cumulative counters of both arms. An arm that does not answer is None."""
        return Sample(
            t=t,
            weight=self.weight,
            stable=self._counts(self.stable),
            canary=None if self.canary is None else self._counts(self.canary),
            revision=None if self.canary is None else self.canary.revision,
        )

    def stop(self) -> None:
        """End the servers, gracefully, so that their logs are complete; then the gateway."""
        for server in (self.canary, self._stable):
            if server is not None:
                self._processes.stop(server.child)
        self.canary = self._stable = None
        self.envoy.stop()
        self._client.close()

    def _apply(self, weight: int) -> None:
        before, self.weight = self.weight, weight
        try:
            self.envoy.apply(self._backends())
        except LocalError:
            self.weight = before
            raise

    def _backends(self) -> dict[int, Backend]:
        stable = self.stable
        backends = {stable.slot: Backend(stable.revision, stable.port, 100 - self.weight)}
        if self.canary is not None:
            backends[self.canary.slot] = Backend(self.canary.revision, self.canary.port, self.weight)
        return backends

    def _counts(self, server: Server) -> Counts | None:
        own = scrape(self._client, server.url)
        if own is None:
            return None
        # Envoy last: it then has seen at least the answers that the server has counted.
        return counts(parse(self.envoy.exposition()), own, server.slot, server.revision, self._slo_seconds)

    def _serve(self, model: str, version: str, slot: int) -> Server:
        target = self.folder / f"{model}-{version}"
        fetch = [
            str(Path(sys.executable).with_name("serinus-fetch")),
            f"mlflow://{model}/{version}",
            str(target),
        ]
        fetching = self._processes.start(f"fetch-{version}", fetch, self._environment, lasting=False)
        if self._processes.finish(fetching, _FETCH_SECONDS) != 0:
            raise LocalError(f"fetching {model}/{version} failed; see {fetching.log}:\n{fetching.tail()}")
        revision = read_contract((target / CONTRACT_FILE).read_bytes()).revision
        [port] = free_ports(1)
        child = self._processes.start(
            f"server-{version}",
            [sys.executable, "-m", "serinus_server"],
            {
                **self._environment,
                "SERINUS_MODEL_DIR": str(target),
                "SERINUS_MODEL_VERSION": version,
                "SERINUS_PORT": str(port),
            },
        )
        url = f"http://127.0.0.1:{port}"
        waited = self._processes.wait_ready(child, lambda: self._answers(url, version))
        return Server(slot, version, revision, port, child, waited)

    def _answers(self, url: str, version: str) -> bool:
        headers = {"content-type": "application/json", PREDICTION_ID_HEADER: f"probe-{version}"}
        try:
            answer = self._client.post(url + self._probe.path, content=self._probe.body, headers=headers)
        except httpx.HTTPError:
            return False
        if 400 <= answer.status_code < 500:
            raise LocalError(
                f"the probe of version {version} was refused: {answer.status_code} {answer.text[:300]}"
            )
        return answer.status_code == 200
