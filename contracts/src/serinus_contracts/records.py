"""One prediction, and the label that may come for it later: the columns of the log."""

from dataclasses import dataclass

# A request may name its rows' log identity; the response always does.
PREDICTION_ID_HEADER = "x-prediction-id"
REVISION_HEADER = "x-serinus-revision"

# The collected log's Parquet, day=YYYY-MM-DD/revision=<revision>/*.parquet: column and type. `json` is
# text that holds a JSON object; `at` is UTC, and so is the day.
LOG_COLUMNS = (
    ("prediction_id", "string"),
    ("at", "double"),
    ("model", "string"),
    ("revision", "string"),
    ("entity", "json"),
    ("features", "json"),
    ("prediction", "string"),
    ("probabilities", "list<double>"),
    ("degraded", "bool"),
    ("defaulted", "list<string>"),
    ("stale", "list<string>"),
)


@dataclass(frozen=True)
class PredictionRecord:
    """One predicted row as it is logged, one JSON object a line or one row of Parquet.

    `at` is Unix time in seconds. `features` holds the values as the model saw them, after defaults;
    `defaulted` and `stale` name features. `entity` is empty for a request with whole rows.
    `probabilities` are in the order of the contract's classes.
    """

    prediction_id: str
    at: float
    model: str
    revision: str
    entity: dict[str, str | int]
    features: dict[str, str | int | float | bool]
    prediction: str
    probabilities: tuple[float, ...]
    degraded: bool = False
    defaulted: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelRecord:
    """The truth about one prediction. `observed_at` is when it became known, Unix seconds."""

    prediction_id: str
    label: str
    observed_at: float
