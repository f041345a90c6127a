"""The boards of charts/monitoring as code: `python -m tools.dashboards` writes them as JSON.

`board` has what all of them share; each other module is one board. Queries stand here once; a test holds
the checked-in JSON equal, and the stories on the cluster ask the live Prometheus each of them.
"""
