"""WeChat Pay, API v3: SHA256-RSA2048 over timestamp, nonce and body; AES-256-GCM of the resource.

Source: https://pay.weixin.qq.com/doc/v3/merchant/4012071382 (signature),
4012071420 (decryption), 4012791861 (payment notice), 4012791864 (refund notice).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from api.gateways.port import Answer, Reason, Rejected
from api.gateways.proofs import from_base64, is_signed
from api.gateways.reports import CNY, epoch_ms, report_of, trace_of
from schemas.payment import GatewayReport, GatewayStatus

NAME = "wechat"
SKEW_MS = 5 * 60 * 1000

_TIMESTAMP, _NONCE = "wechatpay-timestamp", "wechatpay-nonce"
_SERIAL, _SIGNATURE = "wechatpay-serial", "wechatpay-signature"
_ALGORITHM = "AEAD_AES_256_GCM"

PAYMENT_STATES: Final = {
    "SUCCESS": GatewayStatus.SUCCEEDED,
    "REFUND": GatewayStatus.SUCCEEDED,  # it was paid; what went back is told by refund notices
    "NOTPAY": GatewayStatus.PENDING,
    "USERPAYING": GatewayStatus.PENDING,
    "CLOSED": GatewayStatus.CLOSED,
    "REVOKED": GatewayStatus.CLOSED,
    "PAYERROR": GatewayStatus.FAILED,
}
REFUND_STATES: Final = {
    "SUCCESS": GatewayStatus.SUCCEEDED,
    "PROCESSING": GatewayStatus.PENDING,
    "CLOSED": GatewayStatus.FAILED,
    "ABNORMAL": GatewayStatus.FAILED,  # the payer's account took no money back
}


class Resource(msgspec.Struct, frozen=True):
    """The encrypted part of a notice."""

    algorithm: str
    ciphertext: str
    nonce: str
    associated_data: str = ""


class Notice(msgspec.Struct, frozen=True):
    """A notice as it is sent."""

    id: str
    event_type: str
    resource: Resource


class _PaidAmount(msgspec.Struct, frozen=True):
    total: int
    currency: str = CNY


class _Payment(msgspec.Struct, frozen=True):
    appid: str
    mchid: str
    out_trade_no: str
    trade_state: str
    amount: _PaidAmount
    transaction_id: str = ""
    success_time: str = ""
    attach: str = ""


class _RefundedAmount(msgspec.Struct, frozen=True):
    refund: int


class _Refund(msgspec.Struct, frozen=True):
    mchid: str
    out_trade_no: str
    out_refund_no: str
    refund_id: str
    refund_status: str
    amount: _RefundedAmount
    success_time: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """A genuine notice, decrypted."""

    event_type: str
    plaintext: bytes


class WeChatPay:
    """Verifies notices for one app of one merchant.

    ``keys`` are WeChat's public keys by serial number (of a platform certificate, or a public
    key's id), ``api_v3_key`` the 32 bytes that were set at WeChat's merchant platform.
    """

    name = NAME
    headers = frozenset((_TIMESTAMP, _NONCE, _SERIAL, _SIGNATURE))
    accepted = Answer(204)
    refused = Answer(401, b'{"code":"FAIL","message":"refused"}', "application/json")

    def __init__(
        self, app_id: str, merchant_id: str, api_v3_key: bytes, keys: Mapping[str, RSAPublicKey]
    ) -> None:
        self._app_id = app_id
        self._merchant_id = merchant_id
        self._cipher = AESGCM(api_v3_key)
        self._keys = dict(keys)

    def verify(
        self, headers: Mapping[str, str], body: bytes, now_ms: int
    ) -> GatewayReport | Rejected:
        """Judge a callback; see the port."""
        opened = self.opened(headers, body, now_ms)
        if isinstance(opened, Rejected):
            return opened
        try:
            if opened.event_type.startswith("TRANSACTION."):
                return self._payment(msgspec.json.decode(opened.plaintext, type=_Payment), now_ms)
            if opened.event_type.startswith("REFUND."):
                return self._refund(msgspec.json.decode(opened.plaintext, type=_Refund), now_ms)
        except ValueError as error:  # also msgspec's
            return Rejected(Reason.MALFORMED, str(error))
        return Rejected(Reason.UNSUPPORTED, opened.event_type)

    def opened(self, headers: Mapping[str, str], body: bytes, now_ms: int) -> Opened | Rejected:
        """Verify the signature of a notice, then decrypt it."""
        timestamp, nonce = headers.get(_TIMESTAMP, ""), headers.get(_NONCE, "")
        if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
            return Rejected(Reason.MALFORMED, f"{_TIMESTAMP} is no epoch time in seconds")
        if not nonce or "\n" in nonce:
            return Rejected(Reason.MALFORMED, _NONCE)
        age_ms = now_ms - int(timestamp) * 1000
        if abs(age_ms) >= SKEW_MS:
            return Rejected(Reason.STALE, f"{age_ms} ms old")
        key = self._keys.get(headers.get(_SERIAL, ""))
        if key is None:
            return Rejected(Reason.UNKNOWN_KEY, headers.get(_SERIAL, "")[:64])
        signature = from_base64(headers.get(_SIGNATURE, ""))
        content = f"{timestamp}\n{nonce}\n".encode() + body + b"\n"
        if signature is None or not is_signed(key, signature, content):
            return Rejected(Reason.BAD_SIGNATURE, _SIGNATURE)
        return self._decrypted(body)

    def _decrypted(self, body: bytes) -> Opened | Rejected:
        try:
            notice = msgspec.json.decode(body, type=Notice)
        except msgspec.MsgspecError as error:
            return Rejected(Reason.MALFORMED, str(error))
        resource = notice.resource
        if resource.algorithm != _ALGORITHM:
            return Rejected(Reason.UNSUPPORTED, resource.algorithm)
        ciphertext = from_base64(resource.ciphertext)
        if ciphertext is None:
            return Rejected(Reason.MALFORMED, "ciphertext")
        associated = resource.associated_data.encode()
        try:
            plaintext = self._cipher.decrypt(resource.nonce.encode(), ciphertext, associated)
        except (InvalidTag, ValueError):  # ValueError: a nonce of a length that cannot be
            return Rejected(Reason.BAD_SIGNATURE, "the resource does not decrypt")
        return Opened(notice.event_type, plaintext)

    def _payment(self, found: _Payment, now_ms: int) -> GatewayReport | Rejected:
        if found.mchid != self._merchant_id:
            return Rejected(Reason.NOT_OURS, "mchid")
        if found.appid != self._app_id:
            return Rejected(Reason.NOT_OURS, "appid")
        status = PAYMENT_STATES.get(found.trade_state)
        if status is None:
            return Rejected(Reason.UNSUPPORTED, found.trade_state)
        return report_of(
            NAME,
            pay_no=found.out_trade_no,
            txn_no=found.transaction_id,
            status=status,
            amount_fen=found.amount.total,
            currency=found.amount.currency,
            occurred_at_ms=epoch_ms(found.success_time) if found.success_time else now_ms,
            trace_id=trace_of(found.attach),
        )

    def _refund(self, found: _Refund, now_ms: int) -> GatewayReport | Rejected:
        if found.mchid != self._merchant_id:
            return Rejected(Reason.NOT_OURS, "mchid")
        status = REFUND_STATES.get(found.refund_status)
        if status is None:
            return Rejected(Reason.UNSUPPORTED, found.refund_status)
        return report_of(
            NAME,
            pay_no=found.out_trade_no,
            refund_no=found.out_refund_no,
            txn_no=found.refund_id,
            status=status,
            amount_fen=found.amount.refund,
            occurred_at_ms=epoch_ms(found.success_time) if found.success_time else now_ms,
        )
