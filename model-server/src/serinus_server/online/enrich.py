"""From stored features and request values to the named values of one row: on-demand features computed,
nulls left out, so that the row encoder fills the declared defaults and marks them."""

from collections.abc import Mapping
from typing import Any

from serinus_contracts.artifact import Input, ModelContract
from serinus_contracts.encoding import RowEncoder
from serinus_contracts.errors import ContractError
from serinus_contracts.expressions import names, typed
from serinus_contracts.plan import OnDemand
from serinus_server.doors import FeatureRow
from serinus_server.online.rows import check_plan

_LARGEST_INTEGER = 2**53
# Which stored types may feed an input of which type.
_FITS = {
    "int64": {"INT32", "INT64"},
    "float64": {"INT32", "INT64", "FLOAT", "DOUBLE"},
    "bool": {"BOOL"},
    "string": {"STRING"},
}


class Enricher:
    """Builds rows for one model with a feature plan. Built once, used for every row.

    Raises ContractError when the contract and its plan do not fit together.
    """

    def __init__(self, contract: ModelContract) -> None:
        if contract.plan is None:
            raise ContractError(f"{contract.model}: has no feature plan; send whole rows")
        check_plan(contract.plan)
        plan = contract.plan
        inputs = {each.name: each for each in contract.inputs}
        stored = {feature.name: feature.value_type for view in plan.views for feature in view.features}
        computed = {each.name: each for each in plan.on_demand}
        for each in contract.inputs:
            _check_source(each, stored, computed)
        self._stored = {each.name: RowEncoder((each,)) for each in contract.inputs if each.source == "store"}
        self._from_request = {each.name for each in contract.inputs if each.source == "request"}
        self._operands = frozenset(plan.request) - self._from_request
        # What is both an input and an operand is checked before it is computed with.
        self._checks = {name: RowEncoder((inputs[name],)) for name in self._from_request & set(plan.request)}
        self._computed = tuple(
            (each.name, names(each.expression), typed(each.expression, each.value_type), each.name in inputs)
            for each in plan.on_demand
        )
        self._forbidden = (set(stored) | set(computed)) - self._from_request - self._operands

    def gather(self, features: FeatureRow, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values for `RowEncoder.encode`, null where there is none.

        Stored values are as they are: if the encoder refuses the row, let `usable` look at them.
        Raises ContractError when the request gives a value that it may not.
        """
        get = features.values.get
        row = {name: get(name) for name in self._stored}
        if request:
            self._take(request, row)
        if self._computed:
            known = {**features.values, **request}
            for name, reads, evaluate, is_input in self._computed:
                value = known[name] = evaluate(*[known.get(read) for read in reads])
                if is_input:
                    row[name] = value
        return row

    def usable(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a gathered row without nulls, and without what is not what the contract says a stored
        value must be: that is no fault of the client, so the declared default applies."""
        stored = self._stored
        return {
            name: value
            for name, value in row.items()
            if value is not None and (name not in stored or _takes(stored[name], value))
        }

    def _take(self, request: Mapping[str, Any], row: dict[str, Any]) -> None:
        for name, value in request.items():
            if name in self._from_request:
                if value is not None:
                    if name in self._checks:
                        self._checks[name].encode({name: value})
                    row[name] = value
            elif name in self._operands:
                _check_operand(name, value)
            elif name in self._forbidden:
                raise ContractError(f"{name}: comes from the feature store; a request may not give it")
            else:
                known = sorted(self._from_request | self._operands)
                raise ContractError(
                    f"{str(name)[:64]}: unknown value; with an entity key a request may give "
                    f"{', '.join(known) or 'nothing else'}"
                )


def _check_source(each: Input, stored: Mapping[str, str], computed: Mapping[str, OnDemand]) -> None:
    if each.source == "store":
        if each.name not in stored:
            raise ContractError(f"{each.name}: source is the store, but no view of the plan has it")
        if stored[each.name] not in _FITS[each.dtype]:
            raise ContractError(f"{each.name}: a stored {stored[each.name]} cannot be a {each.dtype} input")
    if each.source == "on_demand" and each.name not in computed:
        raise ContractError(f"{each.name}: source is on_demand, but the plan does not compute it")


def _takes(encoder: RowEncoder, value: Any) -> bool:
    try:
        encoder.encode_list((value,))
    except ContractError:
        return False
    return True


def _check_operand(name: str, value: Any) -> None:
    # A text times a number would grow as long as the client likes, so operands are numbers.
    if value is None or type(value) is bool:
        return
    if type(value) not in (int, float):
        raise ContractError(f"{name}: must be a number")
    if not -_LARGEST_INTEGER <= value <= _LARGEST_INTEGER:
        raise ContractError(f"{name}: must be finite and within 2^53")
