"""Where the real servers of the tests come from.

In this order: addresses in the environment (`ORDERSTREAM_KAFKA` and so on), Docker when an
engine answers, child processes of this one.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from deploy.settings import ENDPOINT_VARIABLES, DeploySettings
from deploy.stack import Endpoints, Options, running

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer


@contextmanager
def endpoints() -> Iterator[Endpoints]:
    """Give the addresses of all servers; those started here are stopped at the end."""
    external = DeploySettings().external()
    if external.keys() != ENDPOINT_VARIABLES.keys() and docker_answers():
        with ExitStack() as stop:
            yield Endpoints({**_containers(stop), **external})
        return
    with running(Options()) as found:
        yield found


def docker_answers() -> bool:
    """Say whether a Docker engine is there; a client alone is not enough."""
    import docker

    try:
        client = docker.from_env(timeout=3)
    except docker.errors.DockerException:
        return False
    try:
        return bool(client.ping())
    except (docker.errors.DockerException, OSError):
        return False
    finally:
        client.close()


def _containers(stop: ExitStack) -> dict[str, str]:
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.waiting_utils import wait_for_logs
    from testcontainers.kafka import KafkaContainer
    from testcontainers.mysql import MySqlContainer
    from testcontainers.redis import RedisContainer

    kafka = stop.enter_context(
        KafkaContainer()
        .with_kraft()
        .with_env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false")
        .with_env("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0")
        .with_env("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1")
        .with_env("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1")
    )
    registry = stop.enter_context(
        DockerContainer("apicurio/apicurio-registry-mem:2.6.13.Final").with_exposed_ports(8080)
    )
    wait_for_logs(registry, "started in", timeout=60)
    redis = stop.enter_context(RedisContainer("valkey/valkey:8.1"))
    clickhouse = stop.enter_context(
        DockerContainer("clickhouse/clickhouse-server:25.8")
        .with_env("CLICKHOUSE_SKIP_USER_SETUP", "1")
        .with_exposed_ports(8123)
    )
    wait_for_logs(clickhouse, "Ready for connections|Logging errors to", timeout=60)
    name = "orderstream"
    mysql = stop.enter_context(
        MySqlContainer("mariadb:11.4", username=name, password=name, dbname=name)
    )
    return {
        "clickhouse": f"http://default@{_address(clickhouse, 8123)}/{name}",
        "kafka": kafka.get_bootstrap_server(),
        "registry": f"http://{_address(registry, 8080)}/apis/ccompat/v7",
        "redis": f"redis://{_address(redis, 6379)}/0",
        "mysql": f"mysql://{name}:{name}@{_address(mysql, 3306)}/{name}",
    }


def _address(container: "DockerContainer", port: int) -> str:
    return f"{container.get_container_host_ip()}:{container.get_exposed_port(port)}"
