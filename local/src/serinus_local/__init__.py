"""The same loop without a cluster: the same jobs, server and decisions, and a real Envoy.

Holds: processes, Envoy's configuration, the load, the demo's script and its report. Must not hold
anything that a room should: what is needed on a cluster too belongs there.
"""
