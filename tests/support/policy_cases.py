"""What networking.k8s.io/v1 says, one case a rule: policies, what they let through, what they drop.

The world: namespace `shop` (team=red) holds web (app=web, tier=front, port http is 8080) and db (app=db, port
http is 9090); namespace `lab` (team=blue) holds client (app=client) and other (app=other). `outside` and
`office` are hosts outside the cluster.
"""

import textwrap
from dataclasses import dataclass, field

import yaml

from tests.support.pod_network import ADDRESSES

NAMESPACES = [
    {"metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name, "team": team}}}
    for name, team in (("shop", "red"), ("lab", "blue"))
]


def pod(name: str, namespace: str, labels: dict[str, str], http: int | None = None, **spec: object) -> dict:
    ports = [{"name": "http", "containerPort": http}] if http else []
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"containers": [{"name": "main", "ports": ports}], **spec},
        "status": {"phase": "Running", "podIPs": [{"ip": ADDRESSES[name]}]},
    }


PODS = [
    pod("web", "shop", {"app": "web", "tier": "front"}, http=8080),
    pod("db", "shop", {"app": "db"}, http=9090),
    pod("client", "lab", {"app": "client"}),
    pod("other", "lab", {"app": "other"}),
]


@dataclass
class Case:
    """One rule of the specification."""

    rule: str
    policies: str
    allowed: list[str] = field(default_factory=list)
    denied: list[str] = field(default_factory=list)

    def objects(self) -> list[dict]:
        """Return the policies; each has a name of its own and, if it says nothing else, namespace shop."""
        read = [one for one in yaml.safe_load_all(textwrap.dedent(self.policies)) if one is not None]
        return [
            {
                "metadata": {"namespace": one.pop("in", "shop"), "name": f"policy-{number}"},
                "spec": {"podSelector": {}} | one,
            }
            for number, one in enumerate(read)
        ]


ISOLATION = [
    Case(
        "a pod that no policy selects is open", "", ["client>web:80", "outside>db:80/udp", "web>outside:80"]
    ),
    Case(
        "an empty podSelector selects the whole namespace, and no rule means deny",
        "policyTypes: [Ingress]",
        ["web>client:80", "client>other:80", "web>outside:80"],
        ["client>web:80", "client>db:53/udp", "web>db:80", "outside>web:80", "client>web:9/sctp"],
    ),
    Case(
        "egress isolation leaves ingress alone",
        "policyTypes: [Egress]",
        ["client>web:80"],
        ["web>client:80", "web>db:80", "web>outside:80", "db>client:53/udp"],
    ),
    Case("without policyTypes a policy isolates ingress", "{}", ["web>client:80"], ["client>web:80"]),
    Case(
        "without policyTypes a policy with egress rules isolates both",
        "egress: [{ports: [{port: 85}]}]",
        ["web>client:85"],
        ["client>web:80", "web>client:80"],
    ),
    Case(
        "policyTypes [Egress] keeps ingress rules from counting",
        "{policyTypes: [Egress], ingress: []}",
        ["client>web:80"],
        ["web>client:80"],
    ),
    Case("an empty ingress rule lets everything in", "ingress: [{}]", ["client>web:80", "outside>db:9/sctp"]),
    Case(
        "an empty egress rule lets everything out",
        "{policyTypes: [Egress], egress: [{}]}",
        ["web>client:80", "web>outside:53/udp"],
    ),
    Case(
        "podSelector chooses who is isolated",
        "podSelector: {matchLabels: {app: web}}",
        ["client>db:80"],
        ["client>web:80"],
    ),
    Case(
        "policies add up",
        """
        {}
        ---
        ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}}], ports: [{port: 80}]}]
        ---
        {podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 85}]}]}
        """,
        ["client>web:80", "client>db:80", "outside>web:85"],
        ["outside>web:80", "outside>db:85", "client>db:8080"],
    ),
    Case(
        "a connection needs its source's egress and its target's ingress",
        """
        {in: lab, policyTypes: [Egress], egress: [{ports: [{port: 80}, {port: 85}]}]}
        ---
        ingress: [{ports: [{port: 85}, {port: 8080}]}]
        """,
        ["client>web:85"],
        ["client>web:80", "client>web:8080"],
    ),
    Case(
        "the node reaches its pods, a pod reaches itself through its Service",
        "policyTypes: [Ingress, Egress]",
        ["node>web:80", "node>db:53/udp", "web>10.96.0.1:80"],
        ["client>10.96.0.1:80"],
    ),
    Case(
        "through a Service the client and the pod's own port count",
        "ingress: [{from: [{podSelector: {}},"
        " {namespaceSelector: {}, podSelector: {matchLabels: {app: client}}}]}]",
        ["client>10.96.0.1:80", "db>10.96.0.1:80"],
        ["other>10.96.0.1:80"],
    ),
]

