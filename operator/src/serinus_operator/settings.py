"""The operator's settings, from the environment."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from serinus_operator.routing.model import Gateway


class SettingsError(Exception):
    """A setting that cannot be. The message names it and what it may be."""


@dataclass(frozen=True)
class Settings:
    """identity names this process in the lease, which is `lease_namespace`/`lease`. Empty `namespaces` are
    all. `port` is for metrics and health."""

    identity: str
    lease: str
    lease_namespace: str
    namespaces: tuple[str, ...]
    gateway: Gateway
    port: int


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings. Raises SettingsError."""
    namespace, slash, name = environment.get("SERINUS_GATEWAY", "serinus-system/serinus").partition("/")
    if not (namespace and slash and name) or "/" in name:
        raise SettingsError("SERINUS_GATEWAY: must be <namespace>/<name> of a Gateway")
    port = environment.get("SERINUS_METRICS_PORT", "8080")
    if not port.isdigit() or not 1 <= int(port) <= 65535:
        raise SettingsError(f"SERINUS_METRICS_PORT: {port!r} is no port")
    listed = environment.get("SERINUS_WATCH_NAMESPACES", "").split(",")
    return Settings(
        identity=environment.get("POD_NAME") or f"{socket.gethostname()}-{os.getpid()}",
        lease=environment.get("SERINUS_LEASE", "serinus-operator"),
        lease_namespace=environment.get("POD_NAMESPACE") or "default",
        namespaces=tuple(sorted({each.strip() for each in listed} - {""})),
        gateway=Gateway(namespace, name),
        port=int(port),
    )
