"""Features by how they change. `ttl` is the age beyond which a value counts as missing, both in a
training set and in an answer of the server."""

from datetime import timedelta

from entities import customer
from feast import FeatureView, Field
from feast.types import Float64, Int64
from on_demand import declared_views
from sources import customers

KEY = Field(name="customer_id", dtype=Int64)

customer_profile = FeatureView(
    name="customer_profile",
    entities=[customer],
    ttl=timedelta(days=30),
    source=customers,
    schema=[
        KEY,
        Field(name="age", dtype=Int64),
        Field(name="tenure_months", dtype=Int64),
        Field(name="monthly_charges", dtype=Float64),
        Field(name="total_charges", dtype=Float64),
        Field(name="num_support_tickets", dtype=Int64),
    ],
)

customer_behaviour = FeatureView(
    name="customer_behaviour",
    entities=[customer],
    ttl=timedelta(days=7),
    source=customers,
    schema=[
        KEY,
        Field(name="avg_support_tickets_30d", dtype=Float64),
        Field(name="payment_failures_30d", dtype=Int64),
    ],
)

# Declared in on_demand.yaml, computed from the two above.
(churn_on_demand,) = declared_views(customer_profile, customer_behaviour)
