"""A new producer that waits for the transaction coordinator: no warning, unless that takes long."""

import asyncio
import struct
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from confluent_kafka import KafkaError

from faults.proxy import Proxies, Proxy, Streams
from faults.wire import INIT_PRODUCER, Request, correlation_of, parse_request, read_frame
from tests.brokers import STEADY
from tests.errors_page import check_row
from tests.kafka import Kafka
from tests.process import RUNNING, Pipelines
from tools.broker.cluster import Cluster

pytestmark = pytest.mark.long

WAITS = "Failed to acquire transactional PID"
TRIES = {"short": 1, "long": 21}
"""By consumer group, with which the transactional id begins: how often the coordinator is not ready."""
SITUATIONS = {
    "short": "the coordinator of transactions is not ready yet, as after the first `docker compose up`",
    "long": "the coordinator of transactions is not ready for 10 s",
}


class LoadingProxy(Proxy):
    """Answers InitProducerId with COORDINATOR_LOAD_IN_PROGRESS, as a broker does that has just started."""

    def __init__(self, listen: int, port: int, seed: int) -> None:
        super().__init__(listen, port, seed)
        self.refused: Counter[str] = Counter()

    async def _relay(self, client: Streams, broker: Streams) -> None:
        asked: dict[int, Request] = {}
        await asyncio.gather(self._requests(client[0], broker[1], asked), self._answers(broker[0], client[1], asked))

    async def _requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: dict[int, Request]
    ) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                request = parse_request(await read_frame(reader))
                asked[request.correlation] = request
                writer.write(request.frame)
        writer.close()

    async def _answers(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: dict[int, Request]
    ) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                answer = bytearray(await read_frame(reader))
                request = asked.pop(correlation_of(bytes(answer)))
                group = request.transaction.decode().partition(":")[0]
                if request.key == INIT_PRODUCER and self.refused[group] < TRIES[group]:
                    self.refused[group] += 1
                    error_at = 13 if request.flexible else 12  # after length, correlation id, tags and throttle time
                    struct.pack_into(">h", answer, error_at, KafkaError.COORDINATOR_LOAD_IN_PROGRESS)
                writer.write(answer)
        writer.close()


def test_wait(tmp_path: Path) -> None:
    """While the coordinator loads, the producer's tries are logged at DEBUG. If it takes long, there is a warning."""
    with (
        Proxies(1, 1, LoadingProxy) as proxies,
        Cluster(1, STEADY, proxies.listeners) as cluster,
        Pipelines(proxies.address, tmp_path) as pipelines,
    ):
        kafka = Kafka(cluster.address)
        source, target = (kafka.create_topic(name) for name in ("in", "out"))
        started = {
            group: pipelines.start(source, target, Quix__Consumer_Group=group, LOG_LEVEL="DEBUG") for group in TRIES
        }
        for group, pipeline in started.items():
            pipeline.wait_for(RUNNING)
            pipeline.wait_for(" DEBUG ", WAITS)
            assert pipeline.stop() == 0
            warnings = [line for line in pipeline.lines if " WARNING " in line]
            assert [WAITS in line for line in warnings] == ([True] if group == "long" else [])
            check_row(
                "At the start", SITUATIONS[group], 0, (warnings or pipeline.lines)[-1], {r"producer-\d+": "producer-1"}
            )
