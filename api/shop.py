"""The shop page: a person picks goods, orders, pays and watches. Its files are in ``api/page``.

The page has no token when it comes: it takes one from the fragment of its address, which no browser
sends anywhere, and asks the API for everything else like any client. Its files carry their version
in their path, so a browser keeps them for good and never mixes two versions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

from litestar import Request, get
from litestar.response import Redirect, Response

from api.problems import Code, Refused

PATH: Final = "/shop"

_INDEX: Final = "index.html"
_VERSION: Final = "{version}"  # in the index: where the version goes
_KINDS: Final[Mapping[str, str]] = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_HEADERS: Final[Mapping[str, str]] = {
    # Nothing inline, nothing from elsewhere, and no text ever becomes markup.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cache-Control": "no-cache",
}
_FOR_GOOD: Final = "public, max-age=31536000, immutable"


class Page(NamedTuple):
    """The page: ``entry`` is its HTML, ``assets`` its other files by name.

    ``version`` changes when one of them does.
    """

    version: str
    entry: bytes
    assets: Mapping[str, bytes]


@cache
def page() -> Page:
    """Return the page, read once."""
    found = sorted(files("api").joinpath("page").iterdir(), key=lambda one: one.name)
    content = {one.name: one.read_bytes() for one in found if one.name.rpartition(".")[2] in _KINDS}
    digest = hashlib.sha256()
    for name, data in content.items():
        digest.update(b"%s %d " % (name.encode(), len(data)) + data)
    version = digest.hexdigest()[:12]
    entry = content.pop(_INDEX).replace(_VERSION.encode(), version.encode())
    return Page(version, entry, content)


@get(PATH, include_in_schema=False, opt={"public": True}, sync_to_thread=False)
def shop(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Return the page."""
    version, entry, _ = page()
    tag = f'"{version}"'
    headers = {**_HEADERS, "ETag": tag}
    if tag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers, media_type=_KINDS["html"])
    return Response(entry, headers=headers, media_type=_KINDS["html"])


@get(
    f"{PATH}/{{version:str}}/{{name:str}}",
    include_in_schema=False,
    opt={"public": True},
    sync_to_thread=False,
)
def asset(version: str, name: str) -> Response[bytes]:
    """Return a file of the page; of a version that is no longer served, the one of today."""
    here, _, assets = page()
    if name not in assets:
        raise Refused(Code.NOT_FOUND, "the page has no such file")
    headers = dict(_HEADERS)
    if version == here:
        headers["Cache-Control"] = _FOR_GOOD
    return Response(assets[name], headers=headers, media_type=_KINDS[name.rpartition(".")[2]])


@get("/", include_in_schema=False, opt={"public": True}, sync_to_thread=False)
def root() -> Redirect:
    """Lead to the page."""
    return Redirect(PATH, status_code=307)


ROUTES = (shop, asset, root)
