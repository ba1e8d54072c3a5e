"""The servers' files: pinned in one manifest, fetched once into a cache, verified."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from xml.etree import ElementTree as ET

import msgspec

if TYPE_CHECKING:
    from jgo.maven import MavenContext

from deploy.errors import FetchError

_ATTEMPTS = 3
_PARALLEL = 4
_TIMEOUT_S = 30
_CHUNK_BYTES = 1 << 20


class Artifact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One file of a Maven repository, and the only content it may have.

    `unpack`: it is an archive, used in its unpacked form.
    """

    group: str
    artifact: str
    version: str
    type: str = "jar"
    classifier: str = ""
    sha256: str
    size_bytes: int
    unpack: bool = False

    @property
    def filename(self) -> str:
        """The file's name in a Maven repository."""
        classifier = f"-{self.classifier}" if self.classifier else ""
        return f"{self.artifact}-{self.version}{classifier}.{self.type}"

    @property
    def path(self) -> Path:
        """The file's path in a Maven repository, and in the cache."""
        return Path(*self.group.split("."), self.artifact, self.version, self.filename)


class Manifest(msgspec.Struct, frozen=True):
    """All pinned files, by the server that needs them."""

    servers: dict[str, tuple[Artifact, ...]]

    @classmethod
    def load(cls, path: Path | None = None) -> "Manifest":
        """Read the manifest; raises `msgspec.ValidationError` when it is not one."""
        path = path or Path(__file__).with_name("artifacts.json")
        return msgspec.json.decode(path.read_bytes(), type=cls)


class Progress(Protocol):
    """Told how a fetch goes on; called from several threads."""

    def begin(self, files: int, total_bytes: int) -> None:
        """Say that `files` files of `total_bytes` together are about to be fetched."""

    def advance(self, filename: str, count: int) -> None:
        """Say that `count` more bytes of a file arrived."""

    def finished(self, filename: str) -> None:
        """Say that a file is complete and verified."""


class Silent:
    """A `Progress` that says nothing."""

    def begin(self, files: int, total_bytes: int) -> None:
        """Ignore it."""

    def advance(self, filename: str, count: int) -> None:
        """Ignore it."""

    def finished(self, filename: str) -> None:
        """Ignore it."""


Download = Callable[[Artifact, Path, Callable[[int], None]], Path]
"""Brings an artifact into a folder, telling of bytes as they arrive; returns the file."""


