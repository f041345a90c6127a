"""PostgreSQL and Redis as somebody else runs them: with TLS alone, of an authority nobody else trusts."""

from urllib.parse import quote

from tests.support.cluster import Namespace, Object
from tests.support.cluster_authority import Authority
from tests.support.cluster_pods import RESTRICTED, gone, running

PASSWORD = "p@ss:w%rd/7 #x"  # what an address must quote
POSTGRESQL, REDIS = "docker.io/library/postgres:15-bookworm", "docker.io/library/redis:7.0.15-bookworm"
OWN, STRANGER = "own-ca", "strange-ca"
TRUSTED = "serinus-ca"
MOUNTED = "/etc/serinus/ca/ca.crt"
_START = """
set -eu
export PATH="$PATH:/usr/lib/postgresql/15/bin" PGHOST=/data PGUSER=postgres
printf '%s' "$PASSWORD" > /data/password
initdb --pgdata=/data/files --username=postgres --pwfile=/data/password --encoding=UTF8 > /dev/null
printf 'local all postgres trust\\nhostssl all all all scram-sha-256\\n' > /data/hba
set -- -c unix_socket_directories=/data -c hba_file=/data/hba
pg_ctl start --pgdata=/data/files --wait --silent --options="$* -c listen_addresses="
for owner in mlflow:mlflow mlflow:mlflow_auth feast:feast; do
    psql --quiet --set=role="${owner%:*}" --set=database="${owner#*:}" <<'SQL'
\\getenv password PASSWORD
select format('create role %I login', :'role') where to_regrole(:'role') is null \\gexec
alter role :role password :'password';
create database :database owner :role;
SQL
done
pg_ctl stop --pgdata=/data/files --mode=fast --wait --silent
exec postgres -D /data/files "$@" -c listen_addresses=* \\
    -c ssl=on -c ssl_cert_file=/tls/tls.crt -c ssl_key_file=/tls/tls.key
"""


