"""What the handlers work with, built once by ``app.build`` and given to them by the framework.

Each part that another module makes is known here by what is asked of it, so that a test puts its
own in its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from api.follower import Follower
from api.settings import ApiSettings
from schemas.codec import Codec
from schemas.read_model import OrderView


class Principal(Protocol):
    """Who asks: a user of a shop, and what she may do."""

    @property
    def shop_id(self) -> int:
        """The shop (tenant)."""

    @property
    def user_id(self) -> int:
        """The user; 0 for one who is no customer."""

    @property
    def scopes(self) -> frozenset[str]:
        """What the token allows."""


class Authenticator(Protocol):
    """Tells who asks."""

    def authenticate(self, headers: Mapping[str, str]) -> Principal:
        """Return the principal of a request; raise Refused (UNAUTHENTICATED) without a good one."""


class Page(NamedTuple):
    """Some orders of a user, the newest first; ``cursor`` asks for those before them."""

    views: Sequence[OrderView]
    cursor: str | None


@dataclass
class Services:
    """Everything that handlers use."""

    settings: ApiSettings
    codec: Codec
    follower: Follower
    authenticator: Authenticator
