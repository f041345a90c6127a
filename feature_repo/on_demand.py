"""on_demand.yaml to Feast's on-demand views.

Each view gets a generated function whose source holds the declarations, so Feast's registry sees when
one changes, and a reader of the registry needs nothing but serinus_contracts to evaluate it. The
expressions also stand in the view's tags: from there the online plan takes them.
"""

from pathlib import Path
from typing import Any

import yaml
from feast import FeatureView, Field, OnDemandFeatureView, RequestSource
from feast.transformation.python_transformation import PythonTransformation
from feast.types import Bool, Float64, Int64, PrimitiveFeastType, String

from serinus_contracts.errors import ContractError
from serinus_contracts.expressions import names, typed

DECLARATIONS = Path(__file__).with_name("on_demand.yaml")
TYPES: dict[str, PrimitiveFeastType] = {
    "float64": Float64, "int64": Int64, "bool": Bool, "string": String,
}  # fmt: skip
TAG = "serinus.expression."

_SOURCE = """\
def {name}(inputs):
    from serinus_contracts.expressions import names, typed

    values, outputs = dict(inputs), {{}}
    for feature, value_type, expression in {declarations!r}:
        evaluate = typed(expression, value_type)
        rows = zip(*(values[name] for name in names(expression)))
        values[feature] = outputs[feature] = [evaluate(*row) for row in rows]
    return outputs
"""


def declared_views(*available: FeatureView, path: Path = DECLARATIONS) -> tuple[OnDemandFeatureView, ...]:
    """Return the on-demand views of the declaration file, reading from the `available` views.

    Raises ContractError naming the view and feature: an expression outside the grammar, a value that
    no source has, an unknown type or source.
    """
    by_name = {view.name: view for view in available}
    document = yaml.safe_load(path.read_text())
    return tuple(_view(name, declared, by_name) for name, declared in document.items())


def _view(name: str, declared: dict[str, Any], by_name: dict[str, FeatureView]) -> OnDemandFeatureView:
    sources: list[Any] = []
    for source in declared["sources"]:
        if source not in by_name:
            raise ContractError(f"on_demand.yaml: {name}: no view {source!r}; there are {', '.join(by_name)}")
        sources.append(by_name[source])
    request = [_field(name, each, kind) for each, kind in declared.get("request", {}).items()]
    known = {field.name for view in sources for field in view.features} | {field.name for field in request}
    if request:
        sources.append(RequestSource(name=f"{name}_request", schema=request))
    schema, declarations, tags = [], [], {}
    for each in declared["features"]:
        field = _field(name, each["name"], each["type"])
        expression = " ".join(each["expression"].split())
        place = f"on_demand.yaml: {name}.{field.name}"
        try:
            read = names(expression)
            typed(expression, field.dtype.to_value_type().name)
        except ContractError as error:
            raise ContractError(f"{place}: {error}") from None
        missing = [value for value in read if value not in known]
        if missing or not read:
            raise ContractError(
                f"{place}: reads {missing[0] if missing else 'no value'}, which no source has"
            )
        known.add(field.name)
        schema.append(field)
        declarations.append((field.name, field.dtype.to_value_type().name, expression))
        tags[TAG + field.name] = expression
    source_text = _SOURCE.format(name=name, declarations=tuple(declarations))
    namespace: dict[str, Any] = {}
    exec(source_text, namespace)  # noqa: S102  the text above, holding checked expressions as strings
    return OnDemandFeatureView(
        name=name,
        sources=sources,
        schema=schema,
        mode="python",
        feature_transformation=PythonTransformation(udf=namespace[name], udf_string=source_text),
        tags=tags,
    )


def _field(view: str, name: str, kind: str) -> Field:
    if kind not in TYPES:
        raise ContractError(f"on_demand.yaml: {view}.{name}: type {kind!r}; types are {', '.join(TYPES)}")
    return Field(name=name, dtype=TYPES[kind])
