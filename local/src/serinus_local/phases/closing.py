"""The end: users go, servers end in order, and what was promised is counted."""

from serinus_jobs import collect
from serinus_local.accounts import account, logged_ids, replayed
from serinus_local.phases.beginning import House
from serinus_local.phases.models import Registered
from serinus_local.run import Run

_PAGE_SECONDS = 120.0


def close(run: Run, house: House, *, champion: Registered, previous: Registered) -> None:
    """End users and servers in order, then count what was promised."""
    serving = house.serving
    with run.phase("close", "Let the users go, end the servers, count"):
        aliases = serving.aliases()
        wanted = {"champion": champion.version, "previous": previous.version, "candidate": None}
        run.expect(
            "the registry names the retrained model champion and the challenger previous",
            aliases == wanted,
            ", ".join(f"{alias} {version or 'none'}" for alias, version in aliases.items()),
        )
        code = serving.close()
        outcomes = run.outcomes()
        lost = sum(each.failed for each in outcomes)
        refused = sum(400 <= each.status < 500 for each in outcomes)
        run.expect(
            "no request is lost or refused over the whole run",
            code == 0 and bool(outcomes) and lost == refused == 0,
            f"{len(outcomes)} sent, {lost} lost, {refused} refused",
        )
        collect.run(run.settings, serving.model, f"dir:{serving.log_folder}")
        ids = logged_ids(run.settings, serving.model)
        missing, strange, twice = account(outcomes, ids)
        run.expect(
            "every answer stands in the prediction log once",
            bool(ids) and missing == strange == twice == 0,
            f"{len(ids)} rows; {missing} missing, {strange} without an answer, {twice} twice",
        )
        records, differing, fault = replayed(serving.records)
        run.expect(
            "every recorded decision replays to the same verdict",
            records > 0 and differing == 0,
            f"{records} records, {differing} differ{f' ({fault})' if fault else ''}",
        )
        if run.drift_page is not None:
            drawn = run.processes.finish(run.drift_page, _PAGE_SECONDS) == 0
            pages = sorted(run.settings.reports(serving.model).glob("drift-*.html"))
            run.expect(
                "Evidently's page of the drift is written", drawn and len(pages) == 1, f"{len(pages)} pages"
            )
            run.diary.drift_page = pages[0].relative_to(run.options.work).as_posix() if pages else ""
