"""Lines of a prediction log, and the server's own sinks to write them with."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from serinus_server.log import make_sink
from serinus_server.log.directory import DirectorySink
from serinus_server.prediction_log import encode_record

DAY = 86_400.0
NOON = 1_767_268_800.0  # 2026-01-01 12:00 UTC


def line(number: int, at: float = NOON, revision: str = "rev-a", model: str = "churn") -> bytes:
    probabilities, degraded = (0.9, 0.1), number % 2 == 0
    entity, features = {"customer_id": number}, {"age": 4, "plan": "ü"}
    fields = (f"id-{number}", at, model, revision, entity, features, "no", probabilities, degraded)
    return encode_record((*fields, ("age",), ()))


LINES = [
    *(line(number) for number in range(10)),
    *(line(number, NOON + DAY / 2) for number in range(10, 15)),  # midnight: the next day
    *(line(number, revision="123456789012") for number in range(15, 20)),
]


def sink_to_folder(folder: Path, lines: Sequence[bytes], **options: Any) -> None:
    async def run() -> None:
        sink = DirectorySink(folder, **options)
        for start in range(0, len(lines), 7):
            await sink.write(lines[start : start + 7])
        await sink.close()
        await sink.close()

    asyncio.run(run())


def sink_to_stream(url: str, lines: Sequence[bytes]) -> None:
    async def run() -> None:
        sink = make_sink(url)
        await sink.write(lines)
        await sink.close()

    asyncio.run(run())
