"""Brings the schema of MLflow's database to what this MLflow expects. MLflow upgrades its users' by itself.

Refuses a database that somebody uses: an older MLflow would read what is no longer as it knows it.
"""

import sys

import schema
import sqlalchemy
from mlflow.db import commands

_OTHERS = (
    "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
)

with schema.database().connect() as connection:
    before = schema.found(connection)
    if others := connection.scalar(sqlalchemy.text(_OTHERS)):
        print(
            f"{others} connections are open to MLflow's database: scale MLflow to 0 replicas first",
            file=sys.stderr,
        )
        sys.exit(2)
commands.main(["upgrade", schema.URI], standalone_mode=False)
with schema.database().connect() as connection:
    print(f"the schema is at {schema.found(connection)}, was at {before}")
