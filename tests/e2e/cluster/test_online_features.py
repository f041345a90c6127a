"""Story: a client names a customer, and the server finds in Redis what Feast would have found there."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.support.cluster import Cluster, NotYet, until
from tests.support.cluster_churn import HOST, PREDICT, read_by_feast, served, trained
from tests.support.cluster_gateway import KEY, ask, key_of
from tests.support.cluster_models import MODELS

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

CUSTOMERS = list(range(1, 101))
NOBODY = 10**9
ANSWER_SECONDS = 60


def test_features_are_those_that_feast_reads(cluster: Cluster, figure: Callable[[str, str], None]):
    # Given churn, trained by its Jobs, its features in Redis, and its service as the repository has it
    trained(cluster)
    served(cluster)
    key = {KEY: key_of(cluster, MODELS)}

    def predict(rows: list[dict[str, Any]]) -> dict[str, Any]:
        def look() -> dict[str, Any]:
            answer = ask(HOST, PREDICT, headers=key, json={"instances": rows})
            # A busy machine may miss the store's 20 ms; then the answer says so, and is none of this story's.
            if answer.status_code != 200 or '"degraded":true' in answer.text:
                raise NotYet(f"HTTP {answer.status_code} {answer.text[:200]}")
            return dict(answer.json())

        return until("churn answers from the store", look, ANSWER_SECONDS)

    # When clients name customers, and others send what Feast reads for them as whole rows
    by_key = predict([{"customer_id": each} for each in CUSTOMERS])
    found = read_by_feast(cluster, CUSTOMERS)
    names = [name for name in found if name != "customer_id"]
    rows = [dict(zip(names, values, strict=True)) for values in zip(*map(found.get, names), strict=True)]
    whole = predict(rows)
    # Then both get the same answers, to the last bit
    assert by_key["probabilities"] == whole["probabilities"]
    # And they are answers about different customers
    different = len({tuple(each) for each in by_key["probabilities"]})
    assert different > len(CUSTOMERS) / 2
    figure("customers asked by key, answers equal to Feast's", f"{len(CUSTOMERS)} of {len(CUSTOMERS)}")
    # And a customer that nobody knows gets the declared defaults, and is told so
    unknown = predict([{"customer_id": NOBODY}])
    (mark,) = unknown["marks"]
    assert mark["found"] is False
    assert set(mark["defaulted"]) >= {"age", "tenure_months", "monthly_charges"}
    # And whoever is known was not answered by defaults alone
    assert not any(each and each.get("found") is False for each in by_key.get("marks", []))
