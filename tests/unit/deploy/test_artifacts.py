"""The cache of fetched servers, without a network."""

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.artifacts import Artifact, Cache, Manifest, configured_mirror
from deploy.catalogue import SERVERS
from deploy.errors import FetchError

CONTENT = b"a server"


def pinned(name: str = "server", content: bytes = CONTENT) -> Artifact:
    return Artifact(
        group="org.example",
        artifact=name,
        version="1.0",
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
    )


class Repository:
    """Serves the same bytes for everything and counts the downloads."""

    def __init__(self, content: bytes = CONTENT) -> None:
        self.content = content
        self.downloads: list[str] = []

    def __call__(self, artifact: Artifact, folder: Path, advance: Callable[[int], None]) -> Path:
        self.downloads.append(artifact.artifact)
        file = folder / artifact.filename
        file.write_bytes(self.content)
        advance(len(self.content))
        return file


def test_the_manifest_pins_every_file_of_every_server_that_needs_one() -> None:
    manifest = Manifest.load()
    assert set(manifest.servers) == {"kafka", "registry", "mysql"}
    assert set(manifest.servers) == {name for name, one in SERVERS.items() if one.artifacts()}
    for files in manifest.servers.values():
        assert len({one.path for one in files}) == len(files)
        for one in files:
            assert len(bytes.fromhex(one.sha256)) == 32
            assert one.size_bytes > 0


def test_the_manifest_names_no_host() -> None:
    import deploy

    for folder in deploy.__path__:
        assert b"://" not in Path(folder, "artifacts.json").read_bytes()


def test_a_file_lies_where_a_maven_repository_has_it() -> None:
    one = Artifact(
        group="io.example.deep",
        artifact="app",
        version="2.0",
        type="tar.gz",
        classifier="all",
        sha256="",
        size_bytes=1,
    )
    assert one.path == Path("io/example/deep/app/2.0/app-2.0-all.tar.gz")


def test_a_fetched_file_is_kept_and_not_fetched_again(tmp_path: Path) -> None:
    repository = Repository()
    cache = Cache(tmp_path, repository)
    cache.fetch([pinned()])
    cache.fetch([pinned()])
    assert cache.path(pinned()).read_bytes() == CONTENT
    assert repository.downloads == ["server"]


def test_a_fetch_brings_only_what_is_missing(tmp_path: Path) -> None:
    repository = Repository()
    cache = Cache(tmp_path, repository)
    cache.fetch([pinned("first")])
    cache.fetch([pinned("first"), pinned("second")])
    assert repository.downloads == ["first", "second"]


@pytest.mark.parametrize("content", [b"a serveR", b"a server and more", b""])
def test_a_file_that_is_not_the_pinned_one_never_enters_the_cache(
    tmp_path: Path, content: bytes
) -> None:
    cache = Cache(tmp_path, Repository(content))
    with pytest.raises(FetchError, match=r"server-1\.0\.jar .* is not the file pinned"):
        cache.fetch([pinned()])
    assert not cache.has(pinned())
    assert not list(tmp_path.rglob("*.jar"))


def test_a_failure_keeps_the_files_that_had_arrived(tmp_path: Path) -> None:
    class Half(Repository):
        def __call__(
            self, artifact: Artifact, folder: Path, advance: Callable[[int], None]
        ) -> Path:
            if artifact.artifact == "broken":
                raise FetchError("no network")
            return super().__call__(artifact, folder, advance)

    cache = Cache(tmp_path, Half())
    good = pinned("good", CONTENT)
    with pytest.raises(FetchError, match="no network"):
        cache.fetch([good, pinned("broken")])
    assert cache.missing([good, pinned("broken")]) in ([pinned("broken")], [good, pinned("broken")])


def test_two_who_fetch_at_once_download_once(tmp_path: Path) -> None:
    class Slow(Repository):
        def __call__(
            self, artifact: Artifact, folder: Path, advance: Callable[[int], None]
        ) -> Path:
            started.set()
            go_on.wait(5)
            return super().__call__(artifact, folder, advance)

    started, go_on = threading.Event(), threading.Event()
    repository = Slow()
    first = threading.Thread(target=Cache(tmp_path, repository).fetch, args=([pinned()],))
    second = threading.Thread(target=Cache(tmp_path, repository).fetch, args=([pinned()],))
    first.start()
    assert started.wait(5)
    second.start()
    go_on.set()
    first.join(5)
    second.join(5)
    assert repository.downloads == ["server"]


def test_a_part_left_by_a_process_that_died_does_not_disturb(tmp_path: Path) -> None:
    left = tmp_path / "arriving" / "tmp123" / "server-1.0.jar"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"a se")
    cache = Cache(tmp_path, Repository())
    cache.fetch([pinned()])
    assert cache.has(pinned())
    assert not left.exists()


def test_unpacking_what_was_not_fetched_says_how_to_fetch_it(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="orderstream doctor --fetch"):
        Cache(tmp_path, Repository()).unpacked(pinned())


@pytest.mark.parametrize(
    ("mirror_of", "expected"),
    [
        ("central", "https://mirror.example/m2"),
        ("*", "https://mirror.example/m2"),
        ("spring, central", "https://mirror.example/m2"),
        ("external:http:*", None),
        ("spring", None),
    ],
)
def test_the_users_maven_mirror_of_central_is_found(
    tmp_path: Path, mirror_of: str, expected: str | None
) -> None:
    settings = tmp_path / "settings.xml"
    settings.write_text(
        '<settings xmlns="urn:maven"><mirrors><mirror><id>m</id>'
        f"<mirrorOf>{mirror_of}</mirrorOf><url>https://mirror.example/m2</url>"
        "</mirror></mirrors></settings>"
    )
    assert configured_mirror(settings) == expected


def test_no_maven_settings_mean_no_mirror(tmp_path: Path) -> None:
    assert configured_mirror(tmp_path / "settings.xml") is None
