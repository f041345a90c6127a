"""Starts MLflow as its command line does, but not on a database of another version.

MLflow itself refuses some such databases and upgrades others unasked, by what the newer version brought.
"""

import os
import sys

import schema
from mlflow.cli import cli


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


with schema.database().connect() as connection:
    if words := refusal(schema.found(connection)):
        sys.exit(words)
cli()
