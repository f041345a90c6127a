"""Which act belongs to which action of the plan."""

from typing import Protocol

from serinus_cluster.acts.first_model import Trained
from serinus_cluster.acts.machine import Docker, Images, Push, Registry, Tools
from serinus_cluster.acts.model import Request
from serinus_cluster.acts.node import Cluster, Wiring
from serinus_cluster.acts.own_images import OwnImages
from serinus_cluster.acts.platform import ChartRelease, Definitions, Manifests, Nothing, StandInRelease
from serinus_cluster.acts.stores import Feature, Metrics
from serinus_cluster.place import Place
from serinus_cluster.steps import (
    Action,
    ApplyDefinitions,
    ApplyManifests,
    AskMetrics,
    AskModel,
    Await,
    BuildImages,
    BuildOwnImages,
    CreateCluster,
    FindDocker,
    FindTools,
    InstallChart,
    Outcome,
    PushImages,
    ReadFeature,
    StandIn,
    StartRegistry,
    TrainModel,
    WireRegistry,
)


class Act(Protocol):
    """What a step does: look first, then put right."""

    def missing(self) -> str | None:
        """Say what is missing; None where all is in place."""

    def apply(self, seconds: float) -> Outcome:
        """Put it right within the deadline and say in a few words what was done."""


def act(action: Action, place: Place) -> Act:
    """Return the act for an action."""
    match action:
        case FindDocker():
            return Docker(action, place)
        case FindTools():
            return Tools(action, place)
        case BuildImages():
            return Images(action, place)
        case StartRegistry():
            return Registry(action, place)
        case PushImages():
            return Push(action, place)
        case CreateCluster():
            return Cluster(action, place)
        case WireRegistry():
            return Wiring(action, place)
        case BuildOwnImages():
            return OwnImages(action, place)
        case TrainModel():
            return Trained(action, place)
        case ApplyManifests():
            return Manifests(action, place)
        case ApplyDefinitions():
            return Definitions(action, place)
        case InstallChart(source=StandIn() as source):
            return StandInRelease(action, source, place)
        case InstallChart():
            return ChartRelease(action, place)
        case Await():
            return Nothing()
        case AskModel():
            return Request(action, place)
        case ReadFeature():
            return Feature(action, place)
        case AskMetrics():
            return Metrics(action, place)
