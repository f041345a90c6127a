"""Objects of the API server as plain JSON, and the key by which they are held."""

from typing import Any

Json = dict[str, Any]
Key = tuple[str, str]


def key_of(item: Json) -> Key:
    """Return an object's namespace (empty where it has none) and name."""
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]
