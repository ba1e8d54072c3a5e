"""Command `token`: a token for the API, from the development issuer."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated

import typer

from topologies.cli.connection import JsonOption


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(token)


def token(
    shop: Annotated[int, typer.Option(min=0, help="The shop; 0, for an operator: every shop.")] = 1,
    user: Annotated[int, typer.Option(min=0, help="The user; a customer has one.")] = 1,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="customer, shop or operator; may be given again. Default: customer."),
    ] = None,
    hours: Annotated[float, typer.Option(min=0.001, max=720, help="How long it is good.")] = 8.0,
    as_json: JsonOption = False,
) -> None:
    """Print a token that the API of the embedded stack accepts.

    It is signed by the development issuer, whose key is made at first use below ORDERSTREAM_HOME.
    An API that is given the keys of a real issuer (ORDERSTREAM_API_JWKS) refuses such tokens, so
    this command then refuses to make one.

    Example: orderstream token --shop 1 --user 7 --scope customer --hours 8

    Exit codes: 0 printed; 1 the API takes tokens of another issuer; 2 wrong usage.
    """
    from api.auth import Scope
    from api.issuer import DevelopmentIssuer
    from deploy.settings import DeploySettings

    try:
        scopes = [Scope(name) for name in dict.fromkeys(scope or ["customer"])]
    except ValueError as error:
        known = ", ".join(Scope)
        raise typer.BadParameter(f"{error}; known: {known}", param_hint="scope") from error
    if shop == 0 and scopes != [Scope.OPERATOR]:
        raise typer.BadParameter("only an operator has every shop (0)", param_hint="shop")
    if user == 0 and Scope.CUSTOMER in scopes:
        raise typer.BadParameter("a customer is a user: give 1 or more", param_hint="user")
    if os.environ.get("ORDERSTREAM_API_JWKS"):
        print(
            "orderstream: ORDERSTREAM_API_JWKS names the keys of another issuer; get the token "
            "there, or unset it to use the development issuer",
            file=sys.stderr,
        )
        raise typer.Exit(1)
    made = DevelopmentIssuer(DeploySettings().home).token(shop, user, scopes, hours)
    if as_json:
        print(json.dumps({"token": made, "expires_in_s": round(hours * 3600)}))
    else:
        print(made)
