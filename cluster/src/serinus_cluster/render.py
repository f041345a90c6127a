"""Fill `${PIN}` in a manifest or a values file from the table of pins: one fact stays in one file."""

import re
from collections.abc import Mapping


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
