"""What the addresses of a Redis have in common, for features and for the prediction log."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import redis

from serinus_jobs.errors import JobError

CA_OPTION = "ssl_ca_certs"


def authorities(name: str, url: str) -> str | None:
    """Return the file of CAs that `url` names, by which the server's certificate has to be valid.

    None means the system's. Raises JobError, naming the setting `name`, where there is no such file or the
    address is not encrypted.
    """
    parts = urlsplit(url)
    found = parse_qs(parts.query).get(CA_OPTION)
    if found is None:
        return None
    if parts.scheme != "rediss":
        raise JobError(f"{name}: {CA_OPTION} needs rediss://, redis:// is not encrypted")
    if not Path(found[-1]).is_file():
        raise JobError(
            f"{name}: {CA_OPTION}={found[-1]}: there is no such file; is the ConfigMap or Secret mounted?"
        )
    return found[-1]


@contextmanager
def answering(shown: str, cure: str) -> Iterator[None]:
    """Turn what Redis' client raises into a JobError of one line.

    `shown` is the setting or the address without its password, `cure` what to do where Redis does not answer.
    """
    try:
        yield
    except redis.RedisError as error:
        raise JobError(f"{shown}: {error}{_advice(error, cure)}", exit_code=1) from None


def _advice(error: redis.RedisError, cure: str) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return f"; {CA_OPTION} in the address names the CAs, and the certificate must be for this host"
    match error:
        case redis.AuthenticationError():
            return "; Redis has another user or password than the address"
        case redis.exceptions.NoPermissionError():
            return "; the address's user may not do this: is it the one that may only read?"
        case redis.exceptions.OutOfMemoryError():
            return "; raise its maxmemory, or delete the keys of views that are no more"
        case redis.ConnectionError() | redis.TimeoutError():
            return f"; {cure}"
    return ""
