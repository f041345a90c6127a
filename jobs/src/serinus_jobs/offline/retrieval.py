"""The lazy answer that Feast hands to its callers: nothing is read before `to_arrow` or `to_df`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from feast import OnDemandFeatureView
from feast.errors import SavedDatasetLocationAlreadyExists
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata


class ArrowRetrievalJob(RetrievalJob):
    """A read that runs when asked. On-demand views are Feast's own execution, on top of it."""

    def __init__(
        self,
        read: Callable[[], pa.Table],
        on_demand: Sequence[OnDemandFeatureView] = (),
        full_feature_names: bool = False,
        metadata: RetrievalMetadata | None = None,
    ) -> None:
        self._read = read
        self._on_demand = list(on_demand)
        self._full_feature_names = full_feature_names
        self._metadata = metadata

    @property
    def full_feature_names(self) -> bool:
        """Whether features carry their view's name as a prefix."""
        return self._full_feature_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """The on-demand views that Feast computes on the answer."""
        return self._on_demand

    @property
    def metadata(self) -> RetrievalMetadata | None:
        """What was asked for, for a saved dataset."""
        return self._metadata

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:  # noqa: ARG002  Feast's signature
        return self._read()

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        frame: pd.DataFrame = self._to_arrow_internal(timeout).to_pandas()
        return frame

    def persist(
        self,
        storage: Any,
        allow_overwrite: bool = False,
        timeout: int | None = None,
    ) -> None:
        """Write the answer as one Parquet file to a SavedDatasetFileStorage."""
        path = Path(storage.to_data_source().path)
        if path.exists() and not allow_overwrite:
            raise SavedDatasetLocationAlreadyExists(location=str(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(self.to_arrow(timeout=timeout), path)
