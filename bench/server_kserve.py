"""The peer: KServe's SDK with a model that does what its sklearn server does (predict on the instances)."""

import os
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from kserve import Model, ModelServer
from kserve.utils.utils import get_predict_input, get_predict_response


class Forest(Model):
    """The pipeline of bench.server_model."""

    def __init__(self, path: Path) -> None:
        super().__init__("bench")
        self._forest = joblib.load(path)
        self.ready = True

    # The SDK calls it with headers, whatever a model needs.
    def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> Any:  # noqa: ARG002
        """Return labels, as KServe's sklearn server returns them."""
        instances = get_predict_input(payload)
        return get_predict_response(payload, np.asarray(self._forest.predict(instances)), self.name)


if __name__ == "__main__":
    model = Forest(Path(sys.argv[1]) / "pipeline.joblib")
    ModelServer(http_port=int(os.environ["SERINUS_PORT"]), enable_grpc=False, workers=1).start([model])
