"""What may be set from outside when the API runs, each declared once with its unit."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.spool import MAX_BYTES

_RATE = r"^[1-9]\d{0,8}/[1-9]\d{0,5}$"


class ApiSettings(BaseSettings):
    """Settings of one API process, read from ``ORDERSTREAM_API_*`` when constructed.

    Raises ``pydantic.ValidationError`` when a variable cannot be read as its type. The servers'
    addresses are no settings of the API's own: the command finds them as every command does.
    """

    model_config = SettingsConfigDict(
        env_prefix="ORDERSTREAM_API_", env_ignore_empty=True, frozen=True
    )

    jwks: str | None = Field(
        default=None,
        description="The JWK Set of the tokens' issuer: a file or an https URL. Without it the "
        "development issuer's below ORDERSTREAM_HOME is used.",
    )
    issuer: str | None = Field(
        default=None, description="What `iss` of the tokens must be; needed with a JWK Set."
    )
    audience: str = Field(default="orderstream", description="What `aud` of the tokens must be.")
    cors_origins: str = Field(
        default="",
        description="Origins, by commas, whose pages may use the API; none by default.",
    )
    read_rate: str = Field(
        default="1200/60",
        pattern=_RATE,
        description="Questions of one customer to one route: QUOTA/SECONDS.",
    )
    write_rate: str = Field(
        default="300/60",
        pattern=_RATE,
        description="Requests of one customer that change something, to one route.",
    )
    service_rate: str = Field(
        default="2000/1",
        pattern=_RATE,
        description="Requests with one token of scope shop or operator, to one route.",
    )
    sku_rate: str = Field(
        default="5000/1", pattern=_RATE, description="New orders of one sku, of all users."
    )
    caller_rate: str = Field(
        default="5000/1",
        pattern=_RATE,
        description="Requests without a token (payment callbacks) from one address, to one "
        "process.",
    )
    decision_limit_s: float = Field(
        default=3.0, gt=0, description="How long a request waits for the stream's decision."
    )
    kafka_limit_s: float = Field(
        default=1.5,
        gt=0,
        description="Kafka counts as away when it has acknowledged nothing for so long.",
    )
    lookback_s: float = Field(
        default=10.0, ge=0, description="How far before its start a process reads the facts."
    )
    window_facts: int = Field(
        default=50_000,
        ge=1,
        description="Recent facts kept in memory, ~600 bytes each: 30 MB a process.",
    )
    spool_folder: Path | None = Field(
        default=None,
        description="Where commands wait for Kafka; default: with the data below ORDERSTREAM_HOME.",
    )
    spool_bytes: int = Field(
        default=MAX_BYTES, ge=1024 * 1024, description="Largest size of one process's spool."
    )
    body_limit_bytes: int = Field(
        default=256 * 1024,
        ge=1024,
        description="Largest request body: 100 lines that each prefer 16 warehouses are 80 KB.",
    )
    token_in_url: bool = Field(
        default=False,
        description="Let a WebSocket be opened with ?token=TOKEN, as old clients do; a URL is "
        "logged and shared, so a ticket is better.",
    )
    sockets_per_user: int = Field(
        default=16, ge=1, description="WebSockets of one user in one process."
    )
    heartbeat_s: float = Field(
        default=15.0, gt=0, description="Time between the heartbeats of a WebSocket."
    )
    graphql_schema: bool = Field(
        default=False, description="Answer GraphQL introspection; not in production."
    )
