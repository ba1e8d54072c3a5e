"""What may be set from outside for the webhooks, in the API and in the worker alike."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.key_files import KEY_BYTES
from api.webhooks.schedule import FIRST_WAIT_MS


class WebhookSettings(BaseSettings):
    """Settings of the webhooks, read from ``ORDERSTREAM_WEBHOOKS_*`` when constructed.

    Raises ``pydantic.ValidationError`` when a variable cannot be read as its type.
    """

    model_config = SettingsConfigDict(
        env_prefix="ORDERSTREAM_WEBHOOKS_", env_ignore_empty=True, frozen=True
    )

    key: Path | None = Field(
        default=None,
        description=f"File with the key (at least {KEY_BYTES} bytes) that the endpoints' "
        "secrets are derived from; made when missing. Another key changes every secret.",
    )
    allow_local: bool = Field(
        default=False,
        description="Endpoints may be on this machine, by plain HTTP: tests, the embedded stack.",
    )
    group: str = Field(default="webhooks", description="Consumer group of the workers.")
    first_wait_ms: int = Field(
        default=FIRST_WAIT_MS,
        ge=1,
        description="Wait after the first failed try; it doubles up to 4 h.",
    )
