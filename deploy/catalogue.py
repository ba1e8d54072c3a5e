"""The servers that can be embedded, by name."""

from typing import Final

from deploy.clickhouse import ClickHouse
from deploy.kafka import Kafka
from deploy.mariadb import MariaDb
from deploy.registry import Registry
from deploy.server import Server
from deploy.valkey import Valkey

SERVERS: Final[dict[str, Server]] = {
    server.name: server for server in (Kafka(), Registry(), Valkey(), MariaDb(), ClickHouse())
}
