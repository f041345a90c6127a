"""The one table of pins, `versions.env` at the root of the repository."""

from pathlib import Path

from dotenv import dotenv_values

ROOT = Path(__file__).resolve().parents[3]


def load(path: Path = ROOT / "versions.env") -> dict[str, str]:
    """Return every pin by its key, for example `{"KSERVE": "v0.20.0"}`.

    Raises:
        ValueError: a key has no value; the message names the file and the key.
    """
    pins = dotenv_values(path, interpolate=False)
    if missing := [key for key, value in pins.items() if not value]:
        raise ValueError(f"{path}: {', '.join(missing)} has no value; write KEY=value")
    return {key: value for key, value in pins.items() if value}
