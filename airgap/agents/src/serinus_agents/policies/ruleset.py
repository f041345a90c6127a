"""NetworkPolicies as the text of one nftables table. Pure: objects in, text out.

The forward hook sees what passes between pods, and between a pod and the world. What the node itself
sends (kubelet probes, the API server's calls) passes the output hook and is never touched, as the
NetworkPolicy specification wants.

A packet jumps into a chain of its source's egress policies, then into one of its destination's ingress
policies. In either, the first rule that allows it returns to the base chain, and the end of the chain drops.
"""

import hashlib
import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import get_args

from serinus_agents.policies.merging import merge_networks, merge_ranges
from serinus_agents.policies.objects import (
    Block,
    Direction,
    Object,
    Pod,
    Policy,
    Rule,
    Selection,
    read_pod,
    read_policy,
)
from serinus_agents.policies.selecting import matches

TABLE = "serinus_policies"
# nftables' own word of each family, and the type of its addresses.
WORDS = {4: ("ip", "ipv4_addr"), 6: ("ip6", "ipv6_addr")}


def ruleset(pods: Iterable[Object], namespaces: Iterable[Object], policies: Iterable[Object]) -> str:
    """Return a script for `nft -f` that replaces the whole table in one transaction.

    Args:
        pods: every pod of the cluster, as the API server's JSON.
        namespaces: every namespace, likewise.
        policies: every NetworkPolicy, likewise.

    Raises:
        BadObject: a policy asks for something the API does not know; the message names the policy.
    """
    labels = {raw["metadata"]["name"]: raw["metadata"].get("labels") or {} for raw in namespaces}
    addressed = [pod for pod in map(read_pod, pods) if pod]
    read = sorted(map(read_policy, policies), key=lambda policy: policy.key)
    families = [_Family(version, addressed, labels, read) for version in WORDS]
    body = [line for family in families for line in family.declarations()]
    jumps = [line for family in families for line in family.jumps()]
    base = [
        "type filter hook forward priority filter; policy accept;",
        "ct state established,related accept",
        *jumps,
    ]
    return "\n".join(
        [
            f"table inet {TABLE}",
            f"delete table inet {TABLE}",
            f"table inet {TABLE} {{",
            *body,
            *_block("chain forward", base),
            "}\n",
        ]
    )


