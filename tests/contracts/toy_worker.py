"""A worker of the toy stages: ``python -m tests.contracts.toy_worker KAFKA GROUP STORE FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

from schemas.codec import local_codec
from streams.engine.faust_host import FaustHost, HostSettings
from tests.contracts.stores import new_store
from tests.contracts.toy import RECORDS, TOPICS, BellStage, PurseStage
from topologies.logs import configure_logging
from topologies.topics import incarnations


def main(kafka: str, group: str, store: str, folder: Path) -> None:
    """Run both stages until SIGTERM."""
    configure_logging()
    names = [topic.name for topic in TOPICS]
    FaustHost(
        HostSettings(
            kafka,
            group,
            tick_interval_s=0.5,
            checkpoint_interval_s=0.5,
            idle_checkpoint_interval_s=1.0,
            session_timeout_s=6.0,
        ),
        [PurseStage(), BellStage()],
        [],
        local_codec(RECORDS),
        incarnations(kafka, names),
        new_store=new_store(store, folder),
    ).run()


if __name__ == "__main__":
    _kafka, _group, _store, _folder = sys.argv[1:]
    main(_kafka, _group, _store, Path(_folder))
