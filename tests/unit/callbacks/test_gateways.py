"""What each gateway's message must prove, and what is made of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from api.gateways.alipay import Alipay, fen_of
from api.gateways.port import Gateway, Reason, Rejected
from api.gateways.proofs import form_fields
from api.gateways.settings import GatewaySettings, configured
from api.gateways.sim import SimGateway, signed_headers
from api.gateways.unionpay import UNIONPAY as UNIONPAY_NAME
from api.gateways.unionpay import Trust, UnionPay
from api.gateways.wechat import Opened, WeChatPay
from api.key_files import KEY_BYTES, shared_key
from schemas.payment import GatewayReport, GatewayStatus
from tests.unit.callbacks import keys
from tests.unit.callbacks.keys import (
    ALIPAY_PAYMENT,
    ALIPAY_REFUND,
    NOW_MS,
    ORDER,
    PAY,
    REFUND,
    TRACE,
    UNIONPAY_PAYMENT,
    UNIONPAY_REFUND,
    WECHAT_PAYMENT,
    WECHAT_REFUND,
    Certified,
    alipay_form,
    unionpay_form,
)

SECRET = b"s" * 32
PAID_AT_MS = NOW_MS - 2_000
SUCCEEDED, UNKNOWN = GatewayStatus.SUCCEEDED, GatewayStatus.UNKNOWN

SIM = SimGateway(SECRET)
WECHAT = WeChatPay(
    "wx-app", "1900000001", keys.API_V3_KEY, {keys.SERIAL: keys.key("wechat").public_key()}
)
ALIPAY = Alipay("2021000000000001", "2088101106499364", keys.key("alipay").public_key())
UNIONPAY = UnionPay("777290058110048", keys.trust())


def paid(gateway: str, txn_no: str, **other: Any) -> GatewayReport:
    report = GatewayReport(
        order_no=ORDER,
        pay_no=PAY,
        refund_no="",
        gateway=gateway,
        gateway_txn_no=txn_no,
        status=SUCCEEDED,
        amount_fen=12_500,
        currency="CNY",
        occurred_at_ms=PAID_AT_MS,
        trace_id=TRACE,
    )
    return msgspec.structs.replace(report, **other)


def reason(verdict: object) -> Reason:
    assert isinstance(verdict, Rejected), verdict
    return verdict.reason


def sim_message(report: GatewayReport) -> tuple[dict[str, str], bytes]:
    body = msgspec.json.encode(report)
    return signed_headers(SECRET, NOW_MS, body), body


# --- the simulator -------------------------------------------------------------------------------


def test_the_simulator_s_report_comes_back_whole() -> None:
    report = paid("sim", "SIM-1")
    assert SIM.verify(*sim_message(report), NOW_MS) == report


@pytest.mark.parametrize(("off_ms", "is_stale"), [(299_999, False), (300_000, True)])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_simulator_s_clock_may_be_off_by_less_than_five_minutes(
    off_ms: int, is_stale: bool, sign: int
) -> None:
    verdict = SIM.verify(*sim_message(paid("sim", "SIM-1")), NOW_MS + sign * off_ms)
    assert isinstance(verdict, Rejected) == is_stale
    assert not is_stale or reason(verdict) == Reason.STALE


def test_the_simulator_speaks_for_itself_only() -> None:
    assert reason(SIM.verify(*sim_message(paid("wechat", "W-1")), NOW_MS)) == Reason.NOT_OURS


def test_a_short_secret_is_none() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        SimGateway(b"short")


def test_who_asks_for_the_secret_first_makes_it_and_all_get_the_same(tmp_path: Path) -> None:
    file = tmp_path / "secrets" / "sim"
    assert shared_key(file) == shared_key(file)
    assert (len(shared_key(file)), file.stat().st_mode & 0o777) == (KEY_BYTES, 0o600)
    assert list(file.parent.iterdir()) == [file]


# --- WeChat Pay ----------------------------------------------------------------------------------


def golden() -> dict[str, Any]:
    vector: dict[str, Any] = json.loads(Path(__file__).with_name("wechatpay_go.json").read_bytes())
    return vector


def golden_gateway(vector: dict[str, Any]) -> WeChatPay:
    certificate = x509.load_pem_x509_certificate(vector["certificate"].encode())
    key = certificate.public_key()
    assert isinstance(key, RSAPublicKey)
    serial = f"{certificate.serial_number:X}"
    return WeChatPay("app", "mch", vector["api_v3_key"].encode(), {serial: key})


def test_wechat_s_own_vector_is_opened() -> None:
    vector = golden()
    opened = golden_gateway(vector).opened(
        vector["headers"], vector["body"].encode(), vector["now_ms"]
    )
    assert opened == Opened("PAYSCORE.USER_OPEN_SERVICE", vector["plaintext"].encode())


def test_a_genuine_notice_about_something_else_is_no_report() -> None:
    vector = golden()
    verdict = golden_gateway(vector).verify(
        vector["headers"], vector["body"].encode(), vector["now_ms"]
    )
    assert reason(verdict) == Reason.UNSUPPORTED


def test_wechat_reports_a_payment() -> None:
    verdict = WECHAT.verify(*keys.wechat(WECHAT_PAYMENT), NOW_MS)
    assert verdict == paid("wechat", "4200002876202511241234567890")


def test_wechat_reports_a_refund() -> None:
    verdict = WECHAT.verify(*keys.wechat(WECHAT_REFUND, "REFUND.SUCCESS"), NOW_MS)
    assert verdict == paid(
        "wechat",
        "50300012345202511241234567890",
        refund_no=REFUND,
        amount_fen=2_500,
        occurred_at_ms=NOW_MS - 1_000,
        trace_id="",
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"mchid": "1900000002"}, Reason.NOT_OURS),
        ({"appid": "wx-other"}, Reason.NOT_OURS),
        ({"out_trade_no": "theirs"}, Reason.NOT_OURS),
        ({"trade_state": "???"}, Reason.UNSUPPORTED),
        ({"amount": {"total": 0, "currency": "CNY"}}, Reason.BAD_AMOUNT),
        ({"amount": {"total": 5, "currency": "USD"}}, Reason.BAD_AMOUNT),
        ({"amount": {"total": "5"}}, Reason.MALFORMED),
        ({"transaction_id": ""}, Reason.MALFORMED),
        ({"success_time": "yesterday"}, Reason.MALFORMED),
        ({"success_time": "2025-11-24T23:59:58"}, Reason.MALFORMED),
    ],
)
def test_a_genuine_payment_of_wechat_must_be_ours_and_money(
    change: dict[str, Any], why: Reason
) -> None:
    assert reason(WECHAT.verify(*keys.wechat({**WECHAT_PAYMENT, **change}), NOW_MS)) == why


@pytest.mark.parametrize("off_ms", [300_000, -300_000])
def test_wechat_s_message_of_five_minutes_ago_or_ahead_is_stale(off_ms: int) -> None:
    assert reason(WECHAT.verify(*keys.wechat(WECHAT_PAYMENT), NOW_MS + off_ms)) == Reason.STALE


def test_wechat_s_key_is_found_by_its_serial_and_no_other_will_do() -> None:
    headers, body = keys.wechat(WECHAT_PAYMENT)
    unknown = {**headers, "wechatpay-serial": "00"}
    assert reason(WECHAT.verify(unknown, body, NOW_MS)) == Reason.UNKNOWN_KEY
    forged = keys.wechat(WECHAT_PAYMENT, signer="somebody")
    assert reason(WECHAT.verify(*forged, NOW_MS)) == Reason.BAD_SIGNATURE


# --- Alipay --------------------------------------------------------------------------------------


def test_alipay_reports_a_payment() -> None:
    verdict = ALIPAY.verify({}, alipay_form(ALIPAY_PAYMENT), NOW_MS)
    assert verdict == paid("alipay", "2025112422001412345678901234")


def test_alipay_says_what_the_first_refund_gave_back_and_not_what_a_later_one_did() -> None:
    first = paid(
        "alipay",
        f"2025112422001412345678901234/{REFUND}",
        refund_no=REFUND,
        amount_fen=2_500,
        occurred_at_ms=NOW_MS - 877,
        trace_id="",
    )
    assert ALIPAY.verify({}, alipay_form(ALIPAY_REFUND), NOW_MS) == first
    later = {**ALIPAY_REFUND, "out_biz_no": f"{PAY}-R2", "refund_fee": "30.00"}
    assert ALIPAY.verify({}, alipay_form(later), NOW_MS) == msgspec.structs.replace(
        first, refund_no=f"{PAY}-R2", amount_fen=3_000, status=UNKNOWN, gateway_txn_no=""
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"app_id": "2021000000000002"}, Reason.NOT_OURS),
        ({"seller_id": "2088000000000000"}, Reason.NOT_OURS),
        ({"out_trade_no": "theirs"}, Reason.NOT_OURS),
        ({"trade_status": "?"}, Reason.UNSUPPORTED),
        ({"charset": "gbk"}, Reason.UNSUPPORTED),
        ({"total_amount": "0.00"}, Reason.BAD_AMOUNT),
        ({"total_amount": "1e3"}, Reason.MALFORMED),
        ({"total_amount": "1.005"}, Reason.MALFORMED),
        ({"gmt_payment": "soon"}, Reason.MALFORMED),
    ],
)
def test_a_genuine_payment_of_alipay_must_be_ours_and_money(
    change: dict[str, str], why: Reason
) -> None:
    verdict = ALIPAY.verify({}, alipay_form({**ALIPAY_PAYMENT, **change}), NOW_MS)
    assert reason(verdict) == why


def test_alipay_may_not_sign_with_less_than_rsa2() -> None:
    weak = alipay_form(ALIPAY_PAYMENT).replace(b"sign_type=RSA2", b"sign_type=RSA")
    assert reason(ALIPAY.verify({}, weak, NOW_MS)) == Reason.UNKNOWN_KEY
    forged = alipay_form(ALIPAY_PAYMENT, signer="somebody")
    assert reason(ALIPAY.verify({}, forged, NOW_MS)) == Reason.BAD_SIGNATURE


def test_a_field_that_comes_twice_means_nothing() -> None:
    twice = alipay_form(ALIPAY_PAYMENT) + b"&total_amount=1.00"
    assert reason(ALIPAY.verify({}, twice, NOW_MS)) == Reason.MALFORMED


@pytest.mark.parametrize(("yuan", "fen"), [("88.88", 8888), ("88.8", 8880), ("88", 8800)])
def test_yuan_are_counted_in_fen_exactly(yuan: str, fen: int) -> None:
    assert fen_of(yuan) == fen


# --- UnionPay ------------------------------------------------------------------------------------


def test_unionpay_reports_a_payment() -> None:
    verdict = UNIONPAY.verify({}, unionpay_form(UNIONPAY_PAYMENT), NOW_MS)
    assert verdict == paid("unionpay", "822511242359580123458")


def test_unionpay_reports_a_refund() -> None:
    verdict = UNIONPAY.verify({}, unionpay_form(UNIONPAY_REFUND), NOW_MS)
    number = "822511242359590123459"
    assert verdict == paid("unionpay", number, refund_no=REFUND, amount_fen=2_500)


@pytest.mark.parametrize(
    ("code", "status"),
    [("A6", SUCCEEDED), ("03", UNKNOWN), ("05", UNKNOWN), ("61", GatewayStatus.FAILED)],
)
def test_what_unionpay_has_not_decided_is_asked_for(code: str, status: GatewayStatus) -> None:
    verdict = UNIONPAY.verify({}, unionpay_form({**UNIONPAY_PAYMENT, "respCode": code}), NOW_MS)
    assert isinstance(verdict, GatewayReport)
    assert verdict.status == status


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"merId": "777290058110049"}, Reason.NOT_OURS),
        ({"orderId": "theirs"}, Reason.NOT_OURS),
        ({"txnType": "02"}, Reason.UNSUPPORTED),
        ({"version": "5.0.0"}, Reason.UNSUPPORTED),
        ({"currencyCode": "840"}, Reason.BAD_AMOUNT),
        ({"txnAmt": "0"}, Reason.BAD_AMOUNT),
        ({"txnAmt": "-5"}, Reason.MALFORMED),
        ({"txnTime": "now"}, Reason.MALFORMED),
    ],
)
def test_a_genuine_payment_of_unionpay_must_be_ours_and_money(
    change: dict[str, str], why: Reason
) -> None:
    verdict = UNIONPAY.verify({}, unionpay_form({**UNIONPAY_PAYMENT, **change}), NOW_MS)
    assert reason(verdict) == why


@pytest.mark.parametrize(
    "says",
    [
        Certified(name="041@Z2025@somebody else@00000001"),
        Certified(name=UNIONPAY_NAME),
        Certified(issuer="root"),
        Certified(issuer="somebody"),
        Certified(until_days=-1),
        Certified(from_days=1),
    ],
)
def test_a_certificate_must_be_unionpay_s_issued_by_the_intermediate_and_valid_now(
    says: Certified,
) -> None:
    verdict = UNIONPAY.verify({}, unionpay_form(UNIONPAY_PAYMENT, says), NOW_MS)
    assert reason(verdict) == Reason.UNKNOWN_KEY


def test_an_intermediate_that_the_root_did_not_issue_certifies_nobody() -> None:
    other = keys.certificate("root", Certified("other root", "root"))
    gateway = UnionPay("777290058110048", Trust(other, keys.trust().intermediate))
    verdict = gateway.verify({}, unionpay_form(UNIONPAY_PAYMENT), NOW_MS)
    assert reason(verdict) == Reason.UNKNOWN_KEY


def test_the_certificate_s_holder_must_have_signed() -> None:
    forged = unionpay_form(UNIONPAY_PAYMENT, signer="somebody")
    assert reason(UNIONPAY.verify({}, forged, NOW_MS)) == Reason.BAD_SIGNATURE


# --- all of them ---------------------------------------------------------------------------------

GENUINE: dict[str, tuple[Gateway, dict[str, str], bytes]] = {
    "sim": (SIM, *sim_message(paid("sim", "SIM-1"))),
    "wechat": (WECHAT, *keys.wechat(WECHAT_PAYMENT)),
    "alipay": (ALIPAY, {}, alipay_form(ALIPAY_PAYMENT)),
    "unionpay": (UNIONPAY, {}, unionpay_form(UNIONPAY_PAYMENT)),
}


def says_the_same(name: str, one: bytes, other: bytes) -> bool:
    """Tell whether two bodies differ only in how they are written: %2f for %2F in a form."""
    return name in ("alipay", "unionpay") and form_fields(one) == form_fields(other)


@given(st.data())
def test_a_changed_byte_anywhere_is_refused(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(GENUINE)))
    gateway, headers, body = GENUINE[name]
    parts: Mapping[str, bytes] = {"": body, **{k: v.encode() for k, v in headers.items()}}
    which = data.draw(st.sampled_from(sorted(parts)))
    changed = bytearray(parts[which])
    at = data.draw(st.integers(0, len(changed) - 1))
    changed[at] = data.draw(st.integers(0, 255).filter(lambda b: b != parts[which][at]))
    if which:
        headers = {**headers, which: changed.decode("latin-1")}
    else:
        body = bytes(changed)
    if says_the_same(name, body, GENUINE[name][2]) and not which:
        return
    assert isinstance(gateway.verify(headers, body, NOW_MS), Rejected), (name, which, at)


@given(
    st.sampled_from(sorted(GENUINE)),
    st.binary(max_size=200),
    st.dictionaries(st.sampled_from(sorted({*SIM.headers, *WECHAT.headers})), st.text(max_size=40)),
)
def test_rubbish_is_refused_and_breaks_nothing(
    name: str, body: bytes, headers: dict[str, str]
) -> None:
    assert isinstance(GENUINE[name][0].verify(headers, body, NOW_MS), Rejected)


# --- settings ------------------------------------------------------------------------------------


def test_a_gateway_is_there_when_its_keys_are(tmp_path: Path) -> None:
    (tmp_path / "v3").write_bytes(keys.API_V3_KEY + b"\n")
    (tmp_path / "keys").mkdir()
    for name, path in (("wechat", "keys/PUB_KEY_ID_1.pem"), ("alipay", "alipay.pem")):
        pem = (
            keys.key(name)
            .public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
        (tmp_path / path).write_bytes(pem)
    for name, known in (("root", keys.trust().root), ("middle", keys.trust().intermediate)):
        (tmp_path / name).write_bytes(known.public_bytes(Encoding.PEM))
    settings = GatewaySettings(
        sim_secret=tmp_path / "sim",
        wechat_app_id="wx-app",
        wechat_merchant_id="1900000001",
        wechat_api_v3_key=tmp_path / "v3",
        wechat_keys=tmp_path / "keys",
        alipay_app_id="2021000000000001",
        alipay_seller_id="2088101106499364",
        alipay_public_key=tmp_path / "alipay.pem",
        unionpay_merchant_id="777290058110048",
        unionpay_root=tmp_path / "root",
        unionpay_intermediate=tmp_path / "middle",
    )
    gateways = configured(settings)
    assert gateways.keys() == {"sim", "wechat", "alipay", "unionpay"}
    headers, body = keys.wechat(WECHAT_PAYMENT)
    headers["wechatpay-serial"] = "PUB_KEY_ID_1"
    for name, message in (
        ("wechat", (headers, body)),
        ("alipay", GENUINE["alipay"][1:]),
        ("unionpay", GENUINE["unionpay"][1:]),
    ):
        assert isinstance(gateways[name].verify(*message, NOW_MS), GatewayReport)


def test_half_a_gateway_is_a_mistake() -> None:
    with pytest.raises(ValidationError, match="alipay lacks alipay_seller_id, alipay_public_key"):
        GatewaySettings(alipay_app_id="2021000000000001")


def test_without_settings_nobody_may_call() -> None:
    assert configured(GatewaySettings()) == {}
