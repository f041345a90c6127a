"""The same feature repository under Feast's offline store and under ours, for tests that compare them."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from tests.support.feast_repo import FEASTS, ORIGIN, OURS, entity, open_store, random_history, view

# Between two grid points, on one, never: what lies on the edge of a ttl is drawn often.
TTLS = (timedelta(hours=6), timedelta(hours=5, minutes=30), None)


class Pair:
    """The same repository under Feast's offline store and under ours."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        customer, shop = entity("customer"), entity("shop")
        self.views = [
            view("a", folder / "a.parquet", TTLS[0], customer),
            view("b", folder / "b.parquet", TTLS[1], customer),
            view("c", folder / "c.parquet", TTLS[2], shop, mapping={"raw": "c_amount"}),
        ]
        objects = [customer, shop, *self.views]
        self.ours = open_store(folder / "ours", OURS, objects)
        off = {**OURS, "filter_by_created_timestamp": False}
        self.ours_unfiltered = open_store(folder / "off", off, objects)
        self.feasts = open_store(folder / "feasts", FEASTS, objects)

    def write(self, rng: np.random.Generator, rows: int = 120, keys: int = 4) -> None:
        for name, key in (("a", "customer_id"), ("b", "customer_id"), ("c", "shop_id")):
            frame = random_history(rng, name, rows, keys, key)
            if name == "c":
                frame = frame.rename(columns={"c_amount": "raw"})
            frame.to_parquet(self.folder / f"{name}.parquet", index=False)


def plant(pair: Pair, rows: list[tuple[int, timedelta, timedelta, float]]) -> None:
    """Write view a: (customer, event, creation, amount) with times after the origin."""
    pd.DataFrame(
        {
            "customer_id": [row[0] for row in rows],
            "event_timestamp": [ORIGIN + row[1] for row in rows],
            "created_timestamp": [ORIGIN + row[2] for row in rows],
            "a_amount": [row[3] for row in rows],
            "a_visits": pd.array([1] * len(rows), dtype="Int64"),
            "a_city": "Bern",
        }
    ).to_parquet(pair.folder / "a.parquet", index=False)
