"""Where Kafka and the registry are: as the user says, else the environment, else the stack."""

from typing import NamedTuple

from deploy.errors import MissingError


class Addresses(NamedTuple):
    """``kafka`` is host:port, ``registry`` the base URL of the Confluent-compatible interface."""

    kafka: str
    registry: str


def addresses(kafka: str | None = None, registry: str | None = None) -> Addresses:
    """Return the addresses; raise MissingError when one is named nowhere and no stack runs."""
    from deploy import stack
    from deploy.settings import DeploySettings

    settings = DeploySettings()
    found: dict[str, str] = {}
    running = stack.state(settings.home)
    if running is not None:
        found |= running.endpoints
    found |= settings.external()
    found |= {name: value for name, value in (("kafka", kafka), ("registry", registry)) if value}
    missing = [name for name in Addresses._fields if name not in found]
    if missing:
        raise MissingError(
            f"no {' and no '.join(missing)} to use: start the servers (orderstream up), or name "
            f"them by {' and '.join(f'--{name}' for name in missing)}"
        )
    return Addresses(found["kafka"], found["registry"])
