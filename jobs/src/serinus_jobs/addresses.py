"""Addresses as messages may show them."""

from urllib.parse import urlsplit


def public(uri: str) -> str:
    """Return `uri` without user and password."""
    parts = urlsplit(uri)
    return uri if "@" not in parts.netloc else uri.replace(parts.netloc, parts.netloc.rpartition("@")[2])
