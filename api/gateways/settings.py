"""Which gateways may call us, and where their keys are: files, never values in the environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.gateways.alipay import Alipay
from api.gateways.port import Gateway
from api.gateways.sim import SimGateway
from api.gateways.unionpay import UNIONPAY, Trust, UnionPay
from api.gateways.wechat import WeChatPay
from api.key_files import shared_key

_GROUPS = {
    "wechat": ("wechat_app_id", "wechat_merchant_id", "wechat_api_v3_key", "wechat_keys"),
    "alipay": ("alipay_app_id", "alipay_seller_id", "alipay_public_key"),
    "unionpay": ("unionpay_merchant_id", "unionpay_root", "unionpay_intermediate"),
}


class GatewaySettings(BaseSettings):
    """Settings of the payment callbacks, read from ``ORDERSTREAM_GATEWAY_*`` when constructed.

    A gateway with none of its settings is not there; with some of them it is a mistake. Raises
    ``pydantic.ValidationError``.
    """

    model_config = SettingsConfigDict(env_prefix="ORDERSTREAM_GATEWAY_", env_ignore_empty=True)

    sim_secret: Path | None = Field(
        default=None,
        description="File with the secret that the simulator signs with; made when missing.",
    )
    wechat_app_id: str | None = Field(default=None, description="appid of the app.")
    wechat_merchant_id: str | None = Field(default=None, description="mchid of the merchant.")
    wechat_api_v3_key: Path | None = Field(
        default=None, description="File with the 32 characters of the API v3 key."
    )
    wechat_keys: Path | None = Field(
        default=None,
        description="Folder of WeChat's keys: *.pem, certificates, or public keys named by id.",
    )
    alipay_app_id: str | None = Field(default=None, description="app_id of the app.")
    alipay_seller_id: str | None = Field(default=None, description="The seller's user id, 2088...")
    alipay_public_key: Path | None = Field(
        default=None, description="File with Alipay's public key (not the app's), PEM."
    )
    unionpay_merchant_id: str | None = Field(default=None, description="merId of the merchant.")
    unionpay_root: Path | None = Field(default=None, description="UnionPay's root certificate.")
    unionpay_intermediate: Path | None = Field(
        default=None, description="UnionPay's intermediate certificate."
    )
    unionpay_common_name: str = Field(
        default=UNIONPAY,
        description="Whom the signing certificate names; 00040000:SIGN on the test system.",
    )

    @model_validator(mode="after")
    def _is_whole(self) -> GatewaySettings:
        for gateway, names in _GROUPS.items():
            missing = [name for name in names if getattr(self, name) is None]
            if 0 < len(missing) < len(names):
                raise ValueError(f"{gateway} lacks {', '.join(missing)}")
        return self


def configured(settings: GatewaySettings) -> Mapping[str, Gateway]:
    """Return the gateways that are set up, by name.

    Raises OSError when a file cannot be read, and ValueError when it does not hold what it should.
    """
    found: list[Gateway] = []
    if settings.sim_secret is not None:
        found.append(SimGateway(shared_key(settings.sim_secret)))
    if settings.wechat_keys and settings.wechat_api_v3_key:
        found.append(
            WeChatPay(
                settings.wechat_app_id or "",
                settings.wechat_merchant_id or "",
                settings.wechat_api_v3_key.read_bytes().strip(),
                wechat_keys(settings.wechat_keys),
            )
        )
    if settings.alipay_public_key:
        key = _public_key(settings.alipay_public_key)
        found.append(Alipay(settings.alipay_app_id or "", settings.alipay_seller_id or "", key))
    if settings.unionpay_root and settings.unionpay_intermediate:
        trust = Trust(
            x509.load_pem_x509_certificate(settings.unionpay_root.read_bytes()),
            x509.load_pem_x509_certificate(settings.unionpay_intermediate.read_bytes()),
            settings.unionpay_common_name,
        )
        found.append(UnionPay(settings.unionpay_merchant_id or "", trust))
    return {gateway.name: gateway for gateway in found}


def wechat_keys(folder: Path) -> dict[str, RSAPublicKey]:
    """Return WeChat's keys by what ``Wechatpay-Serial`` calls them.

    A certificate's is its serial number in upper-case hex, a public key's its id, here the name of
    its file (``PUB_KEY_ID_....pem``). Both stay valid side by side while WeChat changes them.
    """
    keys: dict[str, RSAPublicKey] = {}
    for file in sorted(folder.glob("*.pem")):
        if b"BEGIN CERTIFICATE" in file.read_bytes():
            certificate = x509.load_pem_x509_certificate(file.read_bytes())
            key = certificate.public_key()
            if not isinstance(key, RSAPublicKey):
                raise ValueError(f"{file} holds no RSA key")
            keys[f"{certificate.serial_number:X}"] = key
        else:
            keys[file.stem] = _public_key(file)
    return keys


def _public_key(file: Path) -> RSAPublicKey:
    key = load_pem_public_key(file.read_bytes())
    if not isinstance(key, RSAPublicKey):
        raise ValueError(f"{file} holds no RSA key")
    return key
