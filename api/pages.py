"""Pages that the package brings along: files served as they are, under a strict policy.

Nothing is inline, nothing comes from elsewhere, and no text ever becomes markup. A page has no
token when it comes: it takes one from the fragment of its address, which no browser sends anywhere,
and asks the API for all else like any client. The files of a page carry its version in their path,
so that a browser keeps them for good and never mixes two versions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final, NamedTuple

from litestar import Request, get
from litestar.response import Response
from litestar.types import ControllerRouterHandler

from api.problems import Code, Refused

_INDEX: Final = "index.html"
_VERSION: Final = b"{version}"  # in the index: where the version goes
_KINDS: Final[Mapping[str, str]] = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cache-Control": "no-cache",
}
_FOR_GOOD: Final = "public, max-age=31536000, immutable"


class Page(NamedTuple):
    """A page's files by name; ``version`` changes when one of them does."""

    version: str
    html: bytes
    assets: Mapping[str, bytes]


def load(package: str, folder: str) -> Page:
    """Return the page whose files are in a folder of a package, and in folders below it.

    What all pages share, in ``api/shared``, is served with each.
    """
    folders = (files("api").joinpath("shared"), files(package).joinpath(folder))
    content = {one.name: one.read_bytes() for here in folders for one in _below(here)}
    digest = hashlib.sha256()
    for name, data in sorted(content.items()):
        digest.update(b"%s %d " % (name.encode(), len(data)) + data)
    version = digest.hexdigest()[:12]
    html = content.pop(_INDEX).replace(_VERSION, version.encode())
    return Page(version, html, content)


def routes(path: str, page: Page) -> tuple[ControllerRouterHandler, ...]:
    """Return what serves ``page`` at ``path``."""
    tag = f'"{page.version}"'

    @get(path, include_in_schema=False, opt={"public": True}, sync_to_thread=False)
    def index(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Return the page."""
        headers = {**_HEADERS, "ETag": tag}
        if tag in request.headers.get("if-none-match", ""):
            return Response(b"", status_code=304, headers=headers, media_type=_KINDS["html"])
        return Response(page.html, headers=headers, media_type=_KINDS["html"])

    @get(
        f"{path}/{{version:str}}/{{name:str}}",
        include_in_schema=False,
        opt={"public": True},
        sync_to_thread=False,
    )
    def asset(version: str, name: str) -> Response[bytes]:
        """Return a file of the page; of a version that is no longer served, the one of today."""
        if name not in page.assets:
            raise Refused(Code.NOT_FOUND, "the page has no such file")
        headers = dict(_HEADERS)
        if version == page.version:
            headers["Cache-Control"] = _FOR_GOOD
        return Response(page.assets[name], headers=headers, media_type=_kind(name))

    return index, asset


def _below(folder: Traversable) -> Iterator[Traversable]:
    for one in folder.iterdir():
        if one.is_dir():
            yield from _below(one)
        elif one.name.rpartition(".")[2] in _KINDS:
            yield one


def _kind(name: str) -> str:
    return _KINDS[name.rpartition(".")[2]]
