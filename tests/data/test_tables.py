"""Data tests: the tables that the shipped projects learn from are what their declarations say."""

import pandas as pd
from tests.data.conftest import Ingested

Generated = tuple[Ingested, Ingested]


def whole(table: Ingested, rows: int) -> None:
    """Nothing of a shipped table is refused."""
    assert table.result.read == table.result.written == rows == len(table.frame)
    assert table.result.reasons == {}


def test_a_thousand_customers_on_ninety_days(generated: Generated):
    customers, labels = generated
    whole(customers, 90_000)
    whole(labels, labels.result.read)
    assert customers.frame["customer_id"].nunique() == labels.frame["customer_id"].nunique() == 1000
    assert len(customers.result.partitions) == len(labels.result.partitions) == 90
    assert 12 * 1000 <= len(labels.frame) <= 13 * 1000


def test_generated_labels_are_balanced_enough_to_learn_from(generated: Generated):
    share = (generated[1].frame["churned"] == "yes").mean()
    assert 0.2 <= share <= 0.35


def test_generated_values_lie_well_inside_their_ranges(generated: Generated):
    frame = generated[0].frame
    assert frame["age"].between(18, 100).all()
    assert 40 <= frame["monthly_charges"].mean() <= 90
    assert 0.02 <= frame["avg_support_tickets_30d"].mean() <= 0.1
    assert frame["payment_failures_30d"].between(0, 30).all()
    assert frame["tenure_months"].mean() > 12


def test_features_vary_within_one_customer(generated: Generated):
    """Else a random split could learn customers by heart, and point-in-time joins would not matter."""
    by_customer = generated[0].frame.groupby("customer_id")
    for name in ("avg_support_tickets_30d", "payment_failures_30d"):
        assert (by_customer[name].nunique() > 1).mean() > 0.5, name


def test_no_generated_feature_gives_the_label_away(generated: Generated):
    customers, labels = generated
    joined = pd.merge_asof(
        labels.frame.sort_values("event_timestamp"),
        customers.frame.sort_values("event_timestamp"),
        on="event_timestamp",
        by="customer_id",
    )
    churned = (joined["churned"] == "yes").astype(float)
    for name in customers.frame.columns.drop(["customer_id", "event_timestamp", "created_timestamp"]):
        assert abs(joined[name].corr(churned, method="spearman")) < 0.6, name


def test_mlc_churn_is_taken_whole(mlc_churn: Ingested):
    whole(mlc_churn, 5000)
    assert mlc_churn.result.partitions == ("day=all",)
    assert mlc_churn.frame["churn"].value_counts().to_dict() == {"no": 4293, "yes": 707}
    assert mlc_churn.frame["state"].nunique() == 51
    assert "rownames" not in mlc_churn.frame
    assert mlc_churn.frame.notna().all().all()


def test_iris_is_taken_whole(iris: Ingested):
    whole(iris, 150)
    assert iris.frame["species"].value_counts().to_dict() == {
        "setosa": 50,
        "versicolor": 50,
        "virginica": 50,
    }
