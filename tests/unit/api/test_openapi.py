"""The OpenAPI document: complete, with examples, and the page needs no network."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

import msgspec
import pytest

from api.app import OUTSIDE, PREFIX, ROUTES, build
from api.examples import EXAMPLES
from api.openapi import document
from tests.unit.api.parts import services

_CALLBACKS = "/payments/callbacks/"
"""Answers gateways in the words of their own protocols."""


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return document(build(services()))


def operations(described: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, item in described["paths"].items()
        for method, operation in item.items()
        if method in {"get", "post", "put", "patch", "delete"}
    ]


def test_every_route_is_described(described: dict[str, Any]) -> None:
    shown = [
        one for one in (*ROUTES, *OUTSIDE) if getattr(one, "include_in_schema", None) is not False
    ]
    assert len(operations(described)) == len(shown)
    assert described["openapi"].startswith("3.1")


def test_every_body_has_an_example_of_its_very_type(described: dict[str, Any]) -> None:
    bodies = {
        content["schema"]["$ref"].rpartition("/")[2]
        for name, operation in operations(described)
        if PREFIX in name and _CALLBACKS not in name
        for holder in (operation.get("requestBody"), *operation["responses"].values())
        if holder
        for content in holder.get("content", {}).values()
    }
    assert bodies <= {kind.__name__ for kind in EXAMPLES}
    for name in bodies:
        assert described["components"]["schemas"][name]["examples"], name


def test_every_error_is_a_problem(described: dict[str, Any]) -> None:
    for name, operation in operations(described):
        for status, response in operation["responses"].items():
            if PREFIX in name and _CALLBACKS not in name and int(status) >= 400:
                assert set(response["content"]) == {"application/problem+json"}, (name, status)


def test_no_operation_is_without_a_summary_a_description_and_an_id(
    described: dict[str, Any],
) -> None:
    ids = [operation["operationId"] for _, operation in operations(described)]
    assert len(ids) == len(set(ids))
    for name, operation in operations(described):
        assert operation["summary"], name
        assert operation["description"], name


def test_the_page_asks_nobody_else_for_anything() -> None:
    page = files("api").joinpath("docs.html").read_text()
    assert not re.search(r"https?://|src=|@import|//cdn", page)


def test_the_document_is_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(document(build(services()))))
