"""Ranges without overlaps: nftables refuses a set whose intervals overlap."""

import ipaddress
from collections.abc import Iterable

from serinus_agents.policies.objects import Network


def merge_ranges(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the same numbers as ascending ranges that neither overlap nor touch."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged


def merge_networks(networks: Iterable[Network]) -> list[Network]:
    """Return the same addresses as networks that do not overlap. All are of one family."""
    version_4 = [network for network in networks if isinstance(network, ipaddress.IPv4Network)]
    version_6 = [network for network in networks if isinstance(network, ipaddress.IPv6Network)]
    return [*ipaddress.collapse_addresses(version_4), *ipaddress.collapse_addresses(version_6)]
