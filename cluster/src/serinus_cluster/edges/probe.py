"""One bounded request to each image registry that the upstream images are named after."""

from concurrent.futures import ThreadPoolExecutor

import httpx

from serinus_cluster.situation import Probe

REGISTRIES = {
    "docker.io": "https://registry-1.docker.io/v2/",
    "registry.k8s.io": "https://registry.k8s.io/v2/",
}
DEADLINE_SECONDS = 4.0


def probe() -> list[Probe]:
    """Ask all registries at once. A 401 is an answer: it is how a registry greets the unknown."""
    with ThreadPoolExecutor(len(REGISTRIES)) as pool:
        return list(pool.map(lambda each: _ask(*each), REGISTRIES.items()))


def _ask(name: str, url: str) -> Probe:
    try:
        answer = httpx.head(url, timeout=DEADLINE_SECONDS, follow_redirects=True)
    except httpx.HTTPError as error:
        return Probe(name, False, f"{type(error).__name__} within {DEADLINE_SECONDS:.0f} s")
    # A proxy in between may answer in the registry's place: only the registry's own codes count.
    answered = answer.status_code in (200, 401)
    return Probe(name, answered, f"HTTP {answer.status_code}")
