"""Who has features. The join key is the column by which tables, label rows and requests name an entity."""

from feast import Entity, ValueType

customer = Entity(
    name="customer",
    join_keys=["customer_id"],
    value_type=ValueType.INT64,
    description="A customer of the subscription business.",
)
