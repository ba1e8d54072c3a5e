"""Rules of alerts in a YAML file."""

from __future__ import annotations

from pathlib import Path

import msgspec

from streams.alerts.rules import AnyRule, InvalidRules, parse


def read_rules(file: Path) -> tuple[AnyRule, ...]:
    """Return the rules in ``file``; raise InvalidRules, also when it cannot be read."""
    try:
        content = msgspec.yaml.decode(file.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidRules(f"{file}: {error}") from error
    try:
        return parse(content)
    except InvalidRules as error:
        raise InvalidRules(f"{file}: {error}") from error
