"""An XGBoost model in XGBoost's own format, on the server that KServe's SDK brings: protocols V1 and V2.

The model is the one `.json` file of the folder in `--model_dir`. Nothing of Serinus runs here.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import xgboost
from kserve import InferRequest, InferResponse, Model, ModelServer, logging, model_server
from kserve.errors import InvalidInput
from kserve.utils.utils import get_predict_input, get_predict_response


class Booster(Model):  # type: ignore[misc]  # the SDK has no types
    """One booster that answers class probabilities."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name)
        (file,) = folder.glob("*.json")
        self._booster = xgboost.Booster(model_file=file)
        self.ready = True

    def predict(
        self, payload: dict[str, Any] | InferRequest, headers: dict[str, str] | None = None
    ) -> dict[str, Any] | InferResponse:
        """Return a row of probabilities for each row of the payload."""
        del headers
        wanted = f"instances: must be lists of {self._booster.num_features()} numbers"
        try:
            rows = np.asarray(get_predict_input(payload), dtype=np.float64)
        except (TypeError, ValueError):
            raise InvalidInput(wanted) from None
        if rows.ndim != 2 or rows.shape[1] != self._booster.num_features():
            raise InvalidInput(wanted)
        return get_predict_response(payload, self._booster.inplace_predict(rows), self.name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(parents=[model_server.parser])
    parser.add_argument("--model_dir", type=Path, default=Path("/mnt/models"))
    given, _ = parser.parse_known_args()
    logging.configure_logging()
    ModelServer(enable_grpc=False).start([Booster(given.model_name, given.model_dir)])
