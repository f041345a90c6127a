"""One artifact and its settings, wired by hand into something that answers."""

from dataclasses import dataclass
from urllib.parse import quote

import msgspec

from serinus_contracts.artifact import REFERENCE_FILE, ModelContract
from serinus_contracts.errors import ContractError
from serinus_contracts.reference import Reference
from serinus_server import pages
from serinus_server.artifacts import load_contract
from serinus_server.asgi import Application
from serinus_server.deferred import Asgi, deferred
from serinus_server.doors import OnlineStore, PredictionSink
from serinus_server.instances import Instances
from serinus_server.log import make_sink
from serinus_server.log_lines import line_encoder
from serinus_server.metrics import Exposition, ModelMetrics
from serinus_server.model import Model
from serinus_server.online import make_store
from serinus_server.predicting import Predicting, Verb
from serinus_server.prediction_log import PredictionLog
from serinus_server.protocols.native import Predict, PredictBatch
from serinus_server.protocols.v1 import V1
from serinus_server.protocols.v2 import V2
from serinus_server.runtime import Graph
from serinus_server.settings import Settings, SettingsError


@dataclass(frozen=True)
class Loaded:
    """What can be made off the event loop: the checked contract, its graph, the newest accuracy."""

    contract: ModelContract
    graph: Graph
    accuracy: float | None


@dataclass(frozen=True)
class Served:
    """What has to be closed at the end."""

    model: Model
    log: PredictionLog
    store: OnlineStore | None


def load(settings: Settings) -> Loaded:
    """Read and check the artifact, load the graph. Raises ArtifactError or ContractError."""
    contract = load_contract(settings.model_dir)
    accuracy = None
    if REFERENCE_FILE in contract.files:
        reference = msgspec.json.decode((settings.model_dir / REFERENCE_FILE).read_bytes(), type=Reference)
        accuracy = reference.metrics.get("accuracy")
    return Loaded(contract, Graph(settings.model_dir, contract), accuracy)


def make_doors(settings: Settings, contract: ModelContract) -> tuple[OnlineStore | None, PredictionSink]:
    """Return the online store, where the model has one, and the prediction log's sink.

    Raises ContractError for a plan that cannot be served, SettingsError naming the variable of a store or
    sink that cannot be used.
    """
    store = None
    if settings.online_store and contract.plan and contract.plan.views:
        try:
            store = make_store(settings.online_store, contract.plan, settings.feature_budget_ms / 1000)
        except ContractError:
            raise  # the artifact's fault
        except ValueError as error:
            raise SettingsError(f"SERINUS_ONLINE_STORE: {error}") from None
    # One setting for all servers of a namespace, and a log for each model, under the name by which its
    # project reads it: the InferenceService may be called otherwise.
    name = quote(contract.model, safe="")
    try:
        return store, make_sink(settings.log_sink.replace("{model}", name))
    except ValueError as error:
        raise SettingsError(f"SERINUS_LOG_SINK: {error}") from None


def wire(
    settings: Settings,
    loaded: Loaded,
    application: Application,
    store: OnlineStore | None,
    sink: PredictionSink,
) -> Served:
    """Put the model behind the application. Call inside the event loop, then start the log."""
    contract = loaded.contract
    name = settings.model_name or contract.model
    version = settings.model_version or contract.revision
    log = PredictionLog(sink, settings.log_buffer, encode=line_encoder(contract))
    metrics = ModelMetrics(contract, name, version, loaded.accuracy)
    metrics.logged = lambda: log.logged
    metrics.dropped = lambda: log.dropped
    metrics.trimmed = lambda: log.trimmed
    exposition = Exposition()
    exposition.add(metrics)
    model = Model(
        contract,
        name,
        version,
        run=loaded.graph.run,
        instances=Instances(contract, store, refuse_unknown=settings.unknown_entity == "refuse"),
        metrics=metrics,
        offer=log.offer,
    )
    about = pages.pages(model, exposition, lambda: application.draining)

    def documents() -> Asgi:
        from serinus_server import app  # takes longer than all other imports together

        return app.create(model, about, settings.max_rows)

    application.serve(
        routes(model, settings.max_rows),
        pages.by_path(about, name, version),
        deferred(documents),
        Predicting(metrics, contract.revision),
    )
    return Served(model, log, store)


def routes(model: Model, max_rows: int) -> dict[str, Verb]:
    """Return the hot paths of a model by path."""
    v2 = V2(model, max_rows)
    return {
        f"/v1/models/{model.name}:predict": V1(model, max_rows),
        f"/v2/models/{model.name}/infer": v2,
        f"/v2/models/{model.name}/versions/{model.version}/infer": v2,
        "/predict": Predict(model),
        "/predict/batch": PredictBatch(model, max_rows),
    }
