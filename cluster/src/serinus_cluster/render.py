"""Manifests as text: `${PIN}` filled from the table of pins (one fact stays in one file), and parted."""

import re
from collections.abc import Mapping

import yaml


class UnknownPin(ValueError):
    """A file names a pin that the table does not hold."""


def render(text: str, pins: Mapping[str, str], place: str) -> str:
    """Return the text with every `${NAME}` replaced; other dollar signs stay as they are.

    Raises:
        UnknownPin: a name stands in no pin; the message names the file.
    """

    def value(match: re.Match[str]) -> str:
        try:
            return pins[match[1]]
        except KeyError:
            raise UnknownPin(f"{place}: ${{{match[1]}}} is no key of versions.env") from None

    return re.sub(r"\$\{([A-Z][A-Z0-9_]*)\}", value, text)


def by_namespace(text: str, namespace: str) -> dict[str, str]:
    """Return the manifests of each namespace; `namespace` is that of objects which name none.

    kubectl takes no file whose objects name another namespace than its own option does.
    """
    parted: dict[str, list[object]] = {}
    for each in yaml.safe_load_all(text):
        if each:
            parted.setdefault(each["metadata"].get("namespace", namespace), []).append(each)
    return {where: yaml.safe_dump_all(objects) for where, objects in parted.items()}
