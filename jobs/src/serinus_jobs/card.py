"""The model card: what a person should know before the model answers anyone.

It is one of the artifact's files, under the digest, so it holds nothing that differs between two
trainings on the same data: no times of day, no run ids, no seconds.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from serinus_contracts.artifact import Input
from serinus_jobs.project import ModelProject


def render(
    project: ModelProject,
    inputs: Sequence[Input],
    *,
    params: Mapping[str, Any],
    rows: Mapping[str, int],
    window: tuple[str, str] | None,
    metrics: Mapping[str, float],
    importance: Mapping[str, float],
    export_difference: float,
    data_digest: str,
) -> str:
    """Return the card as Markdown. `rows` counts training and holdout rows, and those left out."""
    classes = ", ".join(f"`{each}`" for each in project.label.classes)
    split = (
        f"the last {project.split.holdout_days} days by label time"
        if project.split.kind == "time"
        else f"{project.split.holdout:.0%} of each class, seed {project.split.seed}"
    )
    source = (
        f"FeatureService `{project.feature_service}`, point in time"
        if project.feature_service
        else f"columns of table `{project.label.table}`"
    )
    lines = [
        f"# {project.name}",
        "",
        f"Predicts `{project.label.column}` (classes {classes}; decision threshold {project.threshold:g}).",
        "",
        "## Training",
        "",
        f"- Estimator: `{project.estimator.class_}` with {_listed(params)}",
        f"- Data: {', '.join(f'{count} {name}' for name, count in rows.items())}; SHA-256 `{data_digest}`",
        *([f"- Labels from {window[0]} to {window[1]}"] if window else []),
        f"- Features: {source}",
        f"- Held out: {split}",
        f"- Exported graph: differs from its pipeline by at most {export_difference:.1e} on the holdout",
        "",
        "## Holdout metrics",
        "",
        "| metric | value |",
        "|---|---|",
        *[f"| {name} | {value:.4f} |" for name, value in metrics.items()],
        "",
        "## Inputs",
        "",
        "| input | type | range | default when missing | given by | importance |",
        "|---|---|---|---|---|---|",
        *[_input_row(each, importance) for each in inputs],
        "",
        "Importance is the loss of the gate metric when the column is shuffled on the holdout.",
        "",
        "## Limits",
        "",
        "Metrics are those of one holdout: they say nothing of times, regions or customers it does not hold.",
        "The importance of a column that another one repeats is understated. A probability is calibrated",
        "only as well as the calibration plot of the run shows.",
    ]
    return "\n".join(lines) + "\n"


def _listed(params: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}={value!r}`" for name, value in sorted(params.items())) or "its defaults"


def _input_row(each: Input, importance: Mapping[str, float]) -> str:
    if each.allowed:
        span = ", ".join(each.allowed)
    elif each.minimum is None and each.maximum is None:
        span = "any"
    else:
        low = "" if each.minimum is None else f"{each.minimum:g}"
        high = "" if each.maximum is None else f"{each.maximum:g}"
        span = f"{low} to {high}"
    default = "required" if each.default is None else str(each.default)
    return (
        f"| {each.name} | {each.dtype} | {span} | {default} | {each.source} | {importance[each.name]:.4f} |"
    )
