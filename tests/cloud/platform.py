"""Quix Cloud's API as quixstreams uses it, on 127.0.0.1, with an embedded Kafka as the broker behind it.

Paths and answers are those that quixstreams/platforms/quix (3.28) uses.
"""

import json
import threading
from base64 import b64encode
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from tests.kafka import TIMEOUT

TOKEN = "sdk-0123456789abcdef"
WORKSPACE, GROUP = "acme-logins-dev", "user-login-pipeline"
USER, NARROW, PASSWORD = "acme-logins", "acme-narrow", "s3cret-of-the-workspace"
MINUTE = 60_000  # milliseconds
_POLICIES = {"delete": "Delete", "compact": "Compact", "delete,compact": "DeleteAndCompact"}


def security(user: str, password: str = PASSWORD) -> dict[str, str]:
    """The client settings of one of the broker's users, except the certificate to trust."""
    return {
        "security.protocol": "sasl_ssl",
        "sasl.mechanism": "SCRAM-SHA-256",
        "sasl.username": user,
        "sasl.password": password,
    }


class Place(NamedTuple):
    """The broker's address, and the certificate, in PEM, that its clients trust."""

    address: str
    certificate: str


class Platform:
    """One workspace of Quix Cloud, until the `with` block is left.

    Args:
        broker: its address, and the certificate that its clients trust.
        username: the workspace's user on the broker.
        password: that user's.
        admin: a client without restrictions, to create and describe topics.
    """

    def __init__(self, broker: Place, username: str, password: str, admin: AdminClient) -> None:
        self.unready = 0
        self.away = False
        self._librdkafka = {
            "bootstrap.servers": broker.address,
            **security(username, password),
            "ssl.ca.cert": b64encode(broker.certificate.encode()).decode(),
        }
        self._admin = admin
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        """The value for `Quix__Portal__Api`."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def environment(self, **changed: str) -> dict[str, str]:
        """The variables that Quix Cloud sets in a deployment and that quixstreams needs."""
        return {
            "Quix__Sdk__Token": TOKEN,
            "Quix__Portal__Api": self.url,
            "Quix__Workspace__Id": WORKSPACE,
            "Quix__Deployment__Id": "5f0c",
            "Quix__Deployment__State__Enabled": "false",
            **changed,
        }

    def create_topic(self, name: str, partitions: int = 1, retention: int = -1, **config: str) -> str:
        """Create a topic, as a sync of quix.yaml does, and return its id, which is its name on the broker.

        Retention is in minutes; without one, records of any age are kept.
        """
        topic = f"{WORKSPACE}-{name}"
        settings = {"retention.ms": f"{retention * MINUTE if retention > 0 else retention}", **config}
        answers = self._admin.create_topics([NewTopic(topic, partitions, 1, config=settings)])
        answers[topic].result(TIMEOUT)
        return topic

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """The status and the JSON for one request."""
        workspace = {
            "workspaceId": WORKSPACE,
            "name": "dev",
            "brokerSettings": {"brokerType": "SharedKafka", "syncTopics": False},
        }
        match method, path.strip("/").split("/"):
            case "GET", ["workspaces"]:
                return 200, [workspace]
            case "GET", ["workspaces", id_] if id_ == WORKSPACE:
                return 200, workspace
            case "GET", ["workspaces", id_, "broker", "librdkafka"] if id_ == WORKSPACE:
                return 200, self._librdkafka
            case "GET", ["auth", "token", "details"]:
                return 200, {"type": "sdk", "workspaceId": WORKSPACE}
            case "GET", [id_, "topics"] if id_ == WORKSPACE:
                return 200, [self._topic(topic) for topic in self._topics()]
            case "GET", [id_, "topics", name] if id_ == WORKSPACE:
                found = {name, f"{WORKSPACE}-{name}"} & self._topics()
                return (200, self._topic(found.pop())) if found else (404, {"message": f"no topic '{name}'"})
            case "POST", [id_, "topics"] if id_ == WORKSPACE:
                return self._create(body)
        return 404, {"message": f"nothing at {path}"}

    def _create(self, body: Any) -> tuple[int, Any]:
        asked = body["configuration"]
        if asked["partitions"] is not None and asked["partitions"] < 1:
            return 400, {"message": f"{asked['partitions']} partitions"}
        if asked["replicationFactor"] is not None and asked["replicationFactor"] < 1:
            return 400, {"message": f"replication factor {asked['replicationFactor']}"}
        topic = self.create_topic(body["name"], asked["partitions"] or 1, asked["retentionInMinutes"] or 10_080)
        self.unready = 1
        return 200, self._topic(topic)

    def _topics(self) -> set[str]:
        return {name for name in self._admin.list_topics(timeout=TIMEOUT).topics if name.startswith(WORKSPACE)}

    def _topic(self, name: str) -> dict[str, Any]:
        partitions = self._admin.list_topics(name, timeout=TIMEOUT).topics[name].partitions
        (answer,) = self._admin.describe_configs([ConfigResource(ResourceType.TOPIC, name)]).values()
        config = {entry.name: entry.value for entry in answer.result(TIMEOUT).values()}
        kept = int(config["retention.ms"])
        status = "Creating" if self.unready else "Ready"
        self.unready = max(0, self.unready - 1)
        return {
            "id": name,
            "name": name.removeprefix(f"{WORKSPACE}-"),
            "status": status,
            "lastError": None,
            "configuration": {
                "partitions": len(partitions),
                "replicationFactor": 1,
                "retentionInMinutes": kept // MINUTE if kept > 0 else kept,
                "retentionInBytes": int(config["retention.bytes"]),
                "cleanupPolicy": _POLICIES[config["cleanup.policy"]],
            },
        }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        platform = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._reply(lambda: platform.answer("GET", self.path, None))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self._reply(lambda: platform.answer("POST", self.path, body))

            def _reply(self, answer: Callable[[], tuple[int, Any]]) -> None:
                if platform.away:
                    status, content = 503, {"message": "Try again later"}
                elif self.headers["Authorization"] != f"Bearer {TOKEN}":
                    status, content = 401, {"message": "The token is not valid any more"}
                else:
                    status, content = answer()
                encoded = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(encoded)))
                self.end_headers()
                self.wfile.write(encoded)

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        return Handler
