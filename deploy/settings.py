"""What the user may set by environment variables, each declared once."""

from pathlib import Path
from typing import Final

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

ENDPOINT_VARIABLES: Final = {
    "kafka": "ORDERSTREAM_KAFKA",
    "registry": "ORDERSTREAM_REGISTRY",
    "redis": "ORDERSTREAM_REDIS",
    "mysql": "ORDERSTREAM_MYSQL",
    "clickhouse": "ORDERSTREAM_CLICKHOUSE",
}
"""Server name -> variable that names a running one, to be used instead of starting one."""


class DeploySettings(BaseSettings):
    """Settings of the embedded stack, read from ``ORDERSTREAM_*`` when constructed.

    Raises `pydantic.ValidationError` when a variable cannot be read as its type.
    """

    model_config = SettingsConfigDict(env_prefix="ORDERSTREAM_", env_ignore_empty=True)

    home: Path = Field(
        default_factory=lambda: Path.home() / ".local" / "share" / "orderstream",
        description="Data, logs and the state file of the stack that `orderstream up` starts.",
    )
    cache: Path = Field(
        default_factory=lambda: Path.home() / ".cache" / "orderstream",
        description="Downloaded servers; safe to delete, shared by all stacks of this user.",
    )
    maven: str | None = Field(
        default=None,
        description="Base URL of a Maven repository to fetch from instead of Maven Central.",
    )
    kafka: str | None = Field(default=None, description="host:port of a running Kafka broker.")
    registry: str | None = Field(
        default=None, description="Base URL of a Confluent-compatible schema registry."
    )
    redis: str | None = Field(default=None, description="redis:// URL of a running Redis.")
    mysql: str | None = Field(
        default=None, description="mysql://user:pass@host:port/db of a running MySQL or MariaDB."
    )

    clickhouse: str | None = Field(
        default=None, description="http://user:pass@host:port/db of a running ClickHouse."
    )

    starrocks: str | None = Field(
        default=None,
        description="http://user:pass@host:port/db of a StarRocks frontend; none is embedded.",
    )

    def external(self) -> dict[str, str]:
        """Return server name -> address for the servers that run already, elsewhere."""
        named = {name: getattr(self, name) for name in ENDPOINT_VARIABLES}
        return {name: address for name, address in named.items() if address}
