"""NetworkPolicies of networking.k8s.io/v1 as one nftables table of the node.

Holds: the objects as read (`objects`), the pure rendering (`ruleset`), the `nft` command (`nft`), the loop.
Must not: block on state it could not read; the last ruleset stays.
"""
