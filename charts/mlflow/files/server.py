"""Starts MLflow as its command line does, and says what to do where it does not start."""

import os
import sys

from mlflow.cli import cli

try:
    cli()
except SystemExit as end:
    if end.code:
        job = os.environ["UPGRADE_JOB"]
        print(
            f"MLflow has ended ({end.code}); the reason is above. Where its database has an out-of-date"
            " schema: make a backup, scale MLflow to 0 replicas, kubectl create job upgrade-now"
            f" --from=cronjob/{job}, then scale it up again.",
            file=sys.stderr,
        )
    raise
