"""Gives MLflow's users the passwords of the Secret, and `writer` and `reader` no more rights than they need.

Runs after each install and upgrade; what is already so stays.
"""

import os
import sys
import time

import requests
from mlflow.exceptions import MlflowException
from mlflow.server.auth.client import AuthServiceClient
from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

DEADLINE_SECONDS = 300
ADMIN = "admin"


def wait_for(uri: str) -> None:
    """Return once MLflow says that it is healthy; give up after five minutes."""
    end = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < end:
        try:
            if requests.get(f"{uri}/health", timeout=5).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(1)
    sys.exit(f"MLflow at {uri} was not healthy for {DEADLINE_SECONDS} seconds; look at its pod's log")


def ensure_admin(database: str, password: str) -> None:
    """Set the administrator's password in the database: the API would ask for the one that was replaced."""
    store = SqlAlchemyStore()
    store.init_db(database)
    if not store.authenticate_user(ADMIN, password):
        store.update_user(ADMIN, password=password)


def ensure_user(client: AuthServiceClient, name: str, password: str) -> None:
    """Make the user or set its password."""
    try:
        client.get_user(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        client.create_user(name, password)
    else:
        client.update_user_password(name, password)
    client.update_user_admin(name, is_admin=False)


def main() -> None:
    """Read the addresses and passwords from the environment and make the users so."""
    uri = os.environ["MLFLOW_TRACKING_URI"]
    wait_for(uri)
    ensure_admin(os.environ["AUTH_DATABASE_URI"], os.environ["MLFLOW_TRACKING_PASSWORD"])
    client = AuthServiceClient(uri)
    ensure_user(client, "writer", os.environ["WRITER_PASSWORD"])
    ensure_user(client, "reader", os.environ["READER_PASSWORD"])
    print("users admin, writer and reader are as the Secret says")


main()
