"""The shop page: a person picks goods, orders, pays and watches. Its files are in ``api/page``."""

from __future__ import annotations

from typing import Final

from litestar import get
from litestar.response import Redirect

from api.pages import load, routes

PATH: Final = "/shop"
PAGE: Final = load("api", "page")


@get("/", include_in_schema=False, opt={"public": True}, sync_to_thread=False)
def root() -> Redirect:
    """Lead to the page."""
    return Redirect(PATH, status_code=307)


ROUTES = (*routes(PATH, PAGE), root)
