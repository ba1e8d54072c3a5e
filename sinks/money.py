"""Money between minor units, as facts have it, and decimals, as people read it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

_USUAL_DIGITS: Final = 2
_WHOLE: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THOUSANDTHS: Final = "BHD IQD JOD KWD LYD OMR TND"
_DIGITS: Final[Mapping[str, int]] = {
    **dict.fromkeys(_WHOLE.split(), 0),
    **dict.fromkeys(_THOUSANDTHS.split(), 3),
}
"""ISO 4217: the digits of a currency's minor unit, where they are not two."""


def major(minor: int, currency: str) -> Decimal:
    """Return e.g. ``Decimal("19.99")`` for 1999 and CNY, ``Decimal("1999")`` for JPY."""
    return Decimal(minor).scaleb(-_DIGITS.get(currency, _USUAL_DIGITS))


def minor(amount: Decimal, currency: str) -> int:
    """Return the minor units of ``amount``; the inverse of ``major``."""
    return int(amount.scaleb(_DIGITS.get(currency, _USUAL_DIGITS)))
