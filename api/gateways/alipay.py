"""Alipay's asynchronous notices: RSA2 over the sorted fields without ``sign`` and ``sign_type``.

Source: https://opendocs.alipay.com/open/270/105902 (notice and its fields),
https://opendocs.alipay.com/common/02mse7 (verifying it).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from api.gateways.port import Answer, Reason, Rejected
from api.gateways.proofs import form_fields, from_base64, is_signed, sorted_content
from api.gateways.reports import epoch_ms, report_of, trace_of
from schemas.payment import GatewayReport, GatewayStatus

NAME = "alipay"
UNSIGNED: Final = ("sign", "sign_type")

_YUAN = re.compile(r"([0-9]{1,11})(?:\.([0-9]{1,2}))?")
_ZONE = "+08:00"  # Alipay writes Beijing time, without saying so

STATES: Final = {
    "WAIT_BUYER_PAY": GatewayStatus.PENDING,
    "TRADE_SUCCESS": GatewayStatus.SUCCEEDED,
    "TRADE_FINISHED": GatewayStatus.SUCCEEDED,
    "TRADE_CLOSED": GatewayStatus.CLOSED,
}


class Alipay:
    """Verifies notices for one app of one seller. ``key`` is Alipay's public key, not the app's."""

    name = NAME
    headers: frozenset[str] = frozenset()
    accepted = Answer(200, b"success")
    refused = Answer(200, b"fail")  # anything but `success` makes it call again

    def __init__(self, app_id: str, seller_id: str, key: RSAPublicKey) -> None:
        self._app_id = app_id
        self._seller_id = seller_id
        self._key = key

    def verify(
        self, headers: Mapping[str, str], body: bytes, now_ms: int
    ) -> GatewayReport | Rejected:
        """Judge a callback; see the port. Its signature covers no time of sending."""
        fields = form_fields(body)
        if fields is None:
            return Rejected(Reason.MALFORMED, "no urlencoded form in UTF-8")
        if fields.get("sign_type") != "RSA2":  # SHA1 would do for RSA, and is broken
            return Rejected(Reason.UNKNOWN_KEY, "sign_type is not RSA2")
        signature = from_base64(fields.get("sign", ""))
        content = sorted_content(fields, UNSIGNED)
        if signature is None or not is_signed(self._key, signature, content):
            return Rejected(Reason.BAD_SIGNATURE, "sign")
        if fields.get("charset", "utf-8").lower() != "utf-8":
            return Rejected(Reason.UNSUPPORTED, "charset")
        if fields.get("app_id") != self._app_id:
            return Rejected(Reason.NOT_OURS, "app_id")
        if fields.get("seller_id") != self._seller_id:
            return Rejected(Reason.NOT_OURS, "seller_id")
        status = STATES.get(fields.get("trade_status", ""))
        if status is None:
            return Rejected(Reason.UNSUPPORTED, fields.get("trade_status", "")[:40])
        try:
            return _refund(fields) if fields.get("out_biz_no") else _payment(fields, status, now_ms)
        except (KeyError, ValueError) as error:
            return Rejected(Reason.MALFORMED, str(error))


def _payment(
    fields: Mapping[str, str], status: GatewayStatus, now_ms: int
) -> GatewayReport | Rejected:
    paid_at = fields.get("gmt_payment")
    return report_of(
        NAME,
        pay_no=fields["out_trade_no"],
        txn_no=fields["trade_no"],
        status=status,
        amount_fen=fen_of(fields["total_amount"]),
        occurred_at_ms=epoch_ms(paid_at + _ZONE) if paid_at else now_ms,
        trace_id=trace_of(fields.get("passback_params", "")),
    )


def _refund(fields: Mapping[str, str]) -> GatewayReport | Rejected:
    """Return the report of a refund.

    ``refund_fee`` is all that the trade has given back so far. Of the first refund it is the
    amount; what a later one gave back is not said, so it is UNKNOWN, and the gateway is asked.
    """
    refund_no = fields["out_biz_no"]
    is_first = refund_no in (f"{fields['out_trade_no']}-{kind}1" for kind in "RS")
    return report_of(
        NAME,
        pay_no=fields["out_trade_no"],
        refund_no=refund_no,
        txn_no=f"{fields['trade_no']}/{refund_no}",  # Alipay has no number of its own for it
        status=GatewayStatus.SUCCEEDED if is_first else GatewayStatus.UNKNOWN,
        amount_fen=fen_of(fields["refund_fee"]),
        occurred_at_ms=epoch_ms(fields["gmt_refund"] + _ZONE),
    )


def fen_of(yuan: str) -> int:
    """Return an amount like ``88.88`` in fen; raise ValueError when it is none."""
    found = _YUAN.fullmatch(yuan)
    if found is None:
        raise ValueError(f"{yuan[:20]!r} is no amount in yuan")
    whole, part = found.groups(default="")
    return int(whole) * 100 + int(part.ljust(2, "0"))
