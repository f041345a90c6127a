"""MLflow's basic login, with one rule more: `reader` changes nothing.

MLflow's own permissions let every user make new experiments and models: too much for servers.
"""

import re

from flask import Response, make_response, request
from mlflow.server.auth import authenticate_request_basic_auth
from werkzeug.datastructures import Authorization

READ_ONLY_USER = "reader"
READING_METHODS = {"GET", "HEAD", "OPTIONS"}
# MLflow searches by POST too, and its pages ask by GraphQL, which has no writes.
READING_POSTS = re.compile(r"/(api|ajax-api)/[0-9.]+/mlflow/[a-z-]+/search/?|/graphql")


def reads(method: str, path: str) -> bool:
    """Whether a request only reads."""
    return method in READING_METHODS or (method == "POST" and READING_POSTS.fullmatch(path) is not None)


def authenticate() -> Authorization | Response:
    """Return who asks, or the answer that refuses the request."""
    who = authenticate_request_basic_auth()
    if (
        isinstance(who, Authorization)
        and who.username == READ_ONLY_USER
        and not reads(request.method, request.path)
    ):
        return make_response(f"The user {READ_ONLY_USER} may only read", 403)
    return who
