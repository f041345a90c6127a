"""containerd's hosts file: where the node finds images that are named after the local registry. Pure."""

LOCAL = "localhost:5001"
PATH = f"/etc/containerd/certs.d/{LOCAL}/hosts.toml"
PORT = 5000


def text(registry: str) -> str:
    """Return the file that sends the node to the registry's container, where localhost would be itself."""
    return f'[host."http://{registry}:{PORT}"]\n  capabilities = ["pull", "resolve"]\n'
