"""A worker of the workload's stages, with the broker in ``KAFKA``.

It is set up as the product's worker is (topologies/worker.py).
"""

from __future__ import annotations

import gc
import os

import uvloop

from streams.engine.faust_host import FaustHost, HostSettings
from tests.bench.peers.ours.records import TOPICS, codec
from tests.bench.peers.ours.stages import OrderStage, StockStage
from topologies.logs import configure_logging
from topologies.topics import incarnations


def main(kafka: str) -> None:
    """Run both stages until SIGTERM."""
    configure_logging()
    gc.disable()  # the host collects by itself, see FaustHost
    uvloop.install()
    identities = incarnations(kafka, [topic.name for topic in TOPICS])
    settings = HostSettings(kafka, group="peers-ours")
    FaustHost(settings, [OrderStage(), StockStage()], [], codec(), identities).run()


if __name__ == "__main__":
    main(os.environ["KAFKA"])
