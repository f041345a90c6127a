"""Which of a request's instances are whole rows and which are entity keys to look up.

An instance is a list (values in the contract's order) or an object. An object that names a join key
of the plan is a request by entity key: the join keys, and the values that only a request can give.
Every other object is a whole row by feature name; an on-demand feature that it leaves out is computed
from it, as the store's side would.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from serinus_contracts.artifact import ModelContract
from serinus_contracts.encoding import RowEncoder
from serinus_contracts.errors import ContractError
from serinus_contracts.expressions import names, typed
from serinus_server.doors import FeatureRow, OnlineStore, StoreUnavailable
from serinus_server.errors import RequestError
from serinus_server.online import check_entity
from serinus_server.online.enrich import Enricher
from serinus_server.online.health import StoreHealth

Instance = Mapping[str, Any] | Sequence[Any]
_NOTHING: dict[str, Any] = {}
_SHOWN_FEATURES = 8


class EncodedRow:
    """One row ready for the graph, with what its answer and its log line must say."""

    __slots__ = ("defaulted", "degraded", "entity", "found", "stale", "values")

    def __init__(
        self,
        values: list[float],
        defaulted: tuple[str, ...],
        entity: dict[str, Any] = _NOTHING,
        found: bool = True,
        degraded: bool = False,
        stale: tuple[str, ...] = (),
    ) -> None:
        self.values = values
        self.defaulted = defaulted
        self.entity = entity
        self.found = found
        self.degraded = degraded
        self.stale = stale


# Holds the place of a row until the store has answered.
_PENDING = EncodedRow([], ())


class Instances:
    """Turns instances into encoded rows for one model.

    `refuse_unknown`: a key that the store does not hold is a 404 instead of a row of defaults.
    """

    def __init__(self, contract: ModelContract, store: OnlineStore | None, *, refuse_unknown: bool) -> None:
        plan = contract.plan
        encoder = RowEncoder(contract.inputs)
        self._encode = encoder.encode
        self._encode_list = encoder.encode_list
        self._plan = plan
        self._store = store
        self._health = StoreHealth()
        self._refuse_unknown = refuse_unknown
        self._enrich = Enricher(contract) if plan and plan.views else None
        known = set(encoder.names)
        # A join key that is a feature as well cannot tell the two kinds apart.
        self.keys = (
            frozenset(key.name for key in plan.join_keys if key.name not in known) if plan else frozenset()
        )
        self._empty = _cure_of_empty(encoder.names, self.keys)
        # What a request leaves out is the client's fault, and the encoder says so.
        self._required = tuple(
            each.name for each in contract.inputs if each.default is None and each.source != "request"
        )
        self._computed: tuple[tuple[str, tuple[str, ...], Callable[..., Any]], ...] = ()
        if plan:
            self._computed = tuple(
                (each.name, names(each.expression), typed(each.expression, each.value_type))
                for each in plan.on_demand
                if each.name in known
            )

    async def encode(self, instances: Sequence[Instance], place: str) -> list[EncodedRow]:
        """Return one encoded row per instance, in order.

        Raises RequestError whose message names the row as `<place>[i]`: 400 for a bad value, 404 or 422
        when a required feature cannot be had from the store.
        """
        rows: list[EncodedRow] = []
        looked_up: list[tuple[int, dict[str, Any], Mapping[str, Any]]] = []
        index = 0
        try:
            for index, instance in enumerate(instances):
                if isinstance(instance, list):
                    rows.append(EncodedRow(*self._encode_list(instance)))
                elif self.keys and not self.keys.isdisjoint(instance):
                    entity, request = self._split(instance)  # type: ignore[arg-type]  # lists are above
                    looked_up.append((index, entity, request))
                    rows.append(_PENDING)
                elif not instance:
                    # Where every feature has a default it would be answered, and say nothing of anyone.
                    raise ContractError(self._empty)
                else:
                    named = self._with_computed(instance) if self._computed else instance  # type: ignore[arg-type]
                    rows.append(EncodedRow(*self._encode(named)))  # type: ignore[arg-type]
        except ContractError as error:
            raise RequestError(400, f"{place}[{index}]: {error}") from None
        if looked_up:
            await self._look_up(rows, looked_up, place)
        return rows

    async def _look_up(
        self,
        rows: list[EncodedRow],
        looked_up: list[tuple[int, dict[str, Any], Mapping[str, Any]]],
        place: str,
    ) -> None:
        if self._store is None or self._enrich is None:
            raise RequestError(
                400, f"{place}[{looked_up[0][0]}]: this server has no online store; send whole rows"
            )
        try:
            stored = await self._store.read([entity for _, entity, _ in looked_up])
            degraded = False
            self._health.answered()
        except StoreUnavailable as error:
            self._health.failed(error)
            stored = [FeatureRow({}, found=False)] * len(looked_up)
            degraded = True
        for (index, entity, request), features in zip(looked_up, stored, strict=True):
            if not features.found and not degraded and self._refuse_unknown:
                raise RequestError(404, f"{place}[{index}]: the store holds nothing for this key")
            try:
                named = self._enrich.gather(features, request)
                try:
                    values, defaulted = self._encode(named)
                except ContractError:
                    # Rare, so what the store holds wrongly is looked for only now.
                    named = self._enrich.usable(named)
                    missing = next((name for name in self._required if name not in named), None)
                    if missing is not None:
                        raise _unanswerable(
                            f"{place}[{index}]: {missing}", features.found, degraded
                        ) from None
                    values, defaulted = self._encode(named)
            except ContractError as error:
                raise RequestError(400, f"{place}[{index}]: {error}") from None
            rows[index] = EncodedRow(
                values, defaulted, entity, features.found or degraded, degraded, features.stale
            )

    def _split(self, instance: Mapping[str, Any]) -> tuple[dict[str, Any], Mapping[str, Any]]:
        assert self._plan is not None
        if self.keys.issuperset(instance):
            return check_entity(self._plan, instance), _NOTHING
        entity = {name: value for name, value in instance.items() if name in self.keys}
        request = {name: value for name, value in instance.items() if name not in self.keys}
        return check_entity(self._plan, entity), request

    def _with_computed(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        named = row
        for name, reads, evaluate in self._computed:
            if named.get(name) is None:
                try:
                    value = evaluate(*[named.get(read) for read in reads])
                except (TypeError, ValueError):
                    continue  # an operand of a wrong type; the encoder names it
                if value is not None:
                    named = {**named, name: value}
        return named


def _cure_of_empty(features: Sequence[str], keys: Iterable[str]) -> str:
    shown = ", ".join(features[:_SHOWN_FEATURES]) + (", ..." if len(features) > _SHOWN_FEATURES else "")
    by_key = f", or the entity keys ({', '.join(sorted(keys))})" if keys else ""
    return f"is empty; give features by name ({shown}){by_key}"


def _unanswerable(where: str, found: bool, degraded: bool) -> RequestError:
    """The error for a required feature that nothing can fill: no default is declared for it."""
    if degraded:
        return RequestError(
            503,
            f"{where}: the feature store is unavailable and no default is declared",
            ((b"retry-after", b"1"),),
        )
    if not found:
        return RequestError(404, f"{where}: the store holds nothing for this key and no default is declared")
    return RequestError(422, f"{where}: the store has no usable value and no default is declared")
