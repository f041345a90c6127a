"""Starts MLflow as its command line does, but not on a database of another version.

MLflow itself refuses some such databases and upgrades others unasked, by what the newer version brought.
"""

import os
import sys

import schema
import sqlalchemy
from mlflow.cli import cli
from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore as Users
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

# Of PostgreSQL's advisory locks in MLflow's database; nobody else takes one there.
FIRST_START = sqlalchemy.text("select pg_advisory_lock(1)")


def refusal(found: str | None) -> str:
    """Return why MLflow must not start on what was found; empty where it may."""
    if found in (None, schema.expected()):
        return ""
    if not schema.known(found):
        return (
            f"MLflow's database is of a newer MLflow (schema {found}): install that again, or restore the"
            " backup that was made before it came."
        )
    return (
        f"MLflow's database is of an older MLflow (schema {found}, this one has {schema.expected()}). Make a"
        " backup, scale MLflow to 0 replicas, then: kubectl create job upgrade-now"
        f" --from=cronjob/{os.environ['UPGRADE_JOB']}"
    )


def write_tables() -> None:
    """Write the first tables of both databases, as the server would."""
    SqlAlchemyStore(schema.URI, "mlflow-artifacts:/")
    Users().init_db(os.environ["AUTH_DATABASE_URI"])


with schema.database().connect() as connection:
    if schema.found(connection) is None:
        # Pods that start together would write them at once, and all but one fail.
        connection.execute(FIRST_START)
        if schema.found(connection) is None:
            write_tables()
    if words := refusal(schema.found(connection)):
        sys.exit(words)
cli()
