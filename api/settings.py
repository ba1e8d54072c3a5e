"""What may be set from outside when the API runs, each declared once with its unit."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.issuer import AUDIENCE
from api.spool import MAX_BYTES


class ApiSettings(BaseSettings):
    """Settings of one API process, read from ``ORDERSTREAM_API_*`` when constructed.

    Raises ``pydantic.ValidationError`` when a variable cannot be read as its type. The servers'
    addresses are no settings of the API's own: the command finds them as every command does.
    """

    model_config = SettingsConfigDict(
        env_prefix="ORDERSTREAM_API_", env_ignore_empty=True, frozen=True
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
    jwks: str | None = Field(
        default=None,
        description="File or https URL of the keys (JWK Set) that tokens are signed with; default: "
        "those of the development issuer.",
    )
    issuer: str | None = Field(default=None, description="`iss` of the tokens of those keys.")
    audience: str = Field(default=AUDIENCE, description="`aud` that tokens must have.")
    spool_folder: Path | None = Field(
        default=None, description="Where commands wait for Kafka; default: below ORDERSTREAM_HOME."
    )
    spool_bytes: int = Field(
        default=MAX_BYTES, ge=1024 * 1024, description="Largest size of one process's spool."
    )
    body_limit_bytes: int = Field(
        default=256 * 1024,
        ge=1024,
        description="Largest request body: 100 lines that each prefer 16 warehouses are 80 KB.",
    )
