"""Programs of the system that tests drive: found, or installed where that is allowed.

``python -m deploy.programs`` is a step of ``make test``. Nothing of orderstream itself needs them:
a test that lacks one is skipped and says so.
"""

import os
import shutil
import subprocess
from typing import Final, NamedTuple


class Program(NamedTuple):
    """A program by the ``names`` it has on different systems; ``package`` is Debian's."""

    names: tuple[str, ...]
    package: str

    def find(self) -> str | None:
        """Return its path; None when it is not on this machine."""
        return next(filter(None, map(shutil.which, self.names)), None)


CHROMIUM: Final = Program(("chromium", "chromium-browser", "google-chrome"), "chromium")
PROMTOOL: Final = Program(("promtool",), "prometheus")
PROMETHEUS: Final = Program(("prometheus",), "prometheus")
ALL: Final = (CHROMIUM, PROMTOOL, PROMETHEUS)


def install(missing: list[str]) -> None:
    """Install Debian packages; what cannot be installed is only missing afterwards."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # A package must not start its server: none is to run but those that we start ourselves.
    environment["RUNLEVEL"] = "1"
    for command in (
        ("update", "-qq"),
        ("install", "-y", "-qq", "--no-install-recommends", *missing),
    ):
        subprocess.run(
            ("apt-get", *command), env=environment, stdout=subprocess.DEVNULL, check=False
        )


def _missing() -> list[str]:
    """Return the packages that would bring what is missing, each once."""
    return list(dict.fromkeys(one.package for one in ALL if one.find() is None))


def main() -> None:
    """Bring what is missing, and say so; exit code 0 also where that is not possible."""
    missing = _missing()
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"programs: apt-get install {' '.join(missing)}", flush=True)
        install(missing)
        missing = _missing()
    if missing:
        print(
            f"programs: without {' and '.join(missing)} some tests are skipped; on Debian: "
            f"sudo apt-get install {' '.join(missing)}"
        )


if __name__ == "__main__":
    main()
