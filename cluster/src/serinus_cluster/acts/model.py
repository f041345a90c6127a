"""A prediction through the gateway, asked as a client would."""

import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from serinus_cluster.edges.secrets import secret
from serinus_cluster.edges.shell import CommandFailed
from serinus_cluster.place import Place
from serinus_cluster.steps import AskModel, Outcome
from serinus_cluster.waiting import NotYet, until


@dataclass(frozen=True)
class Request:
    """One request, repeated until the route is in force."""

    action: AskModel
    place: Place

    def missing(self) -> str | None:
        """Always ask: the answer is the proof that everything before it works."""
        return "a prediction proves it"

    def apply(self, seconds: float) -> Outcome:
        """Ask until a prediction comes.

        Raises:
            InVain: none came within the deadline; the message holds the last answer.
        """
        host = self._host()
        url = f"{self.action.url}/v1/models/{self.action.service}:predict"
        headers = {
            "Host": host,
            "Content-Type": "application/json",
            "x-api-key": secret(self.place.kubectl, self.action.key),
        }
        body = (self.place.root / self.action.body).read_bytes()
        what = f"POST {url} (Host: {host}) gives predictions"
        said, took = until(what, lambda: _ask(url, headers, body), seconds)
        return Outcome(f"{host} answers {said} in {took * 1000:.0f} ms", changed=False)

    def _host(self) -> str:
        """Return the name under which the model is asked: KServe's own word, else the route's."""
        where = ("--namespace", self.action.namespace, "--output")
        get = self.place.kubectl.run
        url = get("get", "inferenceservice", self.action.service, *where, "jsonpath={.status.url}").strip()
        if host := urlsplit(url).hostname:
            return host
        host = get("get", "httproute", self.action.service, *where, "jsonpath={.spec.hostnames[0]}").strip()
        if not host:
            raise CommandFailed(f"neither InferenceService nor HTTPRoute {self.action.service} names a host")
        return host


def _ask(url: str, headers: dict[str, str], body: bytes) -> tuple[list[object], float]:
    """Return the predictions and the seconds they took. Raises NotYet with what came instead."""
    began = time.monotonic()
    try:
        answer = httpx.post(url, headers=headers, content=body, timeout=10, trust_env=False)
    except httpx.HTTPError as error:
        raise NotYet(f"{type(error).__name__}: {error}") from None
    if not answer.is_success:
        raise NotYet(f"HTTP {answer.status_code} {answer.text[:300]}")
    predictions = answer.json().get("predictions")
    if not isinstance(predictions, list) or not predictions:
        raise NotYet(f"no predictions: {answer.text[:300]}")
    return predictions, time.monotonic() - began
