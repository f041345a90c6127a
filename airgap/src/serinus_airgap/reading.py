"""Reading the small YAML files of this room strictly: an unknown key is an error, a pin is filled in."""

import re
from collections.abc import Mapping
from typing import TypeVar

import msgspec

Described = TypeVar("Described", bound=msgspec.Struct)
PIN = re.compile(r"\$\{([A-Z0-9_]+)\}")
VERSION = re.compile(r"v?(\d+)\.(\d+)\.\d+")


class DescriptionError(ValueError):
    """A file of this room says something that cannot be built; the message names file, key and cure."""


def expand(text: str, pins: Mapping[str, str], where: str) -> str:
    """Fill `${KEY}` in from the table of pins.

    A pin like KIND=v0.33.0 also gives `${KIND_NUMBER}` (0.33.0), `${KIND_MAJOR}` (0), `${KIND_MINOR}` (33).

    Raises:
        DescriptionError: no such pin.
    """

    def fill(found: re.Match[str]) -> str:
        key = found[1]
        value = pins.get(key) or _part(key, pins)
        if value is None:
            raise DescriptionError(
                f"{where}: ${{{key}}} is no key of versions.env; add it there, or mend the name"
            )
        return value

    return PIN.sub(fill, text)


def _part(key: str, pins: Mapping[str, str]) -> str | None:
    pin, _, part = key.rpartition("_")
    version = VERSION.fullmatch(pins.get(pin, ""))
    if not version:
        return None
    return {"NUMBER": version[0].removeprefix("v"), "MAJOR": version[1], "MINOR": version[2]}.get(part)


def read(text: str, shape: type[Described], pins: Mapping[str, str], where: str) -> Described:
    """Read a description of a shape; `where` is the file's name for the errors.

    Raises:
        DescriptionError: no YAML, an unknown or missing key, a value of a wrong type, an unknown pin.
    """
    # Comments stay as they are: they may speak of pins.
    body = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    try:
        return msgspec.yaml.decode(expand(body, pins, where), type=shape)
    except msgspec.ValidationError as problem:
        known = ", ".join(shape.__struct_fields__)
        raise DescriptionError(f"{where}: {problem}; the keys are {known}") from None
    except msgspec.DecodeError as problem:
        raise DescriptionError(f"{where}: no YAML: {problem}") from None