class Secured:
    """The servers `db` (also by the name `alias`, in no certificate) and `store`, and their Secrets."""

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace

    def start(self) -> None:
        """Make the certificates and Secrets, and start both servers."""
        names = {name: f"{name}.{self.namespace.name}.svc" for name in ("db", "store")}
        for authority in (OWN, STRANGER):
            issuer = Authority(self.namespace, authority)
            for name, host in names.items():
                issuer.certificate(f"{name}-{authority}", host)
        self.trust(OWN)
        for service, component, port in (("db", "db", 5432), ("alias", "db", 5432), ("store", "store", 6379)):
            spec = {"selector": {"story": component}, "ports": [{"port": port}]}
            self._apply("Service", service, spec=spec)
        for name, held in self._secrets().items():
            self._apply("Secret", name, stringData=held)
        running(self.namespace, self._pod("db", POSTGRESQL, ["sh", "-c", _START], 5432))
        self.store(OWN)

    def store(self, authority: str) -> None:
        """Start Redis, or start it anew and empty, with a certificate of `authority`."""
        command = ["redis-server", "--port", "0", "--tls-port", "6379", "--tls-cert-file", "/tls/tls.crt"]
        command += ["--tls-key-file", "/tls/tls.key", "--tls-ca-cert-file", "/tls/ca.crt"]
        command += ["--tls-auth-clients", "no", "--user", "default", "off"]
        for user, rules in (
            ("writer", "~* &* +@all -@admin -@dangerous +info"),
            ("reader", "~* -@all +@read +@connection"),
            ("logger", "~predictions.* -@all +@connection +xadd +xtrim"),
        ):
            command += ["--user", user, "on", f">{PASSWORD}", *rules.split()]
        gone(self.namespace, "store")
        running(self.namespace, self._pod("store", REDIS, command, 6379, authority))

    def trust(self, authority: str) -> None:
        """Have Jobs and servers of this namespace trust this authority alone."""
        held = self.namespace.get("v1", "ConfigMap", TRUSTED)
        found = Authority(self.namespace, authority).certificate(
            f"db-{authority}", f"db.{self.namespace.name}.svc"
        )
        if held is None or held["data"] != {"ca.crt": found["ca.crt"]}:
            self._apply("ConfigMap", TRUSTED, data={"ca.crt": found["ca.crt"]})

    def values(self, ssl_mode: str) -> Object:
        """Return what of charts/platform a release needs to use them."""
        external = {
            "host": f"db.{self.namespace.name}.svc",
            "sslMode": ssl_mode,
            "ca": {"existingSecret": OWN},
        }
        postgresql = {"enabled": False, "existingSecret": "databases", "external": external}
        own = {"modelSecrets": {"create": False}}
        return {
            "parts": {"feast": True},
            "mlflow": {"auth": {"existingSecret": "users"}, "postgresql": postgresql, **own},
            "feast": {
                "redis": {"enabled": False},
                "data": {"create": False},
                "apply": {"resources": {"requests": {"cpu": "10m", "memory": "128Mi"}}},
                **own,
            },
        }

    def _secrets(self) -> dict[str, dict[str, str]]:
        place, word = self.namespace.name, quote(PASSWORD, safe="")
        feast = f"postgresql+psycopg://feast:{word}@db.{place}.svc:5432/feast"
        redis = f"{word}@store.{place}.svc:6379/0?ssl_ca_certs={MOUNTED}"
        users = {f"{user}-password": f"{user}{PASSWORD}{user}" for user in ("admin", "writer", "reader")}
        registry = {
            f"serinus-registry-{user}": {
                "MLFLOW_TRACKING_URI": f"http://secured-mlflow.{place}.svc:5000",
                "MLFLOW_TRACKING_USERNAME": user,
                "MLFLOW_TRACKING_PASSWORD": users[f"{user}-password"],
            }
            for user in ("writer", "reader")
        }
        log = f"{redis}&stream=predictions.{{model}}"
        return registry | {
            "users": users | {"flask-secret-key": "of stories"},
            "databases": {"mlflow-password": PASSWORD, "feast-password": PASSWORD},
            "serinus-feast-registry": {
                "SERINUS_FEAST_REGISTRY": f"{feast}?sslmode=verify-full&sslrootcert={MOUNTED}"
            },
            "serinus-online-store": {"SERINUS_ONLINE_STORE": f"rediss://writer:{redis}"},
            "serinus-online-store-reader": {"SERINUS_ONLINE_STORE": f"rediss://reader:{redis}"},
            "serinus-prediction-log": {"SERINUS_LOG_SINK": f"rediss://logger:{log}"},
            "serinus-prediction-log-reader": {"SERINUS_LOG_SOURCE": f"rediss://writer:{log}"},
        }

    def _apply(self, kind: str, name: str, **more: object) -> None:
        self.namespace.apply({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **more})

    def _pod(self, name: str, image: str, command: list[str], port: int, authority: str = OWN) -> Object:
        # PostgreSQL reads its key only where others cannot.
        tls = {"secretName": f"{name}-{authority}", "defaultMode": 0o440}
        container = {
            "name": "main",
            "image": image,
            "command": command,
            "env": [{"name": "PASSWORD", "value": PASSWORD}],
            "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 1},
            "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
            "securityContext": RESTRICTED | {"runAsUser": 999},
            "volumeMounts": [
                {"name": "data", "mountPath": "/data"},
                {"name": "tls", "mountPath": "/tls"},
                {"name": "tmp", "mountPath": "/tmp"},
            ],
        }
        spec = {
            "containers": [container],
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 5,
            "securityContext": {"fsGroup": 999},
            "volumes": [
                {"name": "data", "emptyDir": {}},
                {"name": "tmp", "emptyDir": {}},
                {"name": "tls", "secret": tls},
            ],
        }
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"story": name}},
            "spec": spec,
        }
