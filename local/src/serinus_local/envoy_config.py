"""Envoy's configuration as plain data: bootstrap, clusters and routes of two slots.

Slots as on the cluster: a revision keeps its slot from canary to stable, and every slot is a cluster
of Envoy's with counters of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serinus_contracts.records import REVISION_HEADER

SLOTS = (0, 1)
ROUTES = "serinus"
_TYPE = "type.googleapis.com/"
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
# Well below the servers' keep-alive (SERINUS_KEEP_ALIVE_SECONDS), so that Envoy never reuses a connection
# that the server is closing.
_UPSTREAM_IDLE = "600s"


@dataclass(frozen=True)
class Backend:
    """One server in a slot. `weight` is its share of new requests, in percent."""

    revision: str
    port: int
    weight: int


def cluster_name(slot: int) -> str:
    """Return the Envoy cluster of a slot: the label that its counters carry."""
    return f"slot-{slot}"


def bootstrap(folder: Path, *, port: int, admin_port: int) -> dict[str, Any]:
    """Return the bootstrap: one listener on loopback; routes and clusters are watched in `folder`."""
    manager = {
        "@type": _TYPE + "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "users",
        "generate_request_id": False,
        "rds": {"route_config_name": ROUTES, "config_source": _watched(folder / "routes.json")},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": _TYPE + "envoy.extensions.filters.http.router.v3.Router"},
            }
        ],
    }
    listener = {
        "name": "users",
        "address": _address(port),
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }
    return {
        "node": {"id": "serinus-local", "cluster": "serinus-local"},
        "admin": {"address": _address(admin_port)},
        "dynamic_resources": {"cds_config": _watched(folder / "clusters.json")},
        "static_resources": {"listeners": [listener]},
    }


def clusters(backends: Mapping[int, Backend], version: int) -> dict[str, Any]:
    """Return the clusters of the occupied slots."""
    resources = [
        {
            "@type": _TYPE + "envoy.config.cluster.v3.Cluster",
            "name": cluster_name(slot),
            "type": "STATIC",
            "connect_timeout": "1s",
            "load_assignment": {
                "cluster_name": cluster_name(slot),
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(backend.port)}}]}],
            },
            "typed_extension_protocol_options": {
                _HTTP_OPTIONS: {
                    "@type": _TYPE + _HTTP_OPTIONS,
                    "common_http_protocol_options": {"idle_timeout": _UPSTREAM_IDLE},
                    "explicit_http_config": {"http_protocol_options": {}},
                }
            },
        }
        for slot, backend in sorted(backends.items())
    ]
    return {"version_info": str(version), "resources": resources}


def routes(backends: Mapping[int, Backend], version: int) -> dict[str, Any]:
    """Return the routes: one weighted split, no retries, each answer names its revision.

    A backend of weight 0 is not named at all. Raises ValueError unless the weights sum to 100.
    """
    total = sum(backend.weight for backend in backends.values())
    if total != 100 or any(backend.weight < 0 for backend in backends.values()):
        raise ValueError(f"weights must be 0 or more and sum to 100, not {total}")
    weighted = [
        {
            "name": cluster_name(slot),
            "weight": backend.weight,
            "response_headers_to_add": [
                {
                    "header": {"key": REVISION_HEADER, "value": backend.revision},
                    "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
                }
            ],
        }
        for slot, backend in sorted(backends.items())
        if backend.weight
    ]
    action = {"weighted_clusters": {"clusters": weighted}, "timeout": "10s"}
    configuration = {
        "@type": _TYPE + "envoy.config.route.v3.RouteConfiguration",
        "name": ROUTES,
        "virtual_hosts": [
            {"name": "model", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": action}]}
        ],
    }
    return {"version_info": str(version), "resources": [configuration]}


def _watched(path: Path) -> dict[str, Any]:
    return {"resource_api_version": "V3", "path_config_source": {"path": str(path)}}


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
