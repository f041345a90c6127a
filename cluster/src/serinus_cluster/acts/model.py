"""A prediction through the gateway, asked as a client would."""

import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from serinus_cluster.edges.secrets import secret
from serinus_cluster.edges.shell import CommandFailed
from serinus_cluster.place import Place
from serinus_cluster.steps import AskModel, Outcome


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
            CommandFailed: none came within the deadline; the message holds the last answer.
        """
        host, deadline = self._host(), time.monotonic() + seconds
        url = f"{self.action.url}/v1/models/{self.action.service}:predict"
        headers = {
            "Host": host,
            "Content-Type": "application/json",
            "x-api-key": secret(self.place.kubectl, self.action.key),
        }
        body = (self.place.root / self.action.body).read_bytes()
        while True:
            began = time.monotonic()
            said = _ask(url, headers, body)
            if isinstance(said, list):
                took = (time.monotonic() - began) * 1000
                return Outcome(f"{host} answers {said} in {took:.0f} ms", changed=False)
            if time.monotonic() > deadline:
                raise CommandFailed(
                    f"waited {seconds:.0f} s in vain: POST {url} (Host: {host}) gives predictions\n"
                    f"last: {said}"
                )
            time.sleep(0.5)

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


def _ask(url: str, headers: dict[str, str], body: bytes) -> list[object] | str:
    """Return the predictions, or in words what came instead."""
    try:
        answer = httpx.post(url, headers=headers, content=body, timeout=10, trust_env=False)
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"
    if not answer.is_success:
        return f"HTTP {answer.status_code} {answer.text[:300]}"
    predictions = answer.json().get("predictions")
    return (
        predictions
        if isinstance(predictions, list) and predictions
        else f"no predictions: {answer.text[:300]}"
    )
