"""Who is told of alerts, and in which words: receivers as data, requests as values.

A receiver is a webhook: a URL, a body, a lowest severity. Bodies of the services that people use
are here by name; any other is a template of its own. Alertmanager is spoken to in its own API (v2:
``POST /api/v2/alerts``), so that a receiver may be a real one or anything that takes its alerts.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote_plus

import msgspec

from schemas.alert import AlertCleared, AlertRaised, Severity
from schemas.record import full_name

Alert = AlertRaised | AlertCleared


class Format(StrEnum):
    """What a receiver understands."""

    EVENT = "event"  # the fact itself, as JSON
    ALERTMANAGER = "alertmanager"  # prometheus.io/docs/alerting/latest/alerts_api
    DINGTALK = "dingtalk"  # open.dingtalk.com, custom robots
    WECOM = "wecom"  # developer.work.weixin.qq.com, group robots
    SMS = "sms"  # {"phone": ..., "text": ...}: what gateways take, give or take the names
    TEMPLATE = "template"  # the receiver's own `body`


class InvalidReceivers(Exception):
    """The receivers cannot be used; the message says where and why."""


class Receiver(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One receiver. ``secret`` signs what DingTalk gets; ``phones`` are those of an SMS gateway.

    In ``body`` (TEMPLATE) every text may name fields of the alert: ``{summary}``, ``{severity}``,
    ``{state}`` (raised or cleared), ``{title}``, ``{sku_id}`` and so on.
    """

    name: str
    url: str
    format: Format = Format.EVENT
    least: Severity = Severity.INFO
    headers: dict[str, str] = {}
    secret: str = ""
    phones: tuple[str, ...] = ()
    body: Any = None

    def wants(self, alert: Alert) -> bool:
        """Tell whether the receiver is told of such alerts."""
        order = list(Severity)
        return order.index(alert.severity) >= order.index(self.least)


class Request(NamedTuple):
    """What is posted, as JSON."""

    url: str
    headers: dict[str, str]
    body: Any


def read_receivers(file: Path) -> tuple[Receiver, ...]:
    """Return the receivers of ``{receivers: [{name, url, format, ...}]}`` in a YAML file.

    Raises InvalidReceivers, also when it cannot be read.
    """
    try:
        content = file.read_bytes()
        receivers = msgspec.yaml.decode(content, type=dict[str, tuple[Receiver, ...]])["receivers"]
        names = {receiver.name for receiver in receivers}
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidReceivers(f"{file}: {error}") from error
    except KeyError as error:
        raise InvalidReceivers(f"{file}: there is no key `receivers`") from error
    if len(names) < len(receivers):
        raise InvalidReceivers(f"{file}: two receivers have one name")
    for receiver in receivers:
        if not receiver.url.startswith(("http://", "https://")):
            raise InvalidReceivers(f"{file}: {receiver.name}: {receiver.url!r} is no http(s) URL")
        if (receiver.format is Format.TEMPLATE) != (receiver.body is not None):
            raise InvalidReceivers(f"{file}: {receiver.name}: `body` belongs to format template")
    return receivers


def requests(receiver: Receiver, alert: Alert, now_ms: int) -> list[Request]:
    """Return what is posted to a receiver for an alert; ``now_ms`` is for signatures."""
    words = _words(alert)
    # The same alert may be posted twice after a crash: whoever minds can tell by this.
    headers = {"Idempotency-Key": f"{alert.alert_id}-{alert.version}", **receiver.headers}
    bodies: list[Any]
    match receiver.format:
        case Format.EVENT:
            bodies = [{"type": full_name(type(alert)), "data": msgspec.to_builtins(alert)}]
        case Format.ALERTMANAGER:
            bodies = [[_alertmanager(alert)]]
        case Format.DINGTALK | Format.WECOM:
            bodies = [_filled(_ROBOTS[receiver.format], words)]
        case Format.SMS:
            bodies = [
                {"phone": phone, "text": _filled("{title}: {summary}", words)}
                for phone in receiver.phones
            ]
        case Format.TEMPLATE:
            bodies = [_filled(receiver.body, words)]
    url = _signed(receiver, now_ms) if receiver.secret else receiver.url
    return [Request(url, headers, body) for body in bodies]


_ROBOTS: dict[Format, Any] = {
    Format.DINGTALK: {
        "msgtype": "markdown",
        "markdown": {"title": "{title}", "text": "### {title}\n{summary}\n\nsince {since}"},
    },
    Format.WECOM: {
        "msgtype": "markdown",
        "markdown": {"content": "**{title}**\n{summary}\n> since {since}"},
    },
}


def _words(alert: Alert) -> dict[str, str]:
    state = "raised" if isinstance(alert, AlertRaised) else "cleared"
    title = f"[{alert.severity} {state}] {alert.rule_id}: sku {alert.sku_id}, shop {alert.shop_id}"
    told = {name: str(value) for name, value in msgspec.structs.asdict(alert).items()}
    return {**told, "state": state, "title": title, "since": _rfc3339(alert.raised_at_ms)}


def _filled(template: Any, words: dict[str, str]) -> Any:
    """Return the template with every ``{word}`` in its texts replaced."""
    if isinstance(template, str):
        for word, text in words.items():
            template = template.replace(f"{{{word}}}", text)
        return template
    if isinstance(template, dict):
        return {key: _filled(value, words) for key, value in template.items()}
    if isinstance(template, list):
        return [_filled(value, words) for value in template]
    return template


def _alertmanager(alert: Alert) -> dict[str, Any]:
    posted: dict[str, Any] = {
        "labels": {
            "alertname": alert.rule_id,
            "kind": alert.kind.lower(),
            "severity": alert.severity.lower(),
            "shop_id": str(alert.shop_id),
            "sku_id": str(alert.sku_id),
        },
        "annotations": {"summary": alert.summary, "alert_id": alert.alert_id},
        "startsAt": _rfc3339(alert.raised_at_ms),
    }
    if isinstance(alert, AlertCleared):
        posted["endsAt"] = _rfc3339(alert.cleared_at_ms)
    return posted


def _signed(receiver: Receiver, now_ms: int) -> str:
    """Return the URL as DingTalk wants it: HMAC-SHA256 over timestamp, line feed and secret."""
    told = f"{now_ms}\n{receiver.secret}".encode()
    digest = hmac.new(receiver.secret.encode(), told, hashlib.sha256).digest()
    joint = "&" if "?" in receiver.url else "?"
    sign = quote_plus(base64.b64encode(digest))
    return f"{receiver.url}{joint}timestamp={now_ms}&sign={sign}"


def _rfc3339(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
