"""What the handlers work with, built once by ``app.build`` and given to them by the framework.

Each part that another module makes is known here by what is asked of it, so that a test puts its
own in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from api.follower import Follower
from api.settings import ApiSettings
from schemas.codec import Codec


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


@dataclass
class Services:
    """Everything that handlers use."""

    settings: ApiSettings
    codec: Codec
    follower: Follower
    authenticator: Authenticator
