"""Stand-ins for what an airgapped test cluster cannot pull: enforced NetworkPolicies, issued certificates.

Holds: `policies/` (NetworkPolicies to one nftables table) and `certificates/` (what cert-manager
would issue and inject), each a pure decision with a thin edge, and the watch both share.

Must not: be installed where kindnet or cert-manager can be had, import another room, or decide in an edge.
"""
