"""`serinus-certificates`: issue what Certificates ask for and put bundles where they are asked for."""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from enum import Enum, auto

from serinus_agents.alive import Signs
from serinus_agents.api import Api, ApiError
from serinus_agents.certificates.deciding import (
    API,
    Action,
    Inject,
    Issue,
    Status,
    World,
    decide,
    not_issued,
    secrets_of,
)
from serinus_agents.certificates.injecting import ANNOTATION
from serinus_agents.certificates.signing import issue
from serinus_agents.problems import BadObject
from serinus_agents.shapes import Json, Key
from serinus_agents.watching import Mirror, problems

log = logging.getLogger("serinus_agents.certificates")
ISSUING = ("certificates", "issuers", "clusterissuers")
WEBHOOKS = tuple(
    f"/apis/admissionregistration.k8s.io/v1/{kind}webhookconfigurations"
    for kind in ("mutating", "validating")
)
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SETTLE_SECONDS = 0.05
# Secrets are not watched: one that was deleted or has come is noticed after this long at the latest.
RESYNC_SECONDS = 15.0


class Outcome(Enum):
    """How one turn ended."""

    SETTLED = auto()
    ISSUED = auto()
    FAILED = auto()


def main() -> None:
    """Run until the process ends."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    changed, signs, api = threading.Event(), Signs(), Api()
    paths = [*(f"{API}/{kind}" for kind in ISSUING), *WEBHOOKS, DEFINITIONS]
    mirrors = {
        path: Mirror(Api(), path, changed, metadata_only=path == DEFINITIONS).start() for path in paths
    }
    while True:
        changed.wait(RESYNC_SECONDS)
        time.sleep(SETTLE_SECONDS)
        changed.clear()
        signs.alive()
        outcome = turn(api, mirrors, datetime.now(UTC))
        signs.ready(outcome is not Outcome.FAILED)
        if outcome is Outcome.ISSUED:
            changed.set()  # Secrets are not watched, and one that was written makes more due


def turn(api: Api, mirrors: Mapping[str, Mirror], now: datetime) -> Outcome:
    """Do what is due once. FAILED: something could not be read or written, and the next turn tries again."""
    if unread := problems(*mirrors.values()):
        log.info("waiting for %s", "; ".join(unread))
        return Outcome.FAILED
    outcome = Outcome.SETTLED
    try:
        world = _world(api, {path: mirror.items or {} for path, mirror in mirrors.items()})
    except ApiError as problem:
        log.warning("%s", problem)
        return Outcome.FAILED
    for action in decide(world, now):
        try:
            if _act(api, action, world, now) and outcome is Outcome.SETTLED:
                outcome = Outcome.ISSUED
        except ApiError as problem:
            outcome = Outcome.FAILED
            log.warning("%s", problem)
    return outcome


def _world(api: Api, held: Mapping[str, Mapping[Key, Json]]) -> World:
    certificates, issuers, cluster_issuers = (held[f"{API}/{kind}"] for kind in ISSUING)
    injectables = {
        f"{path}/{name}": item
        for path in (*WEBHOOKS, DEFINITIONS)
        for (_, name), item in held[path].items()
        if ANNOTATION in (item["metadata"].get("annotations") or {})
    }
    whole = {
        path: api.get(path) if path.startswith(DEFINITIONS) else item for path, item in injectables.items()
    }
    world = World(
        certificates,
        issuers,
        cluster_issuers,
        injectables={path: item for path, item in whole.items() if item},
    )
    return replace(world, secrets={key: api.get(_secret(*key)) for key in secrets_of(world)})


def _act(api: Api, action: Action, world: World, now: datetime) -> bool:
    """Do one thing; return whether a Secret was written."""
    match action:
        case Issue(wanted):
            log.info("issue %s/%s: %s", wanted.namespace, wanted.name, action.reason)
            try:
                body = issue(wanted, action.authority, now, action.kept)
            except BadObject as problem:
                for status in not_issued(world.certificates[wanted.namespace, wanted.name], problem, now):
                    _act(api, status, world, now)
                return False
            if action.exists:  # it keeps its type, which nobody can change
                part = {key: body[key] for key in ("metadata", "data")}
                api.merge(_secret(wanted.namespace, wanted.secret), part)
            else:
                api.create(f"/api/v1/namespaces/{wanted.namespace}/secrets", body)
            return True
        case Status(path, status):
            ready = status["conditions"][-1]
            log.info("%s: Ready %s, %s", path, ready["status"], ready["message"])
            api.merge(f"{path}/status", {"status": status})
        case Inject(path, operations):
            log.info("inject into %s: %d places", path, len(operations) - 1)
            api.patch(path, operations)
    return False


def _secret(namespace: str, name: str) -> str:
    return f"/api/v1/namespaces/{namespace}/secrets/{name}"


if __name__ == "__main__":
    main()
