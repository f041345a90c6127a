"""The report: one self-contained HTML page of a run. Draws what the timeline holds, decides nothing."""

import math
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from serinus_contracts.drift_report import DriftReport
from serinus_local.charts import Plot, Row, clock, rows
from serinus_local.timeline import RolloutTrack, Timeline, Version

# Evidence is drawn between these, as e-values.
_EVIDENCE_FLOOR, _EVIDENCE_CEILING = 1e-6, 1e6
# Metrics that are drawn, with the title of their plot, and half a page's width for each.
_SHOWN = {"roc_auc": "ROC AUC", "accuracy": "accuracy", "f1": "F1", "brier": "Brier score (less is better)"}
_HALF = 470
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SIGNALS = ("errors", "slow", "invalid", "predictions")


def write(timeline: Timeline, path: Path) -> None:
    """Render the page to `path`."""
    path.write_text(render(timeline), encoding="utf-8")


def render(timeline: Timeline) -> str:
    """Return the page's HTML."""
    template = files("serinus_local").joinpath("report.html.j2").read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    colours = revision_colours(timeline)
    sent = sum(sum(second.sent.values()) for second in timeline.traffic)
    lost = sum(second.lost for second in timeline.traffic)
    return environment.from_string(template).render(
        run=timeline,
        clock=clock,
        names={version.revision: version.name for version in timeline.versions},
        colours=colours,
        answered=sent,
        lost=lost,
        plots={name: Markup(svg) for name, svg in _whole_run(timeline, colours).items()},  # noqa: S704 - our own SVG
        rollouts=[(track, Markup(_evidence(track))) for track in timeline.rollouts],  # noqa: S704 - as above
        drift=Markup(_drift(timeline.drift)) if timeline.drift else "",  # noqa: S704 - as above
        quality=Markup(_quality(timeline, colours)) if timeline.quality else "",  # noqa: S704 - as above
        metrics=[(name, Markup(svg)) for name, svg in _metrics(timeline.versions, colours)],  # noqa: S704 - as above
        wall=Markup(_wall(timeline)),  # noqa: S704 - as above
    )


def revision_colours(timeline: Timeline) -> dict[str, str]:
    """Return the CSS class of each revision, in order of registration."""
    return {version.revision: f"r{i % 6}" for i, version in enumerate(timeline.versions)}


def _whole_run(timeline: Timeline, colours: dict[str, str]) -> dict[str, str]:
    x = (0.0, timeline.seconds)
    traffic = timeline.traffic
    most = max((sum(second.sent.values()) for second in traffic), default=1.0)

    weight = _framed(timeline, "Share of traffic sent to the canary", x, (0.0, 100.0), 190, "% to the canary")
    for i, phase in enumerate(timeline.phases, start=1):
        weight.caption((phase.start + phase.end) / 2, str(i), phase.title)
    for row, track in enumerate(timeline.rollouts):
        points = [(tick.t, float(tick.weight)) for tick in track.ticks]
        weight.step(points, colours.get(track.canary, "r0"), f"{track.name}: {track.outcome}", filled=True)
        weight.mark(track.end, "end", f"{track.name}: {track.outcome}", row=1 + row % 3)

    answered = _framed(
        timeline, "Answers a second by revision", x, (0.0, most * 1.1), 170, "answers a second"
    )
    floor = [(second.t, 0.0) for second in traffic]
    for revision, kind in colours.items():
        top = [(t, y + second.sent.get(revision, 0)) for (t, y), second in zip(floor, traffic, strict=True)]
        answered.area(floor, top, kind, revision)
        floor = top

    slowest = max((second.p99 for second in traffic), default=1.0)
    latency = _framed(
        timeline, "Latency seen by users, median and 99th percentile, each second", x,
        (0.1, max(10.0, 10.0 ** len(str(int(slowest))))), 170, "ms", log_y=True,
    )  # fmt: skip
    latency.line([(second.t, second.p99) for second in traffic], "high", "99th percentile")
    latency.line([(second.t, second.p50) for second in traffic], "middle", "median")

    worst = max((second.lost for second in traffic), default=0)
    lost = _framed(
        timeline, "Requests lost each second", x, (0.0, max(1.0, worst * 1.2)), 90, "requests lost"
    )
    lost.line([(second.t, float(second.lost)) for second in traffic], "lost", "lost connections and 5xx")
    return {"weight": weight.svg(), "answered": answered.svg(), "latency": latency.svg(), "lost": lost.svg()}


