"""Brings the schema of MLflow's database to what this MLflow expects. That of its users MLflow upgrades itself.

Refuses a database that somebody uses: an older MLflow would read what is no longer as it knows it.
"""

import os
import sys

import sqlalchemy
from mlflow.db import commands

_OTHERS = (
    "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
)


def version(connection: sqlalchemy.Connection) -> str:
    """Return the schema's version, as Alembic keeps it."""
    if not sqlalchemy.inspect(connection).has_table("alembic_version"):
        return "none"
    return str(connection.scalar(sqlalchemy.text("select version_num from alembic_version")))


def main() -> None:
    """Upgrade, and print from which version to which."""
    uri = os.environ["MLFLOW_BACKEND_STORE_URI"]
    engine = sqlalchemy.create_engine(uri, poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        before = version(connection)
        if others := connection.scalar(sqlalchemy.text(_OTHERS)):
            print(
                f"{others} connections are open to MLflow's database: scale MLflow to 0 replicas first",
                file=sys.stderr,
            )
            sys.exit(2)
    commands.main(["upgrade", uri], standalone_mode=False)
    with engine.connect() as connection:
        print(f"the schema is at {version(connection)}, was at {before}")


main()
