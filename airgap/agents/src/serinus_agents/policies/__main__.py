"""`serinus-network-policies`: keep the node's table equal to the cluster's NetworkPolicies."""

import logging
import threading
import time
from collections.abc import Sequence

from serinus_agents.alive import Signs
from serinus_agents.api import Api
from serinus_agents.policies import nft
from serinus_agents.policies.ruleset import TABLE, ruleset
from serinus_agents.problems import BadObject
from serinus_agents.watching import Mirror, problems

log = logging.getLogger("serinus_agents.policies")
PATHS = ("/api/v1/pods", "/api/v1/namespaces", "/apis/networking.k8s.io/v1/networkpolicies")
# Changes come in flocks: a Deployment's pods, a chart's policies.
SETTLE_SECONDS = 0.05
CHECK_SECONDS = 30.0


def main() -> None:
    """Run until the process ends; the table then stays as it is."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    changed, signs = threading.Event(), Signs()
    mirrors = [Mirror(Api(), path, changed).start() for path in PATHS]
    loaded: str | None = None
    while True:
        changed.wait(CHECK_SECONDS)
        time.sleep(SETTLE_SECONDS)
        changed.clear()
        loaded = turn(mirrors, loaded)
        signs.alive()
        signs.ready(loaded is not None)


def turn(mirrors: Sequence[Mirror], loaded: str | None, command: Sequence[str] = nft.NFT) -> str | None:
    """Load what the mirrors hold, if it is not loaded already; return what is loaded now.

    Nothing is loaded before every collection was read: an unread list of pods is not an empty one.
    """
    held = [mirror.items for mirror in mirrors]
    if any(items is None for items in held):
        log.info("waiting for %s", "; ".join(problems(*mirrors)))
        return loaded
    started = time.monotonic()
    try:
        script = ruleset(*(items.values() for items in held if items is not None))
        if script == loaded and nft.present(TABLE, command):
            return loaded
        nft.load(script, command)
    except (BadObject, nft.NftError) as problem:
        log.error("the last ruleset stays: %s", problem)
        return loaded
    counts = ", ".join(
        f"{len(items or {})} {path.rpartition('/')[2]}" for items, path in zip(held, PATHS, strict=True)
    )
    log.info("loaded: %s, %.0f ms", counts, 1000 * (time.monotonic() - started))
    return script


if __name__ == "__main__":
    main()