def _framed(
    timeline: Timeline, label: str, x: tuple[float, float], y: tuple[float, float], height: int, title: str,
    *, log_y: bool = False,
) -> Plot:  # fmt: skip
    plot = Plot(label, x, y, height, y_title=title, log_y=log_y)
    for i, phase in enumerate(timeline.phases):
        if i % 2:
            plot.band(phase.start, phase.end, "phase", phase.title)
    return plot


def _evidence(track: RolloutTrack) -> str:
    """Draw each signal's evidence of harm over time, with the bound at which it rolls back."""
    plot = Plot(
        f"Evidence of harm during {track.name}", (track.start, max(track.end, track.start + 1)),
        (_EVIDENCE_FLOOR, _EVIDENCE_CEILING), 230, y_title="evidence of harm (e-value)", log_y=True,
        y_format=_power,
    )  # fmt: skip
    previous = None
    for tick in track.ticks:
        if tick.weight != previous:
            plot.mark(tick.t, "weight", f"{tick.weight} %")
            previous = tick.weight
    for signal in _SIGNALS:
        points = [
            (tick.t, min(_EVIDENCE_CEILING, max(_EVIDENCE_FLOOR, math.exp(min(60.0, tick.evidence[signal])))))
            for tick in track.ticks
            if signal in tick.evidence
        ]
        plot.line(points, f"s-{signal}", signal)
    bounds = next((tick.bounds for tick in reversed(track.ticks) if tick.bounds), {})
    if bounds:
        least = min(bounds.values())
        names = " and ".join(sorted(name for name, bound in bounds.items() if bound == least))
        plot.bound(math.exp(least), "harm", f"roll back: {math.exp(least):.0f} ({names})")
    return plot.svg()


def _drift(report: DriftReport) -> str:
    tested = [*report.features, *([report.prediction] if report.prediction else [])]
    found = sorted(tested, key=lambda each: -each.effect / each.threshold)
    widest = max([1.5, *(each.effect / each.threshold for each in found)])
    return rows(
        "Drift of each feature as a multiple of the smallest effect that matters",
        [
            Row(
                each.name,
                each.effect / each.threshold,
                "drifted" if each.drifted else "steady",
                bound=1.0,
                note=f"q = {each.q_value:.1g}",
            )
            for each in found
        ],
        (0.0, widest * 1.05),
        bars=True,
    )


def _quality(timeline: Timeline, colours: dict[str, str]) -> str:
    found = [
        Row(
            f"{name} {measured.stretch}",
            measured.report.metrics[name][0],
            colours.get(measured.report.revision, "r0"),
            low=measured.report.metrics[name][1],
            high=measured.report.metrics[name][2],
            bound=measured.report.holdout.get(name),
            note="degraded"
            if name in measured.report.degraded_metrics
            else f"{measured.report.labelled} labels",
        )
        for name in _SHOWN
        for measured in timeline.quality
        if name in measured.report.metrics
    ]
    return rows("Quality from labels that came late, with 95 % intervals", found, (0.0, 1.0))


def _metrics(versions: tuple[Version, ...], colours: dict[str, str]) -> list[tuple[str, str]]:
    """Draw each metric of all versions, lower-is-better ones named so."""
    drawn = []
    for name, title in _SHOWN.items():
        found = [
            Row(f"{v.version}: {v.name}", v.metrics[name], colours[v.revision], note=f"{v.metrics[name]:.3f}")
            for v in versions
            if name in v.metrics
        ]
        if found:
            drawn.append((title, rows(f"{title} of each version", found, (0.0, 1.0), width=_HALF)))
    return drawn


def _wall(timeline: Timeline) -> str:
    longest = max((phase.end - phase.start for phase in timeline.phases), default=1.0)
    found = [
        Row(f"{i}  {phase.title}", phase.end - phase.start, "time", note=f"{phase.end - phase.start:.1f} s")
        for i, phase in enumerate(timeline.phases, start=1)
    ]
    return rows("Wall time of each phase, in seconds", found, (0.0, longest * 1.05), bars=True, left=430)


def _power(value: float) -> str:
    """Return an e-value as an axis shows it."""
    return (
        f"{value:g}" if 0.1 < value < 1000 else "10" + str(round(math.log10(value))).translate(_SUPERSCRIPT)
    )