PEERS = [
    Case(
        "a podSelector alone means the policy's own namespace",
        "ingress: [{from: [{podSelector: {matchLabels: {app: db}}},"
        " {podSelector: {matchLabels: {app: client}}}]}]",
        ["db>web:80"],
        ["client>web:80"],
    ),
    Case(
        "a namespaceSelector alone means every pod in those namespaces",
        "ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}}]}]",
        ["client>web:80", "other>db:80"],
        ["db>web:80", "outside>web:80"],
    ),
    Case(
        "both selectors in one peer must hold together",
        "ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}},"
        " podSelector: {matchLabels: {app: client}}}]}]",
        ["client>web:80"],
        ["other>web:80", "db>web:80"],
    ),
    Case(
        "two peers are alternatives",
        "ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}},"
        " {podSelector: {matchLabels: {app: db}}}]}]",
        ["other>web:80", "db>web:80"],
        ["outside>web:80"],
    ),
    Case(
        "an empty namespaceSelector means every pod of the cluster, not the world",
        "ingress: [{from: [{namespaceSelector: {}}]}]",
        ["client>web:80", "db>web:80"],
        ["outside>web:80"],
    ),
    Case(
        "an empty list of peers means everyone",
        "ingress: [{from: [], ports: [{port: 80}]}]",
        ["outside>web:80"],
        ["outside>web:85"],
    ),
    Case(
        "matchExpressions: In and Exists",
        "{podSelector: {matchExpressions: [{key: app, operator: In, values: [web, cache]}]},"
        " ingress: [{from: [{podSelector: {matchExpressions: [{key: tier, operator: Exists}]}}]}]}",
        ["client>db:80"],
        ["db>web:80", "client>web:80"],
    ),
    Case(
        "matchExpressions: NotIn and DoesNotExist match where the key is absent",
        "ingress: [{from: [{podSelector: {matchExpressions: [{key: tier, operator: NotIn, values: [back]},"
        " {key: zone, operator: DoesNotExist}]}}]}]",
        ["db>web:80", "web>db:80"],
        ["client>web:80"],
    ),
    Case(
        "matchExpressions: DoesNotExist leaves out who has the key",
        "ingress: [{from: [{podSelector: {matchExpressions: [{key: tier, operator: DoesNotExist}]}}]}]",
        ["db>web:80"],
        ["web>db:80"],
    ),
    Case(
        "matchLabels and matchExpressions must hold together",
        "ingress: [{from: [{podSelector: {matchLabels: {app: db}, matchExpressions:"
        " [{key: tier, operator: Exists}]}}]}]",
        [],
        ["db>web:80"],
    ),
    Case(
        "an ipBlock lets in its addresses but the excepted ones",
        "ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.64/26, 192.0.2.77/32]}}]}]",
        ["outside>web:80"],
        ["office>web:80", "client>web:80"],
    ),
    Case(
        "an ipBlock of every address holds in its own family",
        "ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.77.0.4/32]}},"
        " {ipBlock: {cidr: '::/0'}}]}]",
        ["outside>web:80", "other>web:80"],
        ["client>web:80"],
    ),
    Case(
        "egress knows the same peers",
        "{policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: db}}}]},"
        " {to: [{namespaceSelector: {matchLabels: {team: blue}},"
        " podSelector: {matchLabels: {app: client}}}]},"
        " {to: [{ipBlock: {cidr: 192.0.2.10/32}}]}]}",
        ["web>db:80", "web>client:80", "web>outside:80"],
        ["web>other:80", "web>office:80", "db>web:80"],
    ),
]

PORTS = [
    Case(
        "a number means TCP if nothing else is said",
        "ingress: [{ports: [{port: 80}]}]",
        ["client>web:80"],
        ["client>web:85", "client>web:80/udp"],
    ),
    Case(
        "a protocol without a port means all its ports",
        "ingress: [{ports: [{protocol: UDP}]}]",
        ["client>web:53/udp", "client>web:80/udp"],
        ["client>web:80", "client>web:9/sctp"],
    ),
    Case(
        "SCTP",
        "ingress: [{ports: [{protocol: SCTP, port: 9}]}]",
        ["client>web:9/sctp"],
        ["client>web:10/sctp", "client>web:80"],
    ),
    Case(
        "a range, overlapping others",
        "ingress: [{ports: [{port: 81, endPort: 90}, {port: 85}, {port: 88, endPort: 8080}]}]",
        ["client>web:85", "client>web:8080"],
        ["client>web:80", "client>web:9090"],
    ),
    Case(
        "a name is the receiving pod's own number, for ingress",
        "ingress: [{ports: [{port: http}]}]",
        ["client>web:8080", "client>db:9090"],
        ["client>web:9090", "client>db:8080", "client>web:8080/udp"],
    ),
    Case(
        "a name is the receiving pod's own number, for egress",
        "{in: lab, policyTypes: [Egress], egress: [{ports: [{port: http}]}]}",
        ["client>web:8080", "client>db:9090"],
        ["client>web:9090", "client>other:8080"],
    ),
    Case(
        "a name counts with its own protocol alone",
        "ingress: [{ports: [{port: http, protocol: UDP}]}]",
        [],
        ["client>web:8080/udp", "client>web:8080"],
    ),
    Case(
        "a name that no pod has opens nothing",
        "ingress: [{ports: [{port: grpc}]}]",
        [],
        ["client>web:8080"],
    ),
    Case(
        "peers and ports of one rule must hold together, two rules are alternatives",
        "ingress: [{from: [{podSelector: {}}], ports: [{port: 80}, {port: http}]},"
        " {from: [{ipBlock: {cidr: 192.0.2.0/24}}], ports: [{port: 85}]}]",
        ["db>web:80", "db>web:8080", "outside>web:85"],
        ["db>web:85", "outside>web:80"],
    ),
]

CASES = [*ISOLATION, *PEERS, *PORTS]
