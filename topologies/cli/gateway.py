"""Command `gateway`: the simulated payment gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from topologies.cli.connection import KafkaOption, RegistryOption, kafka_address, registry_url

if TYPE_CHECKING:
    from topologies.gateway import Callback


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(gateway)


def gateway(
    kafka: KafkaOption = None,
    registry: RegistryOption = None,
    slow_ms: Annotated[
        str, typer.Option(help="Every payment takes this long: 300, or 100-800 for a range.")
    ] = "0",
    duplicate: Annotated[
        float, typer.Option(min=0, max=1, help="Share of payments reported twice.")
    ] = 0.0,
    reordered: Annotated[
        float, typer.Option(min=0, max=1, help="Share whose PENDING comes after the end.")
    ] = 0.0,
    lost: Annotated[
        float, typer.Option(min=0, max=1, help="Share whose report is only sent again later.")
    ] = 0.0,
    unknown: Annotated[
        float, typer.Option(min=0, max=1, help="Share that is UNKNOWN first, and known later.")
    ] = 0.0,
    silent: Annotated[
        float, typer.Option(min=0, max=1, help="Share whose end is only told to who asks.")
    ] = 0.0,
    declined: Annotated[float, typer.Option(min=0, max=1, help="Share that fails.")] = 0.0,
    refund_failed: Annotated[
        float, typer.Option(min=0, max=1, help="Share of tries to refund that fail.")
    ] = 0.0,
    lost_resend_ms: Annotated[
        int, typer.Option(min=0, help="When a lost or unknown report comes after all.")
    ] = 5_000,
    late_ms: Annotated[
        int, typer.Option(min=0, help="How long a payment over sim-late takes.")
    ] = 5_000,
    seed: Annotated[int, typer.Option(help="The same seed, the same luck.")] = 0,
    callback: Annotated[
        str | None,
        typer.Option(help="Report by signed HTTP to this URL instead of into the payments inbox."),
    ] = None,
) -> None:
    """Run the simulated payment gateway until SIGTERM.

    It answers to the channels sim (pays at once), sim-late, sim-never, sim-twice (charges twice)
    and sim-decline; payments over other channels are left to others. What it does is logged as
    JSON lines.

    With --callback it reports as a real gateway does, and ORDERSTREAM_GATEWAY_SIM_SECRET names the
    file with the secret that it shares with the API.

    Example: orderstream gateway --slow-ms 50-400 --duplicate 0.1 --lost 0.02 --declined 0.05

    Exit codes: 0 stopped, nothing undone was committed; 1 it could not go on; 3 topics or schemas
    are missing.
    """
    from deploy.errors import MissingError
    from schemas.registry import SchemasMissing
    from topologies.gateway import Faults, run_gateway
    from topologies.logs import configure_logging

    try:
        faults = Faults(
            slow_ms=_range_ms(slow_ms),
            duplicate=duplicate,
            reordered=reordered,
            lost=lost,
            unknown=unknown,
            declined=declined,
            refund_failed=refund_failed,
            lost_resend_ms=lost_resend_ms,
            late_ms=late_ms,
            silent=silent,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    configure_logging()
    try:
        run_gateway(
            kafka_address(kafka),
            registry_url(registry),
            faults,
            seed=seed,
            callback=_callback(callback),
        )
    except SchemasMissing as error:
        raise MissingError(str(error)) from error


def _callback(url: str | None) -> Callback | None:
    """Return where to report to; raise MissingError without the secret that signs reports."""
    from api.gateways.settings import GatewaySettings
    from api.key_files import shared_key
    from deploy.errors import MissingError
    from topologies.gateway import Callback

    if url is None:
        return None
    secret = GatewaySettings().sim_secret
    if secret is None:
        raise MissingError(
            "no secret to sign callbacks with: set ORDERSTREAM_GATEWAY_SIM_SECRET to a file, the "
            "same as the API's; it is made when it is not there"
        )
    return Callback(url, shared_key(secret))


def _range_ms(text: str) -> tuple[int, int]:
    """Read ``300`` or ``100-800``; raise ValueError for anything else."""
    least, dash, most = text.partition("-")
    try:
        return int(least), int(most if dash else least)
    except ValueError:
        raise ValueError(f"slow-ms is {text!r}: it is one number, or two with a dash") from None
