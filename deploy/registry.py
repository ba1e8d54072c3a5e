"""Apicurio as the schema registry, through its Confluent-compatible interface."""

import json
from pathlib import Path

from deploy.artifacts import Artifact, Cache, Manifest
from deploy.errors import NotReadyError
from deploy.jvm import java
from deploy.process import free_ports, http_get
from deploy.server import Launch
from deploy.service import Answers, Service


class Registry:
    """Address: the base URL of the Confluent-compatible interface."""

    name = "registry"

    def artifacts(self) -> tuple[Artifact, ...]:
        """Return Apicurio's distribution."""
        return Manifest.load().servers[self.name]

    def launch(self, cache: Cache, data_dir: Path) -> Launch:
        """Point it to an H2 file, so that schema ids outlive it as Kafka's records do."""
        (distribution,) = self.artifacts()
        home = cache.unpacked(distribution)
        (runner,) = home.glob("*-runner.jar")
        data_dir.mkdir(parents=True, exist_ok=True)
        (port,) = free_ports(1)
        endpoint = f"http://127.0.0.1:{port}/apis/ccompat/v7"
        return Launch(
            Service(
                name=self.name,
                # The first compiler only: half the time to start, and its load is light.
                argv=(
                    *java(cache, (distribution,), "-XX:TieredStopAtLevel=1", "-Xmx256m"),
                    "-jar",
                    str(runner),
                ),
                env={
                    "QUARKUS_HTTP_HOST": "127.0.0.1",
                    "QUARKUS_HTTP_PORT": str(port),
                    "REGISTRY_DATASOURCE_URL": f"jdbc:h2:file:{data_dir / 'registry'}",
                    "REGISTRY_UI_READ_ONLY": "false",
                },
                cwd=str(data_dir),
                ready=Answers(self.name, endpoint),
            ),
            endpoint,
        )

    def answers(self, endpoint: str, timeout_s: float) -> None:
        """List the subjects."""
        try:
            subjects = json.loads(http_get(f"{endpoint}/subjects", timeout_s))
        except (OSError, ValueError) as error:
            raise NotReadyError(f"the registry at {endpoint} does not answer: {error}") from error
        if not isinstance(subjects, list):
            raise NotReadyError(f"the registry at {endpoint} answers {subjects!r}")
