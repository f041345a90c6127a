"""What went into an image, as short digests by part: equal parts mean that nothing has to be rebuilt."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

Inputs = dict[str, str]

# What a run leaves beside sources, and no image takes.
IGNORED = ("__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache")


def digest(content: str | bytes) -> str:
    """Return 16 hex digits for a content."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()[:16]


def of_mapping(parts: Mapping[str, object]) -> str:
    """Return the digest of a JSON-able mapping, whatever the order of its keys."""
    return digest(json.dumps(parts, sort_keys=True))


def files_below(path: Path) -> list[Path]:
    """Return a file itself or every file below a folder, sorted, without caches."""
    if path.is_file():
        return [path]
    return sorted(
        found
        for found in path.rglob("*")
        if found.is_file() and not any(part in IGNORED for part in found.relative_to(path).parts)
    )


def of_files(path: Path, leave_out: frozenset[str] = frozenset()) -> Inputs:
    """Return a digest by relative name of each file below a path: content and whether it is executable."""
    base = path.parent if path.is_file() else path
    return {
        name: digest(bytes([bool(file.stat().st_mode & 0o100)]) + file.read_bytes())
        for file in files_below(path)
        if (name := file.relative_to(base).as_posix()) not in leave_out
    }


def changed(then: Mapping[str, str] | None, now: Mapping[str, str]) -> str | None:
    """Say why something built from `then` is stale beside `now`; None where it is not.

    Args:
        then: the inputs it was built from, empty where they are unknown; None where it is not there.
        now: the inputs as they are.
    """
    if then is None:
        return "not there yet"
    if not then:
        return "something else made it"
    words = [f"{part} is new" for part in now if part not in then]
    words += [f"{part} changed" for part in now if part in then and then[part] != now[part]]
    words += [f"{part} is gone" for part in then if part not in now]
    if not words:
        return None
    return ", ".join(words[:3]) + (f" and {len(words) - 3} more" if len(words) > 3 else "")
