"""The whole loop, chapter by chapter, and what must come of it."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console

from serinus_contracts.documents import to_document
from serinus_jobs.settings import Settings
from serinus_local import report
from serinus_local.phases import platform
from serinus_local.processes import LocalError, Processes
from serinus_local.run import Options, Run
from serinus_local.timeline import Timeline

_DAYS, _LATER_DAYS = 90, 28
_CHAMPION_AGE = timedelta(days=30)
_WATCHED_ANSWERS = 2_000
_MARK = "serinus-demo"


def run(options: Options, console: Console) -> Timeline:
    """Run the demo and write the report. Raises LocalError or JobError when it cannot go on."""
    _fresh(options.work)
    with Processes(options.work / "logs") as processes:
        registry, url = platform.start_registry(options, processes)
        settings = Settings(
            data=options.work / "data",
            feature_repo=options.feature_repo.absolute(),
            tracking_uri=url,
            online_store=f"sqlite://{options.work / 'online.db'}",
            feast_registry=str(options.work / "feast.db"),
        )
        this = Run(options, processes, settings, console)
        try:
            _tell(this, registry, url)
        finally:
            timeline = this.timeline(_artefacts(this))
            _write(timeline, options.work)
    return timeline


def _tell(run: Run, registry: platform.Child, url: str) -> None:
    # Imported late: mlflow, feast and evidently take seconds, in which the registry starts.
    with run.phase("start", "Start the registry, import the jobs"):
        from serinus_jobs import ingest, materialize, pipeline
        from serinus_local.phases import closing, models, serving, watching
        from serinus_local.world import World, swap_labels

    options, settings, model = run.options, run.settings, run.options.model_dir
    today = datetime.now(UTC).date()
    world = World(options.work / "world", customers=options.customers, seed=options.seed,
                  origin=today - timedelta(days=_DAYS))  # fmt: skip

    with run.phase("data", f"Ninety days of {options.customers} customers: generate and ingest"):
        before = world.live(_DAYS)
        for table, source in (("customers", before.events), ("churn_labels", before.labels)):
            took = ingest.run(model, table, str(source), settings)
            run.decided("ingest", f"{took.written} rows of {table}", "good" if took.written else "bad",
                        f"{took.read} read, {took.quarantined} quarantined.", digest=took.digest)  # fmt: skip
    with run.phase("features", "Features: apply the repository, load the online store"):
        loaded = materialize.run(settings, until=before.end_time)
        run.decided("features", f"{loaded.keys} rows online", "good", "Point in time offline, newest online.",
                    **{each.view: each.keys for each in loaded.views})  # fmt: skip
    with run.phase("champion", "Train, judge and register the first model"):
        platform.wait_registry(registry, url, run.processes)
        known = before.end_time - _CHAMPION_AGE
        small = {"grid": {"max_depth": [2, 3, 4]}, "params": {"n_estimators": 20}}
        trained = models.train_model(run, "champion of last month", known, **small)
        judged = models.evaluate_model(run, "champion of last month", trained.run_id, known)
        first = models.register_model(run, "champion of last month", trained, judged, "the first model")
        run.expect(
            "the first model passes its gates and becomes champion", judged.passed, f"version {first.version}"
        )

    online = serving.Serving(run, url, world.traffic(before, model.name))
    with run.phase("serve", f"Serve it behind Envoy; {options.rate:g} requests a second from now on"):
        online.open(first)

    with run.phase("challenger", "Train a challenger on a month more, under load"):
        trained = models.train_model(run, "challenger", before.end_time)
        judged = models.evaluate_model(run, "challenger", trained.run_id, before.end_time)
        second = models.register_model(run, "challenger", trained, judged, "better on the newest data")
    with run.phase("promote", "Canary of the challenger"):
        track = online.roll_out(second, "the challenger", "A better model, trained on a month more of data.")
        run.expect("the better challenger is promoted", track.outcome == "promoted",
                   f"{track.outcome} after {track.end - track.start:.0f} s")  # fmt: skip
    calm_from = run.started + run.now()

    with run.phase("bad", "A seeded bad model: yes and no swapped in its training labels"):
        swapped = replace(settings, data=options.work / "data-swapped")
        swap_labels(before.labels, options.work / "world" / "swapped" / "churn_labels.parquet")
        swapped.events("customers").parent.mkdir(parents=True, exist_ok=True)
        swapped.events("customers").symlink_to(settings.events("customers"))
        ingest.run(
            model, "churn_labels", str(options.work / "world" / "swapped" / "churn_labels.parquet"), swapped
        )
        trained = models.train_model(run, "silently wrong model", before.end_time, swapped, **small)
        judged = models.evaluate_model(run, "silently wrong model", trained.run_id, before.end_time)
        reason = "the gates must be wrong, its own holdout is fine"
        refusal = models.refused_without_override(run, trained, reason)
        run.expect("the gate refuses the silently wrong model", not judged.passed and refusal is not None,
                   refusal or "it was registered")  # fmt: skip
        third = models.register_model(run, "silently wrong model", trained, judged, reason, override=True)
    with run.phase("rollback", "Canary of the bad model, forced through by a recorded override"):
        track = online.roll_out(third, "the silently wrong model",
                                "It answers 200, fast, and the wrong way round. Its gates failed, so it is expected "
                                "to predict as the stable model does.")  # fmt: skip
        seen = online.seen_by_users(track)
        run.expect("the silently wrong model is rolled back, with no HTTP error seen by a user",
                   track.outcome == "rolled back" and seen["lost"] == 0,
                   f"{track.outcome} after {track.end - track.start:.0f} s and {seen[third.revision]} of its answers; "
                   f"{seen['lost']} lost")  # fmt: skip

    with run.phase("shift", f"The world changes: {_LATER_DAYS} days later, other customers' behaviour"):
        run.wait_for_answers(_WATCHED_ANSWERS // 4, deadline=60.0)
        calm_until = run.started + run.now()
        after = world.live(_LATER_DAYS, shift=1.0)
        ingest.run(model, "customers", str(after.events), settings)
        loaded = materialize.run(settings, until=after.end_time)
        run.decided(
            "features", f"{loaded.keys} rows online", "neutral", "The newest day reaches the servers."
        )
        online.change_traffic(world.traffic(after, model.name))
        run.wait_for_answers(int(options.rate), deadline=30.0)
        shifted_from = run.started + run.now()
        run.wait_for_answers(_WATCHED_ANSWERS, deadline=120.0)
        shifted_until = run.started + run.now()

    calm = watching.Stretch("before the shift", calm_from, calm_until, before)
    shifted = watching.Stretch("after the shift", shifted_from, shifted_until, after)
    served = online.fleet.folder / f"{online.model}-{second.version}"
    with run.phase("watch", "Collect the log, join late labels, measure quality and drift"):
        collected = watching.collect_log(run, online)
        run.decided("log", f"{collected.written} predictions collected", "good" if not collected.refused else "bad",
                    f"{collected.read} read, {collected.refused} refused.")  # fmt: skip
        watching.take_labels(run, online, [calm, shifted])
        good = watching.judge_quality(run, online, calm, [served])
        worse = watching.judge_quality(run, online, shifted, [served])
        run.diary.quality = [each for each in (*good, *worse) if each.revision == second.revision]
        quiet = watching.judge_drift(run, calm, served, html=False)
        found = watching.judge_drift(run, shifted, served, html=True)
        run.diary.drift = found
        run.expect("no drift is found before the world changes", quiet.verdict == "stable", quiet.verdict)
        run.expect("drift is found after it", found.verdict == "drifted",
                   f"{found.verdict}: {', '.join(each.name for each in found.features if each.drifted)}")  # fmt: skip
        start, memory, starts = watching.decide_retraining(
            run, online.model, [found, *worse], second.revision
        )
        run.expect("50 alerts start one training run", starts == 1, f"{starts} started")

    with run.phase("retrain", "Train again on the newest data: one pipeline, under load"):
        made = pipeline.run(model, settings, approved_by=models.APPROVER, reason=start.reason,
                            ingest={"churn_labels": str(after.labels)}, until=after.end_time)  # fmt: skip
        models.note_gates(run, "retrained model", made.evaluated)
        run.expect("the retrained model passes its gates", made.registered is not None,
                   "registered" if made.registered else "refused")  # fmt: skip
        if made.registered is None:
            raise LocalError("the retrained model was refused by its gates; see the report")
        fourth = models.note_registered(
            run, "retrained model", made.trained, made.evaluated, made.registered, start.reason
        )
    with run.phase("promote-again", "Canary of the retrained model"):
        track = online.roll_out(
            fourth, "the retrained model", "Trained after the drift, on data that has seen it."
        )
        run.expect("the retrained model is promoted", track.outcome == "promoted",
                   f"{track.outcome} after {track.end - track.start:.0f} s")  # fmt: skip
        run.wait_for_answers(int(options.rate * 2), deadline=30.0)

    with run.phase("close", "Stop the load, end the servers, count"):
        aliases = online.aliases()
        wanted = {"champion": fourth.version, "previous": second.version}
        run.expect("the registry names the retrained model champion and the challenger previous",
                   wanted.items() <= aliases.items(), str(aliases))  # fmt: skip
        code = online.close()
        outcomes = run.outcomes()
        lost = sum(each.failed for each in outcomes)
        refused = sum(400 <= each.status < 500 for each in outcomes)
        run.expect("no request is lost over the whole run", code == 0 and lost == 0 and refused == 0 and bool(outcomes),
                   f"{len(outcomes)} sent, {lost} lost, {refused} refused")  # fmt: skip
        watching.collect.run(settings, online.model, f"dir:{online.log_folder}")
        ids = closing.logged_ids(settings, online.model)
        missing, strange, twice = closing.account(outcomes, ids)
        run.expect("every answer stands in the prediction log once", missing == strange == twice == 0 and bool(ids),
                   f"{len(ids)} rows; {missing} missing, {strange} without an answer, {twice} twice")  # fmt: skip
        records, differing, fault = closing.replayed(online.records)
        run.expect("every recorded decision replays to the same verdict", records > 0 and differing == 0,
                   f"{records} records, {differing} differ{f' ({fault})' if fault else ''}")  # fmt: skip
        pages = sorted(settings.reports(online.model).glob("drift-*.html"))
        run.diary.drift_page = pages[-1].relative_to(options.work).as_posix() if pages else ""


def _fresh(work: Path) -> None:
    """Empty the work folder. Raises LocalError rather than delete a folder that is not ours."""
    if work.exists() and any(work.iterdir()) and not (work / _MARK).exists():
        raise LocalError(f"{work} is not empty and no demo made it; give another folder with --work")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    (work / _MARK).write_text("made by serinus-local demo; wiped by the next one\n")


def _artefacts(run: Run) -> dict[str, str]:
    work = run.options.work
    named = {
        "this run as data": work / "timeline.json",
        "every rollout decision, sealed": work / "decisions.jsonl",
        "what each user saw": run.outcomes_file,
        "the registry": work / "mlflow.db",
        "logs of every process": work / "logs",
    }
    return {name: str(path) for name, path in named.items()}


def _write(timeline: Timeline, work: Path) -> None:
    (work / "timeline.json").write_text(json.dumps(to_document(timeline), indent=1) + "\n")
    report.write(timeline, work / "report.html")
