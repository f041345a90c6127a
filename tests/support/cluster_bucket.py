"""An S3 server that a story runs: its certificate is of an authority that nobody else trusts."""

import json

from tests.support.cluster import Namespace, Object
from tests.support.cluster_authority import Authority
from tests.support.cluster_pods import IDLE, RESTRICTED, finished, gone, python_pod, running

PORT = 7070
BUCKET = "models"
LOGIN = {"AWS_ACCESS_KEY_ID": "stories", "AWS_SECRET_ACCESS_KEY": "only-for-stories"}
# The server's certificate, and the authority as ca.crt.
CERTIFICATE = "s3-tls"
KEY = "s3-key"
# The server keeps files of its own in folders that begin with a dot.
LIST = """
import json, pathlib
root = pathlib.Path("/data/buckets")
found = (each for each in root.glob("[!.]*/[!.]*/**/*") if each.is_file())
print(json.dumps(sorted(str(each.relative_to(root)) for each in found)))
"""


class Bucket:
    """The server, its bucket `models`, and a pod that sees what lies in it as files."""

    def __init__(self, namespace: Namespace, image: str) -> None:
        self.namespace = namespace
        self.endpoint = f"https://s3.{namespace.name}.svc:{PORT}"
        self._image = image

    def start(self) -> None:
        """Make the certificate, the key's Secret and the volume, and start the server."""
        Authority(self.namespace).certificate(CERTIFICATE, f"s3.{self.namespace.name}.svc")
        for each in (self._claim(), self._key(), self._service()):
            self.namespace.apply(each)
        folders = "import os; os.makedirs('/data/buckets/models'); os.makedirs('/data/attributes')"
        cluster = self.namespace.cluster
        finished(self.namespace, python_pod(cluster, "s3-folders", folders, claim="s3"))
        running(self.namespace, python_pod(cluster, "s3-files", IDLE, claim="s3"))
        self.serve()

    def serve(self) -> None:
        """Start the server's pod, or start it anew."""
        gone(self.namespace, "s3")
        running(self.namespace, self._pod())

    def files(self) -> list[str]:
        """Return the path of each object, its bucket first."""
        return list(json.loads(self._python(LIST)))

    def empty(self) -> None:
        """Lose every object of the bucket."""
        self._python("import shutil; shutil.rmtree('/data/buckets/models/mlflow')")

    def values(self) -> Object:
        """Return artifacts.s3 of charts/mlflow for this server."""
        return {
            "bucket": BUCKET,
            "endpoint": self.endpoint,
            "existingSecret": KEY,
            "ca": {"existingSecret": CERTIFICATE},
            "peers": [{"podSelector": {"matchLabels": {"app": "s3"}}}],
        }

    def _python(self, program: str) -> str:
        ran = self.namespace.execute("s3-files", "python", "-c", program)
        assert ran.code == 0, ran.output
        return ran.output

    def _claim(self) -> Object:
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "256Mi"}}}
        return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "s3"}, "spec": spec}

    def _key(self) -> Object:
        return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": KEY}, "stringData": LOGIN}

    def _service(self) -> Object:
        spec = {"selector": {"app": "s3"}, "ports": [{"port": PORT}]}
        return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s3"}, "spec": spec}

    def _pod(self) -> Object:
        # Attributes of objects in files of their own: not every file system takes them beside a file.
        server = ["--port", f":{PORT}", "--cert", "/tls/tls.crt", "--key", "/tls/tls.key", "posix"]
        root = {
            "ROOT_ACCESS_KEY": LOGIN["AWS_ACCESS_KEY_ID"],
            "ROOT_SECRET_KEY": LOGIN["AWS_SECRET_ACCESS_KEY"],
        }
        container = {
            "name": "s3",
            "image": self._image,
            "args": [*server, "--sidecar", "/data/attributes", "/data/buckets"],
            "env": [{"name": name, "value": value} for name, value in root.items()],
            "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}},
            "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
            "securityContext": RESTRICTED,
            "volumeMounts": [
                {"name": "data", "mountPath": "/data"},
                {"name": "tls", "mountPath": "/tls", "readOnly": True},
            ],
        }
        spec = {
            "containers": [container],
            "securityContext": {"fsGroup": 65532},
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "volumes": [
                {"name": "data", "persistentVolumeClaim": {"claimName": "s3"}},
                {"name": "tls", "secret": {"secretName": CERTIFICATE}},
            ],
        }
        meta = {"name": "s3", "labels": {"app": "s3"}}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
