"""Kopf brings news and nothing else: no other kind of handler, because it would write to what it watches."""

import asyncio
from typing import Any

import kopf
import pytest

from serinus_operator.handlers import registry
from serinus_operator.work import Key


@pytest.fixture
def news() -> list[Key]:
    return []


@pytest.fixture
def handlers(news: list[Key]) -> kopf.OperatorRegistry:
    return registry(news.append)


def watching(handlers: kopf.OperatorRegistry) -> dict[str, Any]:
    return {each.fn.__name__: each for each in handlers._watching.get_all_handlers()}


def test_every_handler_is_one_of_bare_events(handlers: kopf.OperatorRegistry):
    assert set(watching(handlers)) == {"service_changed", "route_changed", "endpoints_changed"}
    for kind in ("_indexing", "_spawning", "_changing", "_webhooks"):
        assert list(getattr(handlers, kind).get_all_handlers()) == [], kind
    assert [each.fn.__name__ for each in handlers._activities.get_all_handlers()] == ["login_via_client"]


@pytest.mark.parametrize(
    ("handler", "name"),
    [("service_changed", "churn"), ("route_changed", "churn"), ("endpoints_changed", "x")],
)
def test_news_name_the_service_that_they_are_about(
    handlers: kopf.OperatorRegistry, news: list[Key], handler: str, name: str
):
    labels = {"serving.kserve.io/inferenceservice": "churn"}
    asyncio.run(watching(handlers)[handler].fn(namespace="team", name=name, labels=labels, body={}))
    assert news == [("team", "churn")]
