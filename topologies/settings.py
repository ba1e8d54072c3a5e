"""What may be set from outside when the pipeline runs, each declared once with its unit."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from sinks.redis.keeping import Keeping


class StoreKind(StrEnum):
    """Where a worker keeps the state of its partitions."""

    MEMORY = "memory"
    ROCKSDB = "rocksdb"


class PipelineSettings(BaseSettings):
    """Settings of the pipeline, read from ``ORDERSTREAM_*`` when constructed.

    Raises ``pydantic.ValidationError`` when a variable cannot be read as its type.
    """

    model_config = SettingsConfigDict(env_prefix="ORDERSTREAM_", env_ignore_empty=True)

    group: str = Field(
        default="orderstream",
        description="Consumer group of the workers and prefix of their transactional ids.",
    )
    partitions: int = Field(
        default=4, ge=1, description="Partitions of every new topic; production runs 128."
    )
    replication: int = Field(
        default=1, ge=1, description="Copies of every new topic's data; production runs 3."
    )
    payment_window_ms: int = Field(
        default=15 * 60 * 1000,
        ge=1000,
        description="How long a created order waits for its payment. Constant over one log.",
    )
    session_timeout_s: float = Field(
        default=6.0, gt=0, description="How long a dead worker's partitions stand still."
    )
    checkpoint_interval_s: float = Field(
        default=1.0, gt=0, description="Time between two checkpoints."
    )
    store: StoreKind = Field(
        default=StoreKind.MEMORY,
        description="Where a worker keeps its state: rocksdb when it is larger than memory.",
    )
    store_folder: Path | None = Field(
        default=None,
        description="Where the rocksdb store makes its files, which are temporary; default: a "
        "folder of this system's in the temporary one.",
    )


class SinkSettings(BaseSettings):
    """Settings of the sinks, read from ``ORDERSTREAM_*`` when constructed.

    Raises ``pydantic.ValidationError`` when a variable cannot be read as its type.
    """

    model_config = SettingsConfigDict(env_prefix="ORDERSTREAM_", env_ignore_empty=True)

    sink_batch_records: int = Field(
        default=1_000, ge=1, description="The most that is written at once."
    )
    sink_linger_s: float = Field(
        default=0.03, ge=0, description="How long a fact waits for others to be written with."
    )
    warehouse_batch_records: int = Field(
        default=5_000,
        ge=1,
        description="As sink_batch_records, of the warehouse: each of its tables costs it "
        "the same few tens of milliseconds a batch, large or small.",
    )
    warehouse_linger_s: float = Field(
        default=0.15, ge=0, description="As sink_linger_s, of the warehouse."
    )
    session_timeout_s: float = Field(
        default=6.0, gt=0, description="How long a dead sink's partitions stand still."
    )
    read_model_finished_hours: float = Field(
        default=7 * 24, gt=0, description="How long an order is in the read model after its end."
    )
    read_model_orders_per_user: int = Field(
        default=1_000, ge=1, description="How many of a user's newest orders are listed."
    )

    @property
    def keeping(self) -> Keeping:
        """How long and how much the read model keeps."""
        return Keeping(
            finished_ms=int(self.read_model_finished_hours * 3_600_000),
            orders_per_user=self.read_model_orders_per_user,
        )
