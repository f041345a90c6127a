"""The offline half: one verb, one file, one Kubernetes Job.

Holds: ingest, materialize, train, evaluate, register, batch, collect, drift, quality, and what they
share beside them. A verb's `run(...)` is what another verb or the local loop calls; its
`command(...)` is the same from a terminal or a Job.

Must not: import the server or the operator, or hold what a single model needs (that is in
`manifests/models/<model>/`). `feature_store.py` is the only file that imports Feast (with the
offline store that plugs into it), `registry.py` the only one that imports MLflow.
"""
