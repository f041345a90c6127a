"""From the store's raw values to FeatureRows, by a plan: decoding, age against ttl, what is missing."""

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from serinus_contracts.errors import ContractError
from serinus_contracts.expressions import names, typed
from serinus_contracts.plan import OnlinePlan, PlanView
from serinus_server.doors import FeatureRow
from serinus_server.online.decode import DECODERS, SCALAR_TYPES, DecodeError, decode_timestamp

_log = logging.getLogger(__name__)
_MOST_TIMES = 4096


def check_plan(plan: OnlinePlan) -> None:
    """Raise ContractError for a plan that this server cannot read, naming the feature and the cure."""
    seen: set[str] = set()
    for view in plan.views:
        for feature in view.features:
            if feature.value_type not in SCALAR_TYPES:
                raise ContractError(
                    f"plan: {view.name}:{feature.name} is {feature.value_type}; a served feature must be "
                    f"one of {', '.join(sorted(SCALAR_TYPES))}"
                )
            if feature.name in seen:
                raise ContractError(f"plan: feature {feature.name} stands twice; rename it in one view")
            seen.add(feature.name)
    known = seen | set(plan.request)
    for computed in plan.on_demand:
        typed(computed.expression, computed.value_type)
        unknown = [name for name in names(computed.expression) if name not in known]
        if unknown:
            raise ContractError(
                f"plan: on-demand {computed.name} reads {unknown[0]}, which neither a view, nor the "
                "request, nor an earlier on-demand feature gives"
            )
        known.add(computed.name)


class ViewReader:
    """Puts one view's raw values into a row. Built once a view."""

    def __init__(self, view: PlanView) -> None:
        self.view = view
        self.names = tuple(feature.name for feature in view.features)
        self._ttl = float(view.ttl_seconds)
        self._times: dict[bytes, float] = {}
        self._complained = False

    def fill(
        self, values: dict[str, Any], raw: Sequence[bytes | None], at: float, now: float
    ) -> tuple[str, ...]:
        """Add the view's features to `values` and return the names of those that are too old.

        `raw` is in the order of `names`; `at` is the event time and `now` the clock, Unix seconds.
        A value is too old when its age is more than the ttl, the bound that training uses.
        """
        if self._ttl and now - at > self._ttl:
            values.update(dict.fromkeys(self.names))
            return tuple(name for name, data in zip(self.names, raw, strict=True) if data)
        for name, data in zip(self.names, raw, strict=True):
            try:
                values[name] = DECODERS[data[0]](data) if data else None
            except Exception as error:
                # Rare: bytes that another writer left. Whatever they are, they are no value.
                values[name] = None
                self._complain(name, error)
        return ()

    def event_time(self, data: bytes | None) -> float:
        """Return the Unix time in `data`; 0 where there is none or it cannot be read."""
        if not data:
            return 0.0
        # Most keys share the few event times of the last materializations.
        known = self._times.get(data)
        if known is not None:
            return known
        try:
            at = decode_timestamp(data)
        except DecodeError as error:
            self._complain("event time", error)
            at = 0.0
        if len(self._times) >= _MOST_TIMES:
            self._times.clear()
        self._times[data] = at
        return at

    def _complain(self, name: str, error: Exception) -> None:
        """Log the first unreadable value of the view; a line a request would be a flood."""
        if not self._complained:
            self._complained = True
            _log.warning("feature view %s, %s: %s; it counts as missing", self.view.name, name, error)


def empty_row(readers: Iterable[ViewReader]) -> FeatureRow:
    """Return the row of an entity that the store does not know."""
    return FeatureRow({name: None for reader in readers for name in reader.names}, found=False)
