"""The request path: a fetched artifact in, predictions out; and `serinus-fetch`, which fetches it.

Holds: protocols (KServe V1, Open Inference V2, native), the graph, online features, metrics, the
prediction log. Reads `serinus.json` and nothing of the training side.

Must not: import jobs or operator, or anything that can load a pickle. A request is answered within
its budget or with declared defaults; it never waits for the log.
"""
