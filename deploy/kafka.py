"""Apache Kafka as one KRaft node: broker and controller in one process."""

import base64
import uuid
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from deploy.artifacts import Artifact, Cache, Manifest
from deploy.errors import NotReadyError
from deploy.jvm import java
from deploy.process import free_ports
from deploy.server import Launch
from deploy.service import Answers, Service

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
# PROXIED is for who stands a proxy before it at the advertised port, to make the network slow.
listeners=PLAINTEXT://127.0.0.1:{port},PROXIED://127.0.0.1:{proxied_port},\
CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},PROXIED://127.0.0.1:{proxy_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs={log_dir}
auto.create.topics.enable=false
# One node holds the only copy of everything.
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# The defaults (50 each) cost seconds at the first group and the first transaction.
offsets.topic.num.partitions=8
transaction.state.log.num.partitions=8
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
num.network.threads=2
num.io.threads=4
# A compacted log is cleaned in a second, not in 15, so that tests can see it happen.
log.cleaner.backoff.ms=1000
"""

_LOG4J = """\
Configuration:
  status: ERROR
  Appenders:
    Console:
      name: stdout
      PatternLayout: {pattern: "%d{ISO8601} %p %c{1}: %m%n"}
  Loggers:
    Root:
      level: INFO
      AppenderRef: {ref: stdout}
    Logger:
      - {name: org.apache.kafka.common.config.AbstractConfig, level: WARN}
      - {name: kafka.server.KafkaConfig, level: WARN}
"""


class Kafka:
    """Address: ``host:port`` for a client's ``bootstrap.servers``."""

    name = "kafka"

    def artifacts(self) -> tuple[Artifact, ...]:
        """Return Kafka's jars and those it needs."""
        return Manifest.load().servers[self.name]

    def launch(self, cache: Cache, data_dir: Path) -> Launch:
        """Write the configuration; a new data directory is formatted before the first start."""
        port, controller_port, proxied_port, proxy_port = free_ports(4)
        log_dir = data_dir / "log"
        data_dir.mkdir(parents=True, exist_ok=True)
        properties = data_dir / "server.properties"
        properties.write_text(
            _PROPERTIES.format(
                port=port,
                controller_port=controller_port,
                proxied_port=proxied_port,
                proxy_port=proxy_port,
                log_dir=log_dir,
            )
        )
        log4j = data_dir / "log4j2.yaml"
        log4j.write_text(_LOG4J)
        classpath = ":".join(str(cache.path(one)) for one in self.artifacts())
        jvm = java(
            cache,
            self.artifacts(),
            f"-Dlog4j2.configurationFile={log4j}",
            "-cp",
            classpath,
        )
        storage_tool = (*jvm[:1], "-XX:TieredStopAtLevel=1", *jvm[1:], "kafka.tools.StorageTool")
        # An id that begins with "-" would be taken for an option by the storage tool.
        cluster_id = "o" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]
        format_log_dir = (*storage_tool, "format", "-t", cluster_id, "-c", str(properties))
        formatted = (log_dir / "meta.properties").exists()
        endpoint = f"127.0.0.1:{port}"
        return Launch(
            Service(
                name=self.name,
                argv=(*jvm[:1], "-Xms256m", "-Xmx1g", *jvm[1:], "kafka.Kafka", str(properties)),
                ready=Answers(self.name, endpoint),
                prepare=() if formatted else (format_log_dir,),
                # A clean shutdown moves leadership away first; with one node that only waits.
                stop_timeout_s=15,
            ),
            endpoint,
        )

    def answers(self, endpoint: str, timeout_s: float) -> None:
        """Ask for the cluster's brokers and controller."""
        client = AdminClient({"bootstrap.servers": endpoint, "log_level": 0})
        try:
            found = client.list_topics(timeout=timeout_s)
        except KafkaException as error:
            raise NotReadyError(f"Kafka at {endpoint} does not answer: {error}") from error
        if not found.brokers or found.controller_id < 0:
            raise NotReadyError(f"Kafka at {endpoint} has no controller yet")