class Cache:
    """The folder that keeps fetched files, shared by all processes of this user.

    `download` is how one file is brought; tests give their own.
    """

    def __init__(self, root: Path, download: Download) -> None:
        self.root = root
        self._download = download

    def path(self, artifact: Artifact) -> Path:
        """Return where the file is, or will be."""
        return self.root / "maven" / artifact.path

    def has(self, artifact: Artifact) -> bool:
        """Say whether the file is there. Its content was verified when it was fetched."""
        try:
            return self.path(artifact).stat().st_size == artifact.size_bytes
        except FileNotFoundError:
            return False

    def missing(self, artifacts: Sequence[Artifact]) -> list[Artifact]:
        """Return those of `artifacts` that are not in the cache."""
        return [one for one in artifacts if not self.has(one)]

    def fetch(self, artifacts: Sequence[Artifact], progress: Progress | None = None) -> None:
        """Bring every artifact that is missing, and unpack what is used unpacked.

        Another process that fetches at the same time is waited for, and its files are used.
        Raises `FetchError` when a file cannot be had or is not the pinned one.
        """
        if self.missing(artifacts):
            self._fetch(artifacts, progress or Silent())
        for one in artifacts:
            if one.unpack:
                self.unpacked(one)

    def _fetch(self, artifacts: Sequence[Artifact], progress: Progress) -> None:
        with self._locked():
            missing = self.missing(artifacts)
            progress.begin(len(missing), sum(one.size_bytes for one in missing))
            arriving = self.root / "arriving"
            shutil.rmtree(arriving, ignore_errors=True)  # left by a process that died
            arriving.mkdir()
            with ThreadPoolExecutor(_PARALLEL) as pool:
                # Longest first, so that the last thread is not left alone with it.
                missing.sort(key=lambda one: -one.size_bytes)
                jobs = [pool.submit(self._bring, one, arriving, progress) for one in missing]
                try:
                    for job in jobs:
                        job.result()
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
            shutil.rmtree(arriving)

    def unpacked(self, artifact: Artifact) -> Path:
        """Return the folder with the content of a fetched archive, unpacking it the first time.

        Raises `FetchError` when the archive is not in the cache.
        """
        target = self.root / "unpacked" / f"{artifact.artifact}-{artifact.sha256[:12]}"
        if target.is_dir():
            return target
        if not self.has(artifact):
            raise FetchError(
                f"{artifact.filename} is not in {self.root}; run: orderstream doctor --fetch"
            )
        with self._locked():
            if target.is_dir():
                return target
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
                content = Path(temporary) / "content"
                _unpack(self.path(artifact), content)
                content.rename(target)
        return target

    def _bring(self, artifact: Artifact, arriving: Path, progress: Progress) -> None:
        with tempfile.TemporaryDirectory(dir=arriving) as temporary:
            file = self._download(
                artifact,
                Path(temporary),
                lambda count: progress.advance(artifact.filename, count),
            )
            _verify(artifact, file)
            final = self.path(artifact)
            final.parent.mkdir(parents=True, exist_ok=True)
            os.replace(file, final)
        progress.finished(artifact.filename)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as lower-case hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def maven_download(mirror: str | None = None, settings_xml: Path | None = None) -> Download:
    """Return a `Download` from Maven Central or from the mirror that the user configured.

    `mirror` is a repository's base URL and goes first; else a mirror of ``central`` in
    `settings_xml` (default ``~/.m2/settings.xml``); else jgo knows where Central is.
    """

    def download(artifact: Artifact, folder: Path, advance: Callable[[int], None]) -> Path:
        # Only a download pays for these imports (0.2 s): every start loads this module.
        import requests
        from jgo.maven import MavenContext, PythonResolver

        url = mirror or configured_mirror(settings_xml or Path.home() / ".m2" / "settings.xml")

        @contextlib.contextmanager
        def each_file(_name: str, _size: int) -> Iterator[Callable[[int], None]]:
            yield advance

        resolver = PythonResolver(progress_callback=each_file)
        for attempt in range(1, _ATTEMPTS + 1):
            context = MavenContext(
                resolver=resolver,
                repo_cache=folder / str(attempt),
                local_repos=[],
                remote_repos={"central": url.rstrip("/")} if url else None,
                timeout=_TIMEOUT_S,
            )
            try:
                return _resolve(context, artifact)
            except requests.RequestException as error:
                if attempt == _ATTEMPTS:
                    raise FetchError(
                        f"{artifact.filename} could not be downloaded: {error}. Check the network; "
                        "behind a proxy set HTTPS_PROXY, or name a mirror in ORDERSTREAM_MAVEN"
                    ) from error
        raise AssertionError("unreachable")

    return download


def _resolve(context: "MavenContext", artifact: Artifact) -> Path:
    component = context.project(artifact.group, artifact.artifact).at_version(artifact.version)
    wanted = component.artifact(artifact.classifier, artifact.type)
    try:
        return Path(wanted.resolve())
    except RuntimeError as error:
        raise FetchError(
            f"{artifact.group}:{artifact.artifact}:{artifact.version} is not in the Maven "
            f"repository: {error}"
        ) from error


def configured_mirror(settings_xml: Path) -> str | None:
    """Return the URL of the mirror of Maven Central in a Maven settings file, if it has one."""
    try:
        root = ET.parse(settings_xml).getroot()
    except (FileNotFoundError, ET.ParseError):
        return None
    for mirror in root.iterfind("{*}mirrors/{*}mirror"):
        of = (mirror.findtext("{*}mirrorOf") or "").split(",")
        if {one.strip() for one in of} & {"central", "*", "external:*"}:
            return (mirror.findtext("{*}url") or "").strip() or None
    return None


def _verify(artifact: Artifact, file: Path) -> None:
    size_bytes = file.stat().st_size
    if size_bytes != artifact.size_bytes or sha256_of(file) != artifact.sha256:
        raise FetchError(
            f"{artifact.filename} ({size_bytes} bytes) is not the file pinned in "
            f"deploy/artifacts.json (sha256 {artifact.sha256}, {artifact.size_bytes} bytes): it "
            "was damaged on the way or replaced at its source. Try again; if it stays so, do "
            "not use it"
        )


def _unpack(archive: Path, target: Path) -> None:
    if archive.name.endswith(".tar.gz"):
        with tarfile.open(archive) as tar:
            # Python 3.11.3 and older have no filters; the archive is the pinned one anyway.
            tar.extraction_filter = getattr(tarfile, "data_filter", None)
            tar.extractall(target)
        return
    with zipfile.ZipFile(archive) as jar:
        jar.extractall(target)
