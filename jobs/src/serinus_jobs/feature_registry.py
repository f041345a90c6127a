"""Feast's registry as a database: reachable, and applied to by one process at a time."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from serinus_jobs.errors import JobError

# Any number that no other program locks in this database.
_LOCK = 7_247_853_221
_SECONDS = 120


@contextmanager
def applying(address: str) -> Iterator[None]:
    """Hold the right to apply to the registry at `address`; Feast checks and inserts in two steps.

    A file has no such right to hold: whoever writes last wins. Raises JobError, exit code 1, where the
    database does not answer or another process applies for two minutes.
    """
    if not address.startswith("postgresql"):
        with reachable(address):
            yield
        return
    with reachable(address):
        database = sa.create_engine(address, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
        # The lock ends with its connection, so with the process.
        with database.connect() as connection:
            connection.execute(sa.text(f"SET lock_timeout = '{_SECONDS}s'"))
            connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
            yield


@contextmanager
def reachable(address: str) -> Iterator[None]:
    """Turn what the database says into a JobError that names the setting, without its password."""
    try:
        yield
    except sa.exc.SQLAlchemyError as error:
        shown = sa.make_url(address).render_as_string(hide_password=True) if "://" in address else address
        reason = " ".join(str(getattr(error, "orig", None) or error).split())[:200]
        raise JobError(f"SERINUS_FEAST_REGISTRY: {shown}: {reason}", 1) from None
