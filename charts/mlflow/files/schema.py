"""Which schema MLflow's database has, and which this MLflow expects, in the words of its own migrations."""

import os
from pathlib import Path

import mlflow
import sqlalchemy
from alembic.script import ScriptDirectory

URI = os.environ["MLFLOW_BACKEND_STORE_URI"]
MIGRATIONS = ScriptDirectory(str(Path(mlflow.__file__).parent / "store" / "db_migrations"))


def database() -> sqlalchemy.Engine:
    """Return the database; it keeps no connection open."""
    return sqlalchemy.create_engine(URI, poolclass=sqlalchemy.NullPool)


def found(connection: sqlalchemy.Connection) -> str | None:
    """Return the version of the schema that is there, None in an empty database."""
    if not sqlalchemy.inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.scalar(sqlalchemy.text("select version_num from alembic_version"))
    return version


def expected() -> str:
    """Return the version that this MLflow works with."""
    head = MIGRATIONS.get_current_head()
    if head is None:
        raise RuntimeError(f"there are no migrations in {MIGRATIONS.dir}")
    return head


def known(version: str) -> bool:
    """Whether this MLflow can come from that version to its own."""
    return version in {each.revision for each in MIGRATIONS.walk_revisions()}
