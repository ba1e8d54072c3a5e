"""Keys and certificates made for these tests, and messages signed as the gateways sign them."""

from __future__ import annotations

import base64
import functools
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from api.gateways import alipay, unionpay
from api.gateways.proofs import sorted_content

NOW_MS = 1_764_000_000_000  # 2025-11-24T16:00:00Z
ORDER, PAY, REFUND = "C8Q1ET4KW8P0J0HP", "C8Q1ET4KW8P0J0HP-1", "C8Q1ET4KW8P0J0HP-1-R1"
TRACE = "0af7651916cd43dd8448eb211c80319c"
API_V3_KEY = b"0123456789abcdefghijklmnopqrstuv"
SERIAL = "7132D72A03E93CDDF8C03BBD1F37EEDF2F4D4BA1"


@functools.cache
def key(name: str) -> rsa.RSAPrivateKey:
    """Return the key of that name: one for the whole run, for making one takes 50 ms."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def signed(name: str, content: bytes) -> str:
    return base64.b64encode(key(name).sign(content, PKCS1v15(), SHA256())).decode()


# --- WeChat Pay ----------------------------------------------------------------------------------

WECHAT_PAYMENT: dict[str, Any] = {
    "appid": "wx-app",
    "mchid": "1900000001",
    "out_trade_no": PAY,
    "transaction_id": "4200002876202511241234567890",
    "trade_state": "SUCCESS",
    "success_time": "2025-11-24T23:59:58+08:00",
    "attach": TRACE,
    "amount": {"total": 12_500, "payer_total": 12_500, "currency": "CNY"},
}
WECHAT_REFUND: dict[str, Any] = {
    "mchid": "1900000001",
    "out_trade_no": PAY,
    "transaction_id": "4200002876202511241234567890",
    "out_refund_no": REFUND,
    "refund_id": "50300012345202511241234567890",
    "refund_status": "SUCCESS",
    "success_time": "2025-11-24T23:59:59+08:00",
    "amount": {"total": 12_500, "refund": 2_500, "payer_total": 12_500, "payer_refund": 2_500},
}


def wechat(
    content: dict[str, Any],
    event_type: str = "TRANSACTION.SUCCESS",
    at_ms: int = NOW_MS,
    signer: str = "wechat",
) -> tuple[dict[str, str], bytes]:
    nonce, associated = "Kj7QIyUiYx1q", "transaction"
    sealed = AESGCM(API_V3_KEY).encrypt(
        nonce.encode(), msgspec.json.encode(content), associated.encode()
    )
    resource = {
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": base64.b64encode(sealed).decode(),
        "nonce": nonce,
        "associated_data": associated,
    }
    notice = {"id": "n-1", "event_type": event_type, "resource": resource}
    body = msgspec.json.encode(notice)
    timestamp = str(at_ms // 1000)
    proof = f"{timestamp}\nEcZ9Cmy4Xyx1\n".encode() + body + b"\n"
    headers = {
        "wechatpay-timestamp": timestamp,
        "wechatpay-nonce": "EcZ9Cmy4Xyx1",
        "wechatpay-serial": SERIAL,
        "wechatpay-signature": signed(signer, proof),
    }
    return headers, body


# --- Alipay --------------------------------------------------------------------------------------

ALIPAY_PAYMENT = {
    "app_id": "2021000000000001",
    "seller_id": "2088101106499364",
    "charset": "utf-8",
    "notify_type": "trade_status_sync",
    "out_trade_no": PAY,
    "trade_no": "2025112422001412345678901234",
    "trade_status": "TRADE_SUCCESS",
    "total_amount": "125.00",
    "subject": "三件 A&B=C",
    "gmt_payment": "2025-11-24 23:59:58",
    "passback_params": TRACE,
}
ALIPAY_REFUND = {
    **ALIPAY_PAYMENT,
    "out_biz_no": REFUND,
    "refund_fee": "25.00",
    "gmt_refund": "2025-11-24 23:59:59.123",
}


def alipay_form(fields: dict[str, str], signer: str = "alipay") -> bytes:
    sign = signed(signer, sorted_content(fields, alipay.UNSIGNED))
    return urlencode({**fields, "sign_type": "RSA2", "sign": sign}).encode()


# --- UnionPay ------------------------------------------------------------------------------------

UNIONPAY_PAYMENT = {
    "version": "5.1.0",
    "signMethod": "01",
    "encoding": "UTF-8",
    "txnType": "01",
    "merId": "777290058110048",
    "orderId": PAY.replace("-", "x"),
    "queryId": "822511242359580123458",
    "txnTime": "20251124235958",
    "txnAmt": "12500",
    "currencyCode": "156",
    "respCode": "00",
    "reqReserved": TRACE,
}
UNIONPAY_REFUND = {
    **UNIONPAY_PAYMENT,
    "txnType": "04",
    "orderId": REFUND.replace("-", "x"),
    "queryId": "822511242359590123459",
    "txnAmt": "2500",
}


class Certified(NamedTuple):
    """What a certificate says."""

    name: str = f"041@Z2025@{unionpay.UNIONPAY}@00000001"
    issuer: str = "intermediate"
    from_days: int = -30
    until_days: int = 30


GENUINE = Certified()


@functools.cache
def certificate(holder: str, says: Certified) -> x509.Certificate:
    """Return the certificate of the key ``holder``, signed by the issuer's key."""
    now = datetime.fromtimestamp(NOW_MS / 1000, UTC)

    def named(name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    return (
        x509.CertificateBuilder()
        .subject_name(named(says.name))
        .issuer_name(named(says.issuer))
        .public_key(key(holder).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=says.from_days))
        .not_valid_after(now + timedelta(days=says.until_days))
        .sign(key(says.issuer), SHA256())
    )


def trust() -> unionpay.Trust:
    return unionpay.Trust(
        root=certificate("root", Certified("root", "root")),
        intermediate=certificate("intermediate", Certified("intermediate", "root")),
    )


def unionpay_form(
    fields: dict[str, str], says: Certified = GENUINE, signer: str = "unionpay"
) -> bytes:
    pem = certificate("unionpay", says).public_bytes(Encoding.PEM).decode()
    whole = {**fields, "signPubKeyCert": pem}
    signature = signed(signer, unionpay.signed_content(whole))
    return urlencode({**whole, "signature": signature}).encode()
