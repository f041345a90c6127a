"""Two canaries: one that is better, and one that is silently wrong."""

from dataclasses import replace
from pathlib import Path

from serinus_jobs.settings import Settings
from serinus_local.phases import models
from serinus_local.phases.beginning import SMALL, House, take_in
from serinus_local.run import Run
from serinus_local.world import swap_labels


def better(run: Run, house: House) -> models.Registered:
    """Train a challenger on a month more of data and let it win the traffic."""
    name, until = "challenger", house.before.end_time
    with run.phase("challenger", "Train a challenger on a month more, under load"):
        trained = models.train_model(run, name, until)
        judged = models.evaluate_model(run, name, trained.run_id, until)
        registered = models.register_model(run, name, trained, judged, "Better on the newest data.")
    with run.phase("promote", "Canary of the challenger"):
        story = "A better model, trained on a month more of data."
        track = house.serving.roll_out(registered, name, story)
        run.expect(
            "the better challenger is promoted",
            track.outcome == "promoted",
            f"{track.outcome} after {track.end - track.start:.0f} s",
        )
    return registered


def wrong(run: Run, house: House) -> None:
    """Train a model on swapped labels, let the gate refuse it, force it through, and see it rolled back."""
    name, until = "silently wrong model", house.before.end_time
    with run.phase("wrong", "A seeded bad model: yes and no swapped in its training labels"):
        trained = models.train_model(run, name, until, _swapped(run, house), **SMALL)
        judged = models.evaluate_model(run, name, trained.run_id, until)
        reason = "The gates must be wrong: on its own holdout the model is fine."
        refusal = models.refused_without_override(run, trained, reason)
        run.expect(
            "the gate refuses the silently wrong model",
            not judged.passed and refusal is not None,
            f"{sum(not each.passed for each in judged.gates)} of {len(judged.gates)} gates failed",
        )
        registered = models.register_model(run, name, trained, judged, reason, override=True)
    with run.phase("rollback", "Canary of the bad model, forced through by a recorded override"):
        story = (
            "It answers 200, fast, and the wrong way round. Its evaluation failed, so it is not believed: "
            "it is expected to predict as the stable model does."
        )
        track = house.serving.roll_out(registered, name, story)
        seen = house.serving.seen_by_users(track)
        answered = house.serving.answers_of(registered.revision)
        run.expect(
            "the silently wrong model is rolled back, with no HTTP error seen by a user",
            track.outcome == "rolled back" and seen["lost"] == 0 and answered > 0,
            f"{track.outcome} after {track.end - track.start:.0f} s; users got {answered} of its answers and "
            f"{seen['lost']} errors",
        )


def _swapped(run: Run, house: House) -> Settings:
    """Return settings under which the label table has yes and no exchanged, and all else is the same."""
    settings = replace(run.settings, data=run.options.work / "data-swapped")
    source = run.options.work / "world" / "swapped" / "churn_labels.parquet"
    swap_labels(house.before.labels, source)
    features: Path = settings.events("customers")
    features.parent.mkdir(parents=True)
    features.symlink_to(run.settings.events("customers"))
    take_in(run, "churn_labels", source, settings)
    return settings
