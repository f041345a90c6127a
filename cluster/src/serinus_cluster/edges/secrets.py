"""Values in Secrets of the cluster."""

import base64

from serinus_cluster.edges.kubectl import Kubectl
from serinus_cluster.edges.shell import CommandFailed
from serinus_cluster.steps import SecretKey


def secret(kubectl: Kubectl, where: SecretKey) -> str:
    """Return a value in a Secret.

    Raises:
        CommandFailed: there is no such Secret, or it has no such key.
    """
    key = where.key.replace(".", r"\.")
    words = ("--namespace", where.namespace, "--output", f"jsonpath={{.data.{key}}}")
    held = kubectl.run("get", "secret", where.name, *words)
    if not held:
        raise CommandFailed(f"Secret {where.namespace}/{where.name} has no key {where.key}")
    return base64.b64decode(held).decode()
