"""Serving under load: the first version, the users, and rollouts judged by the operator."""

import math
import signal
import sys
from collections import Counter
from pathlib import Path

from serinus_local.charts import clock
from serinus_local.fleet import Fleet
from serinus_local.load import USERS, Request, write_traffic
from serinus_local.phases.models import Registered
from serinus_local.processes import Child, LocalError
from serinus_local.rollout import Candidate, ControlLoop
from serinus_local.run import Run
from serinus_local.timeline import RolloutTrack, Tick
from serinus_operator.adapters.registry import Registry
from serinus_operator.rollout.expected import trusted
from serinus_operator.rollout.policy import Policy, parse_policy

POLICY_FILE = Path(__file__).parents[1] / "policy.yaml"
# An edge of the servers' histogram.
SLO_SECONDS = 0.05
_FIRST_ANSWERS = 100
_VERDICTS = {"Harm": "bad", "RollingBack": "bad", "RolledBack": "bad", "Promoted": "good"}
_QUIET = ("Holding", "Draining")


class Serving:
    """What answers users, from the first version to the end of the run."""

    def __init__(self, run: Run, registry_url: str, first_traffic: list[Request]) -> None:
        self._run = run
        self._work = run.options.work
        self.log_folder = self._work / "log"
        self.model = run.options.model_dir.name
        self.policy: Policy = parse_policy(POLICY_FILE.read_text(), POLICY_FILE.name)
        self.records = self._work / "decisions.jsonl"
        environment = {
            "MLFLOW_TRACKING_URI": registry_url,
            "SERINUS_ONLINE_STORE": run.settings.online_store,
            "SERINUS_LOG_SINK": f"dir:{self.log_folder}",
            # Weights are moved before a server is ended, so nothing has to notice.
            "SERINUS_DRAIN_SECONDS": "0.2",
            # Above the default of 20 ms, for training shares the cores with the servers here. Measured on
            # two busy ones: 47 of 34857 rows got defaults, all in three stalls, and every check still held.
            "SERINUS_FEATURE_BUDGET_MS": "100",
            "OMP_NUM_THREADS": "1",
        }
        self.fleet = Fleet(self._work / "serving", run.processes, environment, first_traffic[0], SLO_SECONDS)
        self._registry = Registry(registry_url)
        self._loop = ControlLoop(
            self.model, self.policy, self.fleet, self._registry, run.processes, self.records, run.started
        )
        self._traffic = self._work / "traffic.jsonl"
        self._load: Child | None = None
        write_traffic(self._traffic, first_traffic)

    def open(self, first: Registered) -> None:
        """Serve the first version and let the users in."""
        run = self._run
        server = self.fleet.start(self.model, first.version)
        run.decided(
            "platform",
            f"version {first.version} serves",
            "good",
            f"It answered its first prediction {server.ready_seconds:.2f} s after its process began.",
            revision=server.revision,
            gateway=self.fleet.envoy.url,
        )
        command = [sys.executable, "-m", "serinus_local.load", "--url", self.fleet.envoy.url]
        command += ["--traffic", str(self._traffic), "--rate", str(run.options.rate)]
        command += ["--outcomes", str(run.outcomes_file), "--prefix", USERS]
        self._load = run.processes.start("load", command)
        run.wait_for_answers(_FIRST_ANSWERS, deadline=30.0)

    def change_traffic(self, requests: list[Request]) -> None:
        """Let the users ask something else from now on."""
        if self._load is None:
            raise LocalError("there are no users yet")
        write_traffic(self._traffic, requests)
        self._load.process.send_signal(signal.SIGHUP)

    def roll_out(self, registered: Registered, name: str, story: str) -> RolloutTrack:
        """Let the operator roll a version out, and note each of its decisions."""
        run = self._run
        expectation = trusted(
            registered.expectation,
            stable=self.fleet.stable.revision,
            canary=registered.revision,
            passed=registered.passed,
        )
        candidate = Candidate(registered.version, registered.revision, expectation, name, story)
        told = ""

        def watch(tick: Tick) -> None:
            nonlocal told
            key = f"{tick.reason} at {tick.weight} %"
            if key == told or tick.reason in _QUIET:
                return
            told = key
            evidence = {
                f"evidence in {name}": f"{_e_value(log_e)}, harm from {_e_value(tick.bounds[name])} on"
                for name, log_e in tick.evidence.items()
            }
            run.decided("rollout", key, _VERDICTS.get(tick.reason, "neutral"), tick.message, **evidence)

        track = self._loop.roll_out(candidate, watch)
        run.diary.rollouts.append(track)
        run.fate(registered.revision, f"{track.outcome}: {track.ticks[-1].message}")
        if track.outcome == "promoted":
            run.fate(
                track.stable, f"served until {clock(track.end)}, when version {registered.version} took over"
            )
        return track

    def close(self) -> int:
        """Let the users go, then end the servers so that every log line is written. Return the load's
        exit code."""
        if self._load is None:
            raise LocalError("there are no users yet")
        code = self._run.processes.stop(self._load, grace=15.0)
        self.fleet.stop()
        self._load = None
        return code

    def aliases(self) -> dict[str, str | None]:
        """Return which version each alias names in the registry."""
        names = ("champion", "previous", "candidate")
        return {name: self._registry.alias(self.model, name) for name in names}

    def seen_by_users(self, track: RolloutTrack) -> Counter[str]:
        """Count what users saw during a rollout: answers by revision, and `lost`."""
        run, found = self._run, Counter[str]()
        for each in run.outcomes():
            if track.start <= each.at - run.started <= track.end:
                found["lost" if each.failed else each.revision] += 1
        return found

    def answers_of(self, revision: str) -> int:
        """Count the answers that users got from a revision."""
        return sum(each.revision == revision and each.status == 200 for each in self._run.outcomes())


def _e_value(log_e: float) -> str:
    return f"{math.exp(log_e):.3g}" if log_e < math.log(1e6) else f"10^{log_e / math.log(10):.0f}"
