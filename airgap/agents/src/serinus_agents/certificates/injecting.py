"""The bundle that the API server verifies webhooks with, in the objects that ask for a Certificate's."""

from collections.abc import Iterable, Mapping
from typing import Any

from serinus_agents.shapes import Json

ANNOTATION = "cert-manager.io/inject-ca-from"


def operations(raw: Mapping[str, Any], bundle: str) -> list[Json]:
    """Return the JSON patch that puts a bundle (base64) where it is missing or another; empty if nowhere.

    An object that has changed since it was read refuses the patch as a whole.
    """
    places = [path for path, client in _clients(raw) if client.get("caBundle") != bundle]
    if not places:
        return []
    unchanged = {
        "op": "test",
        "path": "/metadata/resourceVersion",
        "value": raw["metadata"]["resourceVersion"],
    }
    return [unchanged, *({"op": "add", "path": f"{place}/caBundle", "value": bundle} for place in places)]


def _clients(raw: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Return every clientConfig of an object by its path."""
    for number, webhook in enumerate(raw.get("webhooks") or []):
        yield f"/webhooks/{number}/clientConfig", webhook["clientConfig"]
    webhook = ((raw.get("spec") or {}).get("conversion") or {}).get("webhook") or {}
    if webhook.get("clientConfig"):
        yield "/spec/conversion/webhook/clientConfig", webhook["clientConfig"]
