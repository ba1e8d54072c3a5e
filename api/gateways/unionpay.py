"""UnionPay 5.1.0: RSA-SHA256 over the lower-case hex SHA-256 of the sorted fields.

The signer's certificate comes in the message (``signPubKeyCert``). It is believed only when a known
intermediate issued it and a known root that one, all are valid now, and it names UnionPay.
Source: https://open.unionpay.com/tjweb/acproduct/dictionary (5.1.0, signMethod 01) and the SDK's
``CertUtil.verifyCertificate``.

Numbers of orders may hold letters and digits only at UnionPay, so the ``-`` of ours is an ``x``
there: base 32 numbers have none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import NameOID

from api.gateways.port import Answer, Reason, Rejected
from api.gateways.proofs import form_fields, from_base64, is_signed, sorted_content
from api.gateways.reports import epoch_ms, payment_of, report_of, trace_of
from schemas.payment import GatewayReport, GatewayStatus

NAME = "unionpay"
UNIONPAY = "中国银联股份有限公司"
"""Third part of the certificate's common name in production; the test system's: 00040000:SIGN."""

_PAYMENT, _REFUND = "01", "04"
_YUAN = "156"  # ISO 4217
_SUCCEEDED: Final = frozenset(("00", "A6"))  # A6: succeeded with a defect that is not ours
_UNDECIDED: Final = frozenset(("03", "04", "05"))  # its end is not known: it has to be asked


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose certificates are believed: those that ``intermediate`` issued to ``common_name``."""

    root: x509.Certificate
    intermediate: x509.Certificate
    common_name: str = UNIONPAY

    def key_of(self, pem: str, now_ms: int) -> RSAPublicKey | Rejected:
        """Return the key of a certificate that is believed at ``now_ms``."""
        try:
            signer = x509.load_pem_x509_certificate(pem.encode())
            signer.verify_directly_issued_by(self.intermediate)
            self.intermediate.verify_directly_issued_by(self.root)
        except (ValueError, TypeError, InvalidSignature):
            return Rejected(Reason.UNKNOWN_KEY, "signPubKeyCert was not issued by who may issue it")
        now = datetime.fromtimestamp(now_ms / 1000, UTC)
        for certificate in (signer, self.intermediate, self.root):
            if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
                return Rejected(Reason.UNKNOWN_KEY, "signPubKeyCert or its issuer is not valid now")
        names = signer.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        parts = str(names[0].value).split("@") if names else []
        if len(parts) < 3 or parts[2] != self.common_name:
            return Rejected(Reason.UNKNOWN_KEY, "signPubKeyCert is not UnionPay's")
        key = signer.public_key()
        if not isinstance(key, RSAPublicKey):
            return Rejected(Reason.UNKNOWN_KEY, "signPubKeyCert has no RSA key")
        return key


class UnionPay:
    """Verifies notices for one merchant."""

    name = NAME
    headers: frozenset[str] = frozenset()
    accepted = Answer(200, b"ok")
    refused = Answer(400)

    def __init__(self, merchant_id: str, trust: Trust) -> None:
        self._merchant_id = merchant_id
        self._trust = trust

    def verify(
        self, headers: Mapping[str, str], body: bytes, now_ms: int
    ) -> GatewayReport | Rejected:
        """Judge a callback; see the port. Its signature covers no time of sending."""
        fields = form_fields(body)
        if fields is None:
            return Rejected(Reason.MALFORMED, "no urlencoded form in UTF-8")
        if fields.get("version") != "5.1.0" or fields.get("signMethod") != "01":
            return Rejected(Reason.UNSUPPORTED, "version is not 5.1.0 with signMethod 01")
        key = self._trust.key_of(fields.get("signPubKeyCert", ""), now_ms)
        if isinstance(key, Rejected):
            return key
        signature = from_base64(fields.get("signature", ""))
        if signature is None or not is_signed(key, signature, signed_content(fields)):
            return Rejected(Reason.BAD_SIGNATURE, "signature")
        if fields.get("merId") != self._merchant_id:
            return Rejected(Reason.NOT_OURS, "merId")
        if fields.get("txnType") not in (_PAYMENT, _REFUND):
            return Rejected(Reason.UNSUPPORTED, fields.get("txnType", "")[:8])
        if fields.get("currencyCode") != _YUAN:
            return Rejected(Reason.BAD_AMOUNT, "currencyCode")
        try:
            return _report(fields)
        except (KeyError, ValueError) as error:
            return Rejected(Reason.MALFORMED, str(error))


def signed_content(fields: Mapping[str, str]) -> bytes:
    """Return what is signed: the hex digits of SHA-256 of the sorted fields but ``signature``."""
    return hashlib.sha256(sorted_content(fields, ("signature",))).hexdigest().encode()


def _report(fields: Mapping[str, str]) -> GatewayReport | Rejected:
    number = fields["orderId"].replace("x", "-")
    is_refund = fields["txnType"] == _REFUND
    amount, time = fields["txnAmt"], fields["txnTime"]
    if not (amount.isascii() and amount.isdecimal() and len(amount) <= 12):
        raise ValueError("txnAmt")
    return report_of(
        NAME,
        pay_no=payment_of(number) if is_refund else number,
        refund_no=number if is_refund else "",
        txn_no=fields["queryId"],
        status=_status(fields["respCode"]),
        amount_fen=int(amount),
        occurred_at_ms=epoch_ms(f"{time[:8]}T{time[8:]}+08:00"),  # Beijing time
        trace_id=trace_of(fields.get("reqReserved", "")),
    )


def _status(code: str) -> GatewayStatus:
    if code in _SUCCEEDED:
        return GatewayStatus.SUCCEEDED
    return GatewayStatus.UNKNOWN if code in _UNDECIDED else GatewayStatus.FAILED
