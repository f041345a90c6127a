"""Where a Redis is: one URL, parsed once, shown without its password."""

import ssl
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

# The name that redis-py gives it in its own URLs.
CA_OPTION = "ssl_ca_certs"


@dataclass(frozen=True)
class RedisAddress:
    """One Redis. `options` are the URL's query values but CA_OPTION, which `tls` is made of."""

    host: str
    port: int
    database: int
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    options: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"redis{'s' if self.tls else ''}://{self.host}:{self.port}/{self.database}"

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

    With rediss:// the server's certificate has to be valid for the host, by the authorities in the file
    `ssl_ca_certs`, else by the system's. Raises ValueError naming what is wrong, never with the password.
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
    found = parse_qs(parts.query, keep_blank_values=True)
    options = {name: values[-1] for name, values in found.items()}
    authorities = options.pop(CA_OPTION, None)
    if authorities is not None and parts.scheme != "rediss":
        raise ValueError(f"Redis URL: {CA_OPTION} needs rediss://, redis:// is not encrypted")
    return RedisAddress(
        host=parts.hostname,
        port=port,
        database=int(database),
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password is not None else None,
        tls=_tls(authorities) if parts.scheme == "rediss" else None,
        options=tuple(options.items()),
    )


def _tls(authorities: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=authorities)
    except OSError as error:
        raise ValueError(
            f"Redis URL: {CA_OPTION}={authorities}: no certificates can be read there"
            f" ({error.strerror or error}); is the ConfigMap or Secret mounted that holds them?"
        ) from None


def command(*arguments: bytes) -> bytes:
    """Return one Redis command as wire bytes (RESP)."""
    parts = [b"*%d\r\n" % len(arguments)]
    parts += [b"$%d\r\n%b\r\n" % (len(argument), argument) for argument in arguments]
    return b"".join(parts)
