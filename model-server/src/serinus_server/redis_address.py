"""Where a Redis is: one URL, parsed once, shown without its password."""

import ssl
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True)
class RedisAddress:
    """One Redis. `options` are the URL's query values."""

    host: str
    port: int
    database: int
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    options: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"redis://{self.host}:{self.port}/{self.database}"

    @property
    def greeting(self) -> list[bytes]:
        """The commands that a new connection sends first, the last of which is PING."""
        commands = []
        if self.password is not None:
            user = () if self.user is None else (self.user.encode(),)
            commands.append(command(b"AUTH", *user, self.password.encode()))
        if self.database:
            commands.append(command(b"SELECT", str(self.database).encode()))
        return [*commands, command(b"PING")]


def parse_address(url: str) -> RedisAddress:
    """Parse `redis[s]://[[user]:password@]host[:port][/database][?name=value]`.

    Raises ValueError naming what is wrong, never with the password in it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or 6379
    except ValueError as error:
        raise ValueError(f"Redis URL: {error}") from None
    if parts.scheme not in ("redis", "rediss") or not parts.hostname:
        raise ValueError("Redis URL: must be redis[s]://[user:password@]host[:port][/database]")
    database = parts.path.strip("/") or "0"
    if not database.isdecimal():
        raise ValueError(f"Redis URL: the database must be a number, not {database[:20]!r}")
    options = parse_qs(parts.query, keep_blank_values=True)
    return RedisAddress(
        host=parts.hostname,
        port=port,
        database=int(database),
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password is not None else None,
        tls=ssl.create_default_context() if parts.scheme == "rediss" else None,
        options=tuple((name, values[-1]) for name, values in options.items()),
    )


def command(*arguments: bytes) -> bytes:
    """Return one Redis command as wire bytes (RESP)."""
    parts = [b"*%d\r\n" % len(arguments)]
    parts += [b"$%d\r\n%b\r\n" % (len(argument), argument) for argument in arguments]
    return b"".join(parts)
