"""The world changes: shifted traffic, the log and its labels, the verdict, and a new model."""

from serinus_jobs import pipeline
from serinus_local.phases import models, watching
from serinus_local.phases.beginning import House, load_online, take_in
from serinus_local.phases.watching import Stretch
from serinus_local.processes import LocalError
from serinus_local.run import Run
from serinus_local.timeline import Measured
from serinus_local.world import Window
from serinus_operator.retraining.model import Start

_DAYS = 28
_CALM_ANSWERS = 1_000
_SHIFTED_ANSWERS = 2_000
_ANSWER_SECONDS = 120.0


def shift(run: Run, house: House, calm_from: float) -> tuple[Stretch, Stretch]:
    """Let four weeks pass in which customers behave differently. Return the traffic before and after."""
    with run.phase("shift", f"The world changes: {_DAYS} days later, charges, tickets and who leaves"):
        run.wait_for_answers(_CALM_ANSWERS, _ANSWER_SECONDS)
        calm = Stretch("before the shift", calm_from, run.clock(), house.before)
        after = house.world.live(_DAYS, shift=1.0)
        take_in(run, "customers", after.events, run.settings)
        load_online(run, after)
        house.serving.change_traffic(house.world.traffic(after, house.serving.model))
        # A second of mixed traffic belongs to neither.
        run.wait_for_answers(int(run.options.rate), _ANSWER_SECONDS)
        shifted_from = run.clock()
        run.wait_for_answers(_SHIFTED_ANSWERS, _ANSWER_SECONDS)
    return calm, Stretch("after the shift", shifted_from, run.clock(), after)


def watch(run: Run, house: House, served: models.Registered, calm: Stretch, shifted: Stretch) -> Start:
    """Join late labels, measure quality and drift, and decide whether to train again."""
    serving, artifact = house.serving, house.folder(served)
    with run.phase("watch", "Collect the log, join late labels, measure quality and drift"):
        watching.collect_log(run, serving)
        watching.take_labels(run, serving, [calm, shifted])
        for stretch in (calm, shifted):
            found_quality = watching.judge_quality(run, stretch, served.revision, artifact)
            run.diary.quality += [Measured(stretch.name, report) for report in found_quality]
        reports = [each.report for each in run.diary.quality]
        quiet = watching.judge_drift(run, calm, artifact)
        found = watching.judge_drift(run, shifted, artifact)
        run.diary.drift = found
        run.drift_page = watching.start_drift_page(run, shifted, artifact)
        run.expect("no drift is found before the world changes", quiet.verdict == "stable", quiet.verdict)
        moved = ", ".join(each.name for each in found.features if each.drifted)
        run.expect("drift is found after it", found.verdict == "drifted", f"{found.verdict}: {moved}")
        worse = [report.degraded for report in reports]
        run.expect(
            "labels that came late show worse quality after the shift, and not before",
            worse == [False, True],
            ", then ".join("degraded" if each else "as on the holdout" for each in worse),
        )
        start, starts = watching.decide_retraining(run, serving.model, [found, *reports], served.revision)
        run.expect(
            f"{watching.ALERTS} alerts start one training run", starts == 1, f"{starts} started: {start.name}"
        )
    return start


def retrain(run: Run, house: House, after: Window, start: Start) -> models.Registered:
    """Run the pipeline on what happened since the world changed, and roll its model out."""
    name = "retrained model"
    with run.phase("retrain", "Train again on what happened since: one pipeline, under load"):
        made = pipeline.run(
            run.options.model_dir,
            run.settings,
            approved_by=models.APPROVER,
            reason=start.reason,
            ingest={"churn_labels": str(after.labels)},
            since=house.before.end_time,
            until=after.end_time,
        )
        models.note_trained(run, name, made.trained)
        models.note_gates(run, name, made.evaluated)
        better = {key: value for key, value in made.evaluated.champion_metrics.items() if key == "roc_auc"}
        run.expect(
            "the retrained model passes its gates against the champion",
            made.registered is not None,
            f"ROC AUC {made.evaluated.metrics.get('roc_auc', float('nan')):.3f}, champion "
            f"{better.get('roc_auc', float('nan')):.3f} on the same rows",
        )
        if made.registered is None:
            raise LocalError("the retrained model was refused by its gates; the report says why")
        registered = models.note_registered(
            run, name, made.trained, made.evaluated, made.registered, start.reason
        )
    with run.phase("promote-again", "Canary of the retrained model"):
        story = "Trained after the drift, on data that has seen it."
        track = house.serving.roll_out(registered, name, story)
        run.expect(
            "the retrained model is promoted",
            track.outcome == "promoted",
            f"{track.outcome} after {track.end - track.start:.0f} s",
        )
        run.wait_for_answers(int(run.options.rate * 2), _ANSWER_SECONDS)
    return registered
