"""The protocols: from a body's bytes to instances, and from an answer to bytes. One file each.

Holds: KServe V1 (v1), Open Inference Protocol V2 (v2, binary tensors in v2_binary), the plain one
(native). Decoding is typed by msgspec; duplicate keys in an object: the last one wins, everywhere.
Must not: know of ASGI, count, or log. What is wrong is raised, `errors.explain` maps it.
"""
