"""Kopf's side: which news lead to which service being looked at. The only file with Kopf.

Handlers of bare events only. Any other kind of handler would write Kopf's annotations or finalizers to
InferenceServices: an annotation there reaches the pod template and rolls every pod, and a finalizer
would hang without the operator.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import kopf

from serinus_operator.adapters.kubernetes import ROUTES, SERVICE_LABEL, SERVICES, SLICES
from serinus_operator.routing.model import ROUTE_LABEL, ROUTE_LABEL_VALUE
from serinus_operator.work import Key

# A watch that breaks begins anew after these seconds, the last one for ever. Kopf's own go up to minutes.
_BACKOFFS = (1, 1, 2, 3, 5)


def registry(news: Callable[[Key], None]) -> kopf.OperatorRegistry:
    """Return the handlers: each calls `news` with the service that an object belongs to."""
    handlers = kopf.OperatorRegistry()
    kopf.on.login(registry=handlers)(kopf.login_via_client)

    @kopf.on.event(*SERVICES, labels={ROUTE_LABEL: kopf.PRESENT}, registry=handlers)
    async def service_changed(namespace: str | None, name: str | None, **_: Any) -> None:
        news((str(namespace), str(name)))

    @kopf.on.event(*ROUTES, labels={ROUTE_LABEL: ROUTE_LABEL_VALUE}, registry=handlers)
    async def route_changed(namespace: str | None, name: str | None, **_: Any) -> None:
        news((str(namespace), str(name)))

    @kopf.on.event(*SLICES, labels={SERVICE_LABEL: kopf.PRESENT}, registry=handlers)
    async def endpoints_changed(namespace: str | None, labels: kopf.Labels, **_: Any) -> None:
        news((str(namespace), labels[SERVICE_LABEL]))

    return handlers


async def watch(
    news: Callable[[Key], None], identity: str, namespaces: tuple[str, ...], stop: asyncio.Event
) -> None:
    """Watch until `stop` is set or the process is asked to end. Everything there is counts as news first."""
    settings = kopf.OperatorSettings()
    # Neither definitions nor namespaces need be watched, and our account may not.
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.networking.error_backoffs = _BACKOFFS
    settings.queueing.error_delays = _BACKOFFS
    # Handlers only pass a key on: at the end there is nothing to wait for, and another may lead sooner.
    settings.queueing.exit_timeout = settings.queueing.idle_timeout = 0.2
    settings.watching.label_selectors[SERVICES[0], SERVICES[2]] = ROUTE_LABEL
    settings.watching.label_selectors[ROUTES[0], ROUTES[2]] = f"{ROUTE_LABEL}={ROUTE_LABEL_VALUE}"
    settings.watching.label_selectors[SLICES[0], SLICES[2]] = SERVICE_LABEL
    # Of a type that Kopf keeps to itself. Its own choice asks for the user's name, and ours has none.
    own: Any = identity
    handlers = registry(news)

    @kopf.on.cleanup(registry=handlers)
    async def ended(**_: Any) -> None:
        # Where a signal ended it, Kopf waits 5 s for its own wait for this flag.
        stop.set()

    await kopf.operator(
        identity=own,
        registry=handlers,
        settings=settings,
        # One leads already, by a lease; Kopf's peering would pause two of the same priority for ever.
        standalone=True,
        clusterwide=not namespaces,
        namespaces=namespaces,
        stop_flag=stop,
    )
