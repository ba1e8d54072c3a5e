"""The OpenAPI 3.1 document of the API, and what routes say about themselves for it.

The framework lists routes, parameters and responses. The schemas of bodies are msgspec's own, so
that the document says just what the decoder does; examples are values of these very types.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.spec import (
    Components,
    Operation,
    Parameter,
    Schema,
    SecurityScheme,
    Tag,
)
from litestar.openapi.spec.enums import OpenAPIType

from api.examples import EXAMPLES
from api.problems import MEDIA_TYPE, Code, Problem, status_of
from api.responses import Accepted

_REF: Final = "#/components/schemas/{name}"
_BEARER: Final = "bearer"
_ALWAYS: Final = (Code.INVALID_REQUEST, Code.UNAUTHENTICATED, Code.FORBIDDEN, Code.RATE_LIMITED)
_OF_BODIES: Final = (
    Code.MALFORMED_JSON,
    Code.TOO_LARGE,
    Code.UNSUPPORTED_MEDIA_TYPE,
    Code.UNAVAILABLE,
)

CONFIG: Final = OpenAPIConfig(
    title="orderstream",
    version="2.0.0",
    description=(
        "Orders as a stream of facts. Money is in minor units (fen), times are RFC 3339 in UTC. "
        "Every error is a problem (RFC 9457) with a stable `code` and the `trace_id`."
    ),
    components=Components(
        security_schemes={
            _BEARER: SecurityScheme(type="http", scheme="bearer", bearer_format="JWT")
        }
    ),
    security=[{_BEARER: []}],
    tags=[
        Tag("orders", "Place orders, pay, follow and end them."),
        Tag("stock", "What may be bought, and at what price."),
        Tag("operators", "What only operators and the shop's own systems do."),
        Tag("push", "What happens to orders, as it happens: over a WebSocket."),
        Tag("webhooks", "What happens to orders, told to the shop's own systems."),
        Tag("payments", "What payment gateways report."),
        Tag("probes", "How the process does."),
    ],
    use_handler_docstrings=True,
    enabled_endpoints=set(),
)


def accepted_as(kind: type[msgspec.Struct]) -> dict[int, ResponseSpec]:
    """Return the response of a command that nobody answered yet, with its body's type."""
    return {
        202: ResponseSpec(
            kind,
            generate_examples=False,
            description="It is safe and will be judged: nobody answered in time, or Kafka is away.",
        )
    }


ACCEPTED: Final[Mapping[int, ResponseSpec]] = accepted_as(Accepted)


def errors(*codes: str, has_body: bool = True) -> dict[int, ResponseSpec]:
    """Return the error responses of a route: those of ``codes``, and those that any may give."""
    return problems(*_ALWAYS, *(_OF_BODIES if has_body else ()), *codes)


def problems(*codes: str) -> dict[int, ResponseSpec]:
    """Return the error responses of ``codes``."""
    named = defaultdict(list)
    for code in codes:
        named[status_of(code)].append(code)
    return {
        status: ResponseSpec(
            Problem,
            generate_examples=False,
            media_type=MEDIA_TYPE,
            description="`code`: " + ", ".join(found),
        )
        for status, found in sorted(named.items())
    }


@dataclass
class Traced(Operation):
    """An operation that may be part of a trace."""

    def __post_init__(self) -> None:
        """Add the header that every operation may have."""
        self._add(
            "traceparent",
            "W3C trace context (version-trace-parent-flags): the trace goes on through every "
            "fact. What is none is passed over, as the specification asks.",
        )

    def _add(
        self, name: str, description: str, pattern: str | None = None, is_required: bool = False
    ) -> None:
        schema = Schema(type=OpenAPIType.STRING, pattern=pattern)
        parameter = Parameter(
            name, "header", schema=schema, description=description, required=is_required
        )
        self.parameters = [*(self.parameters or ()), parameter]


@dataclass
class Keyed(Traced):
    """An operation that is done once for each key that the client gives."""

    def __post_init__(self) -> None:
        """Add the headers."""
        super().__post_init__()
        description = (
            "A key of your own, new for each request that is not a repeat (such as a UUID). "
            "`Idempotency-Key` is accepted as well."
        )
        self._add("X-Idempotency-Key", description, "^[!-~]{1,128}$", is_required=True)


def document(app: Litestar) -> dict[str, Any]:
    """Return the OpenAPI document of ``app``."""
    made: dict[str, Any] = app.openapi_schema.to_schema()
    kinds = list(dict.fromkeys(kind for handler in _handlers(app) for kind in _bodies(handler)))
    _, schemas = msgspec.json.schema_components(kinds, ref_template=_REF)
    for kind, example in EXAMPLES.items():
        if kind.__name__ in schemas:
            schemas[kind.__name__]["examples"] = [msgspec.to_builtins(example)]
    made["components"]["schemas"] = {**made["components"].get("schemas", {}), **schemas}
    open_to_all = {one.operation_id for one in _handlers(app) if one.opt.get("public")}
    for item in made["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict) and operation.get("operationId") in open_to_all:
                operation["security"] = []
    return made


def _handlers(app: Litestar) -> Iterator[HTTPRouteHandler]:
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            if handler.resolve_include_in_schema():
                yield handler


def _bodies(handler: HTTPRouteHandler) -> Iterator[type[msgspec.Struct]]:
    """Yield the types of what a handler takes and gives."""
    signature = handler.parsed_fn_signature
    taken = signature.parameters.get("data")
    found: list[Any] = [] if taken is None else [taken.annotation]
    found += [signature.return_type.annotation]
    found += [spec.data_container for spec in (handler.responses or {}).values()]
    yield from _structs(found)


def _structs(kinds: Sequence[Any]) -> Iterator[type[msgspec.Struct]]:
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            yield kind
        else:
            yield from _structs(get_args(kind))
