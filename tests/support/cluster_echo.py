"""A server on the cluster that answers with what reached it."""

from collections.abc import Mapping

from tests.support.cluster import Namespace, Object
from tests.support.cluster_pods import python_pod, running

_PROGRAM = """
import http.server, json, time
class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path == "/slow":
            time.sleep(30)
        said = json.dumps({"headers": dict(self.headers), "bytes": len(body)}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
http.server.ThreadingHTTPServer(("", 8080), Echo).serve_forever()
"""


def echo(namespace: Namespace, name: str = "echo", labels: Mapping[str, str] = {}) -> str:
    """Run the server behind a Service of port 80 and return the Service's name. `labels` are the pod's."""
    pod = python_pod(namespace.cluster, name, _PROGRAM, labels={"app": name, **labels})
    container = pod["spec"]["containers"][0]
    container["readinessProbe"] = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    service: Object = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    namespace.apply(service)
    running(namespace, pod)
    return name
