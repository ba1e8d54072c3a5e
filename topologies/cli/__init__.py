"""The command line `orderstream`.

Exit codes of every command: 0 done; 1 it failed; 2 the command line is wrong; 3 something
has to be brought or started first, and the message says what.
"""

import sys

import typer

from deploy.errors import DeployError, FetchError, MissingError
from topologies.cli import (
    alerts,
    api,
    audit,
    bench,
    chaos,
    check,
    demo,
    dlq,
    explain,
    flow,
    gateway,
    load,
    migrate,
    orders,
    replay,
    rules,
    schemas,
    sink,
    stack,
    tickets,
    token,
    topics,
    webhooks,
    worker,
)

COMMANDS = (
    demo,
    stack,
    topics,
    schemas,
    worker,
    api,
    flow,
    gateway,
    sink,
    webhooks,
    load,
    audit,
    migrate,
    check,
    replay,
    explain,
    orders,
    tickets,
    alerts,
    rules,
    dlq,
    token,
    chaos,
    bench,
)
"""One module per family of commands; each has ``register(app)`` and imports lazily."""


def build() -> typer.Typer:
    """Return the application with all commands."""
    app = typer.Typer(
        name="orderstream",
        help=(
            "An order platform as a stream of events on Kafka.\n\n"
            "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 something is missing."
        ),
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for module in COMMANDS:
        module.register(app)
    return app


def main() -> None:
    """Run the command line of this process and exit with its code."""
    try:
        build()()
    except DeployError as error:
        print(f"orderstream: {error}", file=sys.stderr)
        sys.exit(3 if isinstance(error, FetchError | MissingError) else 1)


def _root() -> None:
    """Keep the name of a command necessary, also while there is only one."""
