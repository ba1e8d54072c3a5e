"""Every rounding of money, in one place. Amounts are in fen, shares in basis points.

A discount is rounded **down**: a rule gives at most what it says, so a budget or a floor that was
counted in fen holds to the fen. A floor is rounded **up**, for the same reason. What is shared out
goes by **largest remainder** (Hamilton's method; Balinski and Young, Fair Representation, 1982,
chapter 3), whose shares sum up to the whole and miss their quota by less than 1 fen. The units of a
line share its payable amount in the same way: equal weights, the first units bear the odd fen
(streams/orders/units.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.promotion import WHOLE_BP


def share_fen(amount_fen: int, bp: int) -> int:
    """Return ``bp`` of an amount, rounded down."""
    return amount_fen * bp // WHOLE_BP


def floor_fen(amount_fen: int, bp: int) -> int:
    """Return what must be left of an amount at least: ``bp`` of it, rounded up."""
    return -(-amount_fen * bp // WHOLE_BP)


def part_fen(amount_fen: int, part: int, whole: int) -> int:
    """Return what ``part`` units of ``whole`` cost that cost ``amount_fen``, rounded down."""
    return amount_fen * part // whole


def apportion(total_fen: int, weights: Sequence[int]) -> list[int]:
    """Share ``total_fen`` out by ``weights`` (>= 0, not all 0 unless the total is), in their order.

    Equal remainders: the larger weight first, then the earlier one. No share exceeds its weight
    as long as the total does not exceed their sum.
    """
    count = len(weights)
    if not total_fen:
        return [0] * count
    if count == 1:
        return [total_fen]
    whole = sum(weights)
    shares = [total_fen * weight // whole for weight in weights]
    odd_fen = total_fen - sum(shares)
    if odd_fen:
        order = [
            (-(total_fen * weight % whole), -weight, i)
            for i, weight in enumerate(weights)
            if weight
        ]
        order.sort()
        for _, _, i in order[:odd_fen]:
            shares[i] += 1
    return shares