class _Family:
    """One address family's sets, chains and jumps."""

    def __init__(
        self, version: int, pods: list[Pod], labels: Mapping[str, Mapping[str, str]], policies: list[Policy]
    ) -> None:
        self.version, self.pods, self.labels, self.policies = version, pods, labels, policies
        self.word, self.type = WORDS[version]
        self.sets: dict[str, list[str]] = {}
        self.chains: dict[str, list[str]] = {}
        self.targets = {direction: self._targets(direction) for direction in get_args(Direction)}

    def declarations(self) -> Iterator[str]:
        for name, lines in sorted(self.sets.items()):
            yield from _block(f"set {name}", lines)
        for name, lines in sorted(self.chains.items()):
            yield from _block(f"chain {name}", lines)

    def jumps(self) -> Iterator[str]:
        isolated = sorted({address for target in self.targets.values() for address in target})
        if not isolated:
            return
        # A pod may always reach itself; through a Service such a packet does leave it and come back.
        itself = ", ".join(f"{address} . {address}" for address in isolated)
        yield f"{self.word} saddr . {self.word} daddr {{ {itself} }} accept"
        for direction, target in self.targets.items():
            if target:
                side = "saddr" if direction == "egress" else "daddr"
                verdicts = ", ".join(f"{address} : jump {chain}" for address, chain in sorted(target.items()))
                yield f"{self.word} {side} vmap {{ {verdicts} }}"

    def _addresses(self, pods: Iterable[Pod]) -> set[str]:
        found = {address for pod in pods for address in pod.addresses}
        return {address for address in found if ipaddress.ip_address(address).version == self.version}

    def _targets(self, direction: Direction) -> dict[str, str]:
        """Return the chain of every address that is isolated in a direction, and build those chains."""
        selected: dict[str, list[Policy]] = defaultdict(list)
        for policy in self.policies:
            if direction in policy.rules:
                # By address: after a restart a stale status can hold one that another pod has now.
                for address in self._addresses(pod for pod in self.pods if _selects(policy, pod)):
                    selected[address].append(policy)
        return {address: self._chain(direction, policies) for address, policies in selected.items()}

    def _chain(self, direction: Direction, policies: list[Policy]) -> str:
        name = _name(direction, self.version, *(policy.key for policy in policies))
        if name not in self.chains:
            self.chains[name] = [
                *(
                    f'{match} return comment "{policy.key[:120]}"'.lstrip()
                    for policy in policies
                    for rule in policy.rules[direction]
                    for match in self._matches(direction, policy, rule)
                ),
                "counter drop",
            ]
        return name

    def _matches(self, direction: Direction, policy: Policy, rule: Rule) -> Iterator[str]:
        """Yield one condition for each pair of a rule's peers and ports; the empty one is everything."""
        side = f"{self.word} {'daddr' if direction == 'egress' else 'saddr'}"
        ports = list(self._ports(rule)) or [""]
        for peer in rule.peers or (None,):
            source = self._peer(side, policy, peer) if peer else ""
            if source is not None:
                yield from (f"{source} {port}".strip() for port in ports)

    def _peer(self, side: str, policy: Policy, peer: Block | Selection) -> str | None:
        if isinstance(peer, Selection):
            return f"{side} @{self._selection(policy, peer)}"
        if peer.network.version != self.version:
            return None
        holes = ", ".join(map(str, merge_networks(peer.holes)))
        return f"{side} {peer.network}" + (f" {side} != {{ {holes} }}" if holes else "")

    def _selection(self, policy: Policy, peer: Selection) -> str:
        """Return the name of the set that holds the peer's pods."""
        place = policy.namespace if peer.namespaces is None else repr(_canonical(peer.namespaces))
        name = _name("pods", self.version, place, repr(_canonical(peer.pods)))
        if name not in self.sets:

            def included(pod: Pod) -> bool:
                if peer.namespaces is None:
                    return pod.namespace == policy.namespace and matches(peer.pods, pod.labels)
                labels = self.labels.get(pod.namespace)
                return (
                    labels is not None and matches(peer.namespaces, labels) and matches(peer.pods, pod.labels)
                )

            self.sets[name] = _set(self.type, self._addresses(filter(included, self.pods)))
        return name

    def _ports(self, rule: Rule) -> Iterator[str]:
        ranges: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for port in rule.ports:
            if port.name:
                target = f"{self.word} daddr . meta l4proto . th dport"
                yield f"{target} @{self._named(port.name, port.protocol)}"
            else:
                ranges[port.protocol].append(port.numbers or (0, 65535))
        for protocol, numbers in ranges.items():
            merged = merge_ranges(numbers)
            text = ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in merged)
            yield f"meta l4proto {protocol}" if (0, 65535) in merged else f"{protocol} dport {{ {text} }}"

    def _named(self, name: str, protocol: str) -> str:
        """Return the name of the set of every pod's address with the number behind a port's name.

        The number is the receiving pod's, so one set serves ingress and egress alike.
        """
        key = _name("port", self.version, name, protocol)
        if key not in self.sets:
            elements = {
                f"{address} . {protocol} . {number}"
                for pod in self.pods
                for port, spoken, number in pod.ports
                if (port, spoken) == (name, protocol)
                for address in self._addresses([pod])
            }
            self.sets[key] = _set(f"{self.type} . inet_proto . inet_service", elements)
        return key


def _selects(policy: Policy, pod: Pod) -> bool:
    return pod.namespace == policy.namespace and matches(policy.selector, pod.labels)


def _set(kind: str, elements: set[str]) -> list[str]:
    return [f"type {kind};", *([f"elements = {{ {', '.join(sorted(elements))} }}"] if elements else [])]


def _name(*parts: object) -> str:
    """Return a name that is the same for the same content and fits nftables' limit."""
    digest = hashlib.sha256(repr(parts[2:]).encode()).hexdigest()[:12]
    return f"{parts[0]}{parts[1]}_{digest}"


def _canonical(value: object) -> object:
    """Return a JSON value with the keys of its objects in order, so that equal selectors share a set."""
    if isinstance(value, Mapping):
        return tuple((key, _canonical(value[key])) for key in sorted(value))
    return tuple(map(_canonical, value)) if isinstance(value, list) else value


def _block(head: str, lines: Iterable[str]) -> list[str]:
    return [f"  {head} {{", *(f"    {line}" for line in lines), "  }"]
