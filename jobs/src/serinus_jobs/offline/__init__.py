"""Our offline store for Feast: point-in-time joins by DuckDB's ASOF JOIN.

Holds: the plug-in that Feast loads by name (asof), the SQL of a read as pure text (sql), where it runs
and under which limits (engine), label rows of any form to Arrow (entities), the lazy answer (retrieval).

Must not: know a model, a verb or settings; what it needs comes in Feast's configuration.
Who may import it: Feast, and serinus_jobs.feature_store.
"""
