"""Tables and places to ingest them, for tests of the data verbs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from serinus_jobs import ingest
from serinus_jobs.ingest import IngestResult
from serinus_jobs.settings import Settings

DATA = """
tables:
  events:
    time: at
    unique: [id, at]
    columns:
      id: {type: int64, min: 1}
      at: {type: timestamp}
      amount: {type: float64, min: 0, max: 100, nullable: true}
      plan: {type: string, allowed: [basic, plus]}
      paid: {type: bool, nullable: true}
  keyed:
    time: at
    unique: [id]
    columns:
      id: {type: int64}
      at: {type: timestamp}
  timeless:
    columns:
      x: {type: float64}
"""
HEADER = "id,at,amount,plan,paid\n"
GOOD = "1,2026-01-31T12:00:00Z,5.5,basic,true\n2,2026-02-01T00:00:00Z,,plus,\n"


class Place:
    """A project and a data folder of one test."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.model = root / "model"
        self.model.mkdir()
        (self.model / "data.yaml").write_text(DATA)
        self.settings = Settings.from_environment({"SERINUS_DATA": str(root / "data")})

    def csv(self, text: str | bytes, name: str = "in.csv") -> str:
        path = self.root / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    def run(self, source: str, table: str = "events", **options: Any) -> IngestResult:
        return ingest.run(self.model, table, source, self.settings, **options)

    def stored(self, table: str = "events") -> pd.DataFrame:
        files = sorted(self.settings.events(table).glob("day=*/part-*.parquet"))
        frames = [pd.read_parquet(path, partitioning=None) for path in files]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.settings.data)): path.read_bytes()
            for path in sorted(self.settings.data.rglob("*"))
            if path.is_file() and not path.name.endswith(".lock")
        }

    def refused(self, result: IngestResult) -> list[dict[str, Any]]:
        assert result.quarantine is not None
        return [json.loads(line) for line in result.quarantine.read_text().splitlines()]


def customer_table(rows: int = 25) -> pd.DataFrame:
    """Return rows for the model of support.artifacts.CHURN_INPUTS, some charges null."""
    generator = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "customer_id": np.arange(rows),
            "age": generator.integers(18, 90, rows),
            "tenure_months": generator.integers(0, 100, rows),
            "monthly_charges": np.where(
                generator.random(rows) < 0.3, np.nan, generator.uniform(0, 200, rows)
            ),
            "plan": generator.choice(["basic", "plus", "premium"], rows),
            "paperless": generator.random(rows) < 0.5,
        }
    )
