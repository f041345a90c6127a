"""Writes each chart's table of values into its README, from the comments of its values.yaml.

A comment that begins with `# --` describes the key below it; further comment lines go on. The table stands
between two markers of the README. `--check` writes nothing and fails where a table is not what it would be.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

CHARTS = Path(__file__).resolve().parent.parent / "charts"
BEGIN, END = "<!-- values -->", "<!-- /values -->"


@dataclass(frozen=True)
class Value:
    """One documented value: its path from the top, its default, and its comment as one line."""

    path: str
    default: object
    text: str


def values(source: str) -> list[Value]:
    """Return the documented values of a values.yaml, in its order.

    Raises ValueError for a key that has neither a comment nor one on a key above it or, if it is a map,
    on all keys below it.
    """
    loaded = yaml.safe_load(source) or {}
    # A comment inside a list's item describes none of the chart's own values.
    described = {path: text for path, text in _described(source) if _names(loaded, path)}
    undocumented = sorted(_leaves(loaded, set(described)))
    if undocumented:
        raise ValueError(f"no `# --` comment above {', '.join(undocumented)}")
    return [Value(".".join(path), _at(loaded, path), text) for path, text in described.items()]


def _described(source: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the path that each comment stands above, by indentation."""
    above: list[tuple[int, str]] = []
    text: list[str] | None = None
    for line in source.splitlines():
        stripped = line.strip()
        indent = len(line) - len(line.lstrip())
        if stripped.startswith("# --"):
            text = [stripped.removeprefix("# --").strip()]
        elif stripped.startswith("#"):
            if text is not None:
                text.append(stripped.removeprefix("#").strip())
        elif not stripped or stripped.startswith("- "):
            text = None
        else:
            key = stripped.split(":")[0].strip("'\"")
            above = [each for each in above if each[0] < indent] + [(indent, key)]
            if text is not None:
                yield tuple(name for _, name in above), " ".join(text)
            text = None


def _leaves(
    node: Mapping[str, object], described: set[tuple[str, ...]], path: tuple[str, ...] = ()
) -> Iterator[str]:
    for key, value in node.items():
        here = (*path, key)
        if here in described:
            continue
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, described, here)
        else:
            yield ".".join(here)


def _names(node: object, path: tuple[str, ...]) -> bool:
    for key in path:
        if not isinstance(node, Mapping) or key not in node:
            return False
        node = node[key]
    return True


def _at(node: object, path: tuple[str, ...]) -> object:
    for key in path:
        assert isinstance(node, Mapping)
        node = node[key]
    return node


def table(found: list[Value]) -> str:
    """Return the Markdown table."""
    rows = [(f"`{each.path}`", f"`{json.dumps(each.default)}`", each.text) for each in found]
    lines = ["| value | default | what it is |", "|---|---|---|"]
    return "\n".join(
        lines + ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    )


def with_table(readme: str, written: str) -> str:
    """Return the README with `written` between its markers; ValueError where a marker is missing."""
    if readme.count(BEGIN) != 1 or readme.count(END) != 1:
        raise ValueError(f"the README needs {BEGIN} and {END} once each")
    before, rest = readme.split(BEGIN)
    return f"{before}{BEGIN}\n{written}\n{END}{rest.split(END)[1]}"


def charts() -> list[Path]:
    """Return the folders of all charts that have values."""
    return sorted(path.parent for path in CHARTS.glob("*/values.yaml"))


def main() -> int:
    """Write or check the tables of the named charts, else of all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("charts", nargs="*", type=Path, help="chart folders; all where none is named")
    parser.add_argument("--check", action="store_true", help="change nothing; fail where a table is stale")
    arguments = parser.parse_args()
    failed = False
    for chart in arguments.charts or charts():
        readme = chart / "README.md"
        try:
            old = readme.read_text(encoding="utf-8")
            new = with_table(old, table(values((chart / "values.yaml").read_text(encoding="utf-8"))))
        except (OSError, ValueError) as error:
            print(f"{chart.name}: {error}", file=sys.stderr)
            failed = True
            continue
        if new != old and arguments.check:
            print(f"{chart.name}: the table is stale; run tools/chart_docs.py", file=sys.stderr)
            failed = True
        elif new != old:
            readme.write_text(new, encoding="utf-8")
            print(f"{chart.name}: written")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
