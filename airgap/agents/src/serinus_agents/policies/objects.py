"""What a ruleset needs of pods, namespaces and policies, read from the API server's JSON."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from serinus_agents.policies.selecting import checked
from serinus_agents.problems import BadObject

Object = Mapping[str, Any]
Direction = Literal["egress", "ingress"]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
PROTOCOLS = {"TCP": "tcp", "UDP": "udp", "SCTP": "sctp"}


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod with addresses of its own. `ports` are (name, protocol, number)."""

    namespace: str
    labels: Mapping[str, str]
    addresses: tuple[str, ...]
    ports: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, slots=True)
class Port:
    """One entry of a rule's ports: a name, a range, or (neither) a whole protocol."""

    protocol: str
    name: str | None = None
    numbers: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """An ipBlock."""

    network: Network
    holes: tuple[Network, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """Pods named by selectors. No namespace selector means the policy's own namespace."""

    pods: Object
    namespaces: Object | None


@dataclass(frozen=True, slots=True)
class Rule:
    """One ingress or egress rule. No peers mean everyone, no ports mean every port."""

    peers: tuple[Block | Selection, ...]
    ports: tuple[Port, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """One NetworkPolicy. A direction that is a key here is isolated, even with no rules."""

    namespace: str
    name: str
    selector: Object
    rules: Mapping[Direction, tuple[Rule, ...]] = field(hash=False)

    @property
    def key(self) -> str:
        """The policy's namespace and name, as messages and comments write them."""
        return f"{self.namespace}/{self.name}"


def read_pod(raw: Object) -> Pod | None:
    """Return the pod, or None without an address of its own (host network, finished, not yet up)."""
    spec, status = raw["spec"], raw.get("status") or {}
    if spec.get("hostNetwork") or status.get("phase") in ("Succeeded", "Failed"):
        return None
    listed = [entry["ip"] for entry in status.get("podIPs") or []]
    addresses = listed or [status["podIP"]] if listed or status.get("podIP") else []
    if not addresses:
        return None
    containers = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    ports = [port for container in containers for port in container.get("ports") or [] if port.get("name")]
    return Pod(
        namespace=raw["metadata"]["namespace"],
        labels=raw["metadata"].get("labels") or {},
        addresses=tuple(addresses),
        ports=tuple((port["name"], _protocol(port), int(port["containerPort"])) for port in ports),
    )


def read_policy(raw: Object) -> Policy:
    """Return the policy.

    Raises:
        BadObject: something that networking.k8s.io/v1 does not know; the message names the policy.
    """
    meta, spec = raw["metadata"], raw["spec"]
    try:
        return Policy(meta["namespace"], meta["name"], checked(spec.get("podSelector") or {}), _rules(spec))
    except (BadObject, KeyError, ValueError) as problem:
        raise BadObject(f"NetworkPolicy {meta['namespace']}/{meta['name']}: {problem}") from problem


def _rules(spec: Object) -> dict[Direction, tuple[Rule, ...]]:
    # The API server fills policyTypes in; this is its own default for objects that come from elsewhere.
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    rules: dict[Direction, tuple[Rule, ...]] = {}
    if "Egress" in types:
        rules["egress"] = tuple(_rule(rule, rule.get("to")) for rule in spec.get("egress") or [])
    if "Ingress" in types:
        rules["ingress"] = tuple(_rule(rule, rule.get("from")) for rule in spec.get("ingress") or [])
    return rules


def _rule(rule: Object, peers: Sequence[Object] | None) -> Rule:
    return Rule(tuple(map(_peer, peers or ())), tuple(map(_port, rule.get("ports") or ())))


def _peer(peer: Object) -> Block | Selection:
    if block := peer.get("ipBlock"):
        network = ipaddress.ip_network(block["cidr"], strict=False)
        holes = tuple(ipaddress.ip_network(hole, strict=False) for hole in block.get("except") or ())
        return Block(network, holes)
    namespaces, pods = peer.get("namespaceSelector"), peer.get("podSelector")
    if namespaces is None and pods is None:
        raise BadObject("a peer has none of ipBlock, namespaceSelector, podSelector")
    return Selection(checked(pods or {}), None if namespaces is None else checked(namespaces))


def _port(port: Object) -> Port:
    protocol, number = _protocol(port), port.get("port")
    if number is None:
        return Port(protocol)
    if isinstance(number, str):
        return Port(protocol, name=number)
    return Port(protocol, numbers=(number, port.get("endPort") or number))


def _protocol(port: Object) -> str:
    name = port.get("protocol") or "TCP"
    if name not in PROTOCOLS:
        raise BadObject(f"protocol {name!r} is none of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
