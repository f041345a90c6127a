"""One FeatureService a model: what it is trained on is what it is served with."""

from feast import FeatureService
from views import churn_on_demand, customer_behaviour, customer_profile

churn = FeatureService(name="churn", features=[customer_profile, customer_behaviour, churn_on_demand])
