"""All settings of the server, from the environment, each declared once.

`python -m serinus_server.settings` prints the table of `docs/reference/server-settings.md`.
"""

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any


class SettingsError(Exception):
    """A setting is malformed. The message names the variable and what it takes."""


def _text(value: str) -> str:
    return value


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        try:
            number = int(value)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise ValueError(f"takes a whole number from {least} to {most}")
        return number

    return parse


def _seconds(least: float, most: float) -> Callable[[str], float]:
    def parse(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not least <= number <= most:
            raise ValueError(f"takes a number of seconds from {least:g} to {most:g}")
        return number

    return parse


def _choice(*options: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in options:
            raise ValueError(f"takes {' or '.join(options)}")
        return value

    return parse


def _about(env: str, parse: Callable[[str], Any], doc: str) -> dict[str, Any]:
    return {"env": env, "parse": parse, "doc": doc}


@dataclass(frozen=True)
class Settings:
    """What the process is told. Every field carries its variable and its meaning."""

    model_dir: Path = field(
        default=Path("/mnt/models"),
        metadata=_about("SERINUS_MODEL_DIR", Path, "folder of the fetched artifact (KServe's mount)"),
    )
    model_name: str = field(
        default="",
        metadata=_about("SERINUS_MODEL_NAME", _text, "name in URLs and metrics; empty: the contract's own"),
    )
    model_version: str = field(
        default="",
        metadata=_about(
            "SERINUS_MODEL_VERSION", _text, "version in V2 paths and metrics; empty: the revision"
        ),
    )
    host: str = field(default="127.0.0.1", metadata=_about("SERINUS_HOST", _text, "address to listen on"))
    port: int = field(default=8080, metadata=_about("SERINUS_PORT", _whole(1, 65535), "port to listen on"))
    open_port: str = field(
        default="early",
        metadata=_about(
            "SERINUS_OPEN_PORT",
            _choice("early", "ready"),
            "`early`: liveness is answered while the model is loaded, predictions get 503; `ready`: "
            "connections are refused until then, so that a gateway tries another server",
        ),
    )
    online_store: str = field(
        default="",
        metadata=_about(
            "SERINUS_ONLINE_STORE",
            _text,
            "where features are looked up: `sqlite:///absolute/path`, `redis://host:port/db` or "
            "`rediss://host:port/db?ssl_ca_certs=/path/of/ca.crt`; empty: nowhere",
        ),
    )
    feature_budget_ms: int = field(
        default=20,
        metadata=_about(
            "SERINUS_FEATURE_BUDGET_MS",
            _whole(1, 10_000),
            "how long a request may wait for the store; beyond it rows get declared defaults",
        ),
    )
    unknown_entity: str = field(
        default="default",
        metadata=_about(
            "SERINUS_UNKNOWN_ENTITY",
            _choice("default", "refuse"),
            "a key that the store does not hold: `default` answers with declared defaults, marked; "
            "`refuse` answers 404",
        ),
    )
    log_sink: str = field(
        default="none",
        metadata=_about(
            "SERINUS_LOG_SINK",
            _text,
            "where predictions are logged: `dir:/path`, `redis://host:port/db?stream=name` (with TLS as "
            "above) or `none`; `{model}` in it becomes the contract's model",
        ),
    )
    log_buffer: int = field(
        default=60_000,
        metadata=_about(
            "SERINUS_LOG_BUFFER",
            _whole(1, 10_000_000),
            "rows that may wait for the sink, about 0.9 kB each; beyond it rows are dropped and counted",
        ),
    )
    drain_seconds: float = field(
        default=5.0,
        metadata=_about(
            "SERINUS_DRAIN_SECONDS",
            _seconds(0, 600),
            "after SIGTERM, how long requests are still taken while readiness says 503, so that routers "
            "notice",
        ),
    )
    max_body_bytes: int = field(
        default=1 << 20,
        metadata=_about("SERINUS_MAX_BODY_BYTES", _whole(1, 1 << 30), "largest request body; beyond it 413"),
    )
    max_rows: int = field(
        default=1000,
        metadata=_about("SERINUS_MAX_ROWS", _whole(1, 1_000_000), "most rows in one request; beyond it 413"),
    )
    request_seconds: float = field(
        default=10.0,
        metadata=_about(
            "SERINUS_REQUEST_SECONDS",
            _seconds(0.1, 600),
            "how long a client may take to send one request; beyond it 408",
        ),
    )
    max_connections: int = field(
        default=1024,
        metadata=_about("SERINUS_MAX_CONNECTIONS", _whole(1, 65535), "open connections; beyond it 503"),
    )
    keep_alive_seconds: int = field(
        default=3900,
        metadata=_about(
            "SERINUS_KEEP_ALIVE_SECONDS",
            _whole(1, 86_400),
            "idle connections are closed after this; longer than the gateway's own (Envoy: 1 h), or a "
            "request may meet a closing connection",
        ),
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the environment. Raises SettingsError naming the variable."""
        values = {}
        for each in fields(cls):
            text = environment.get(each.metadata["env"])
            if text is None:
                continue
            try:
                values[each.name] = each.metadata["parse"](text)
            except ValueError as error:
                raise SettingsError(f"{each.metadata['env']}={text[:80]!r}: {error}") from None
        return cls(**values)


def table() -> str:
    """Return the settings as a Markdown table, in order of declaration."""
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    lines += [
        f"| `{each.metadata['env']}` | {_shown(each)} | {each.metadata['doc']} |" for each in fields(Settings)
    ]
    return "\n".join(lines) + "\n"


def _shown(each: "Field[Any]") -> str:
    if each.default is MISSING or each.default == "":
        return "empty"
    return f"`{each.default}`"


if __name__ == "__main__":
    print(table(), end="")
