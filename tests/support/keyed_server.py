"""The churn model's own inputs and plan, its online store loaded by Feast, and an artifact over both."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from serinus_contracts.artifact import Input, ModelContract
from serinus_contracts.plan import OnlinePlan
from serinus_jobs.feature_store import FeatureStore
from serinus_jobs.project import load_model
from serinus_jobs.training_set import contract_inputs
from tests.support import churn_store
from tests.support.artifacts import build_artifact

PROJECT = Path(__file__).resolve().parents[2] / "manifests" / "models" / "churn"


@dataclass
class LoadedStore:
    """Customers 1 to `customers` in an online store; `load` writes them again, as they were."""

    feast: FeatureStore
    plan: OnlinePlan
    inputs: tuple[Input, ...]
    customers: int
    until: datetime

    def load(self) -> None:
        self.feast.materialize(self.until - timedelta(days=2), self.until)

    def answer(self, customers: list[int]) -> list[dict[str, Any]]:
        """Return Feast's own answer: each customer's features by name, null where it has none."""
        found = self.feast.online("churn", [{"customer_id": each} for each in customers])
        return [{each.name: found[each.name][i] for each in self.inputs} for i in range(len(customers))]

    def artifact(self, folder: Path, seed: int) -> ModelContract:
        """Write a small model of churn's inputs and this plan into `folder`."""
        return build_artifact(folder, inputs=self.inputs, plan=self.plan, seed=seed)


def loaded_store(home: Path, url: str, customers: int = 40) -> LoadedStore:
    """Load seeded snapshots of the last day, some values null, into the store at `url` through Feast."""
    rng, now = np.random.default_rng(5), datetime.now(UTC)
    settings = churn_store.settings(home, url)
    rows = []
    for customer in range(1, customers + 1):
        values: dict[str, Any] = {
            "age": int(rng.integers(18, 90)),
            "tenure_months": int(rng.integers(0, 60)),
            "monthly_charges": None if customer % 7 == 0 else float(rng.uniform(10, 90)),
            "total_charges": 0.0 if customer % 11 == 0 else float(rng.uniform(10, 3000)),
            "num_support_tickets": None if customer % 5 == 0 else int(rng.integers(0, 90)),
            "payment_failures_30d": int(rng.integers(0, 60)),
        }
        rows.append(churn_store.row(customer, now - timedelta(hours=int(rng.integers(1, 20))), **values))
    churn_store.write(settings, rows)
    feast = FeatureStore(settings)
    feast.apply()
    plan = feast.plan("churn")
    store = LoadedStore(feast, plan, contract_inputs(load_model(PROJECT).features, plan), customers, now)
    store.load()
    return store
