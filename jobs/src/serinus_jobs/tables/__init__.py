"""Tables in and out: CSV, Parquet, SQL and packaged examples, in bounded chunks.

Holds: sources and sinks (one file a kind), the reading of cells by declared type, the check of a
chunk against its declaration, digests, progress.

Must not: know of models, features or partitions. Who may import it: the verbs.
"""
