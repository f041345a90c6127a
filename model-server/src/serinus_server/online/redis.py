"""Reads features from Redis as the feature store writes them: one hash an entity, one HMGET for it."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from serinus_contracts.plan import OnlinePlan
from serinus_server.doors import FeatureRow, StoreUnavailable
from serinus_server.online.keys import key_encoder
from serinus_server.online.rows import ViewReader, empty_row
from serinus_server.redis_address import CA_OPTION, parse_address
from serinus_server.redis_connection import RedisConnection, RedisUnavailable


class RedisStore:
    """The Redis half of the door `OnlineStore`. All entities of a request are one round trip."""

    def __init__(self, url: str, plan: OnlinePlan, budget_seconds: float) -> None:
        address = parse_address(url)
        if address.options:
            raise ValueError(f"online store: unknown option {address.options[0][0]!r}; known is {CA_OPTION}")
        self._connection = RedisConnection(address, budget_seconds)
        self._encode_key = key_encoder(plan)
        self._project = plan.project.encode()
        self._readers = tuple(ViewReader(view) for view in plan.views)
        fields: list[bytes] = []
        slices = []
        for reader in self._readers:
            start = len(fields)
            fields += [bytes.fromhex(feature.field) for feature in reader.view.features]
            slices.append((reader, start, len(fields)))
            fields.append(reader.view.timestamp_field.encode())
        self._slices = tuple(slices)
        # A command is head, key and tail; only the key differs between entities.
        self._head = b"*%d\r\n$5\r\nHMGET\r\n$" % (2 + len(fields))
        self._tail = b"\r\n" + b"".join(b"$%d\r\n%b\r\n" % (len(field), field) for field in fields)

    async def read(self, entities: Sequence[Mapping[str, Any]]) -> list[FeatureRow]:
        """Return one row per entity; see the door."""
        if not entities:
            return []
        head, tail, project = self._head, self._tail, self._project
        commands = []
        for entity in entities:
            key = self._encode_key(entity) + project
            commands.append(b"%b%d\r\n%b%b" % (head, len(key), key, tail))
        try:
            replies = await self._connection.request(commands)
        except RedisUnavailable as error:
            raise StoreUnavailable(str(error)) from None
        now = time.time()
        return [self._row(reply, now) for reply in replies]

    def _row(self, reply: list[bytes | None], now: float) -> FeatureRow:
        if not any(reply):
            return empty_row(self._readers)
        values: dict[str, Any] = {}
        stale: tuple[str, ...] = ()
        for reader, start, end in self._slices:
            stale += reader.fill(values, reply[start:end], reader.event_time(reply[end]), now)
        return FeatureRow(values, True, stale)

    async def close(self) -> None:
        """Release the connection. Safe to call twice."""
        await self._connection.close()
