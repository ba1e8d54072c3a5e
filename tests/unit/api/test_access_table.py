"""No route without an owner: whoever adds one says whose its objects are, or that it is for all."""

from __future__ import annotations

from tests.access import APART, CASES, PUBLIC, routes


def test_every_route_says_whose_its_objects_are() -> None:
    unknown = {route for route, _ in routes()} - CASES.keys() - PUBLIC.keys() - APART.keys()
    assert not unknown, f"say in tests/access.py whose the objects of these are: {unknown}"


def test_only_the_routes_that_are_for_all_need_no_token() -> None:
    assert {route for route, is_public in routes() if is_public} <= PUBLIC.keys() | APART.keys()
    assert {route for route, is_public in routes() if not is_public} <= CASES.keys() | APART.keys()
