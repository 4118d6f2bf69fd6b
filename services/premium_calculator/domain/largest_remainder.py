"""Sharing a whole number over members in proportion to their weights.

Goal: shares that sum exactly to what is shared, each less than one unit from its exact part.
Method: largest remainder (Hamilton): everyone gets the whole part; what is left goes one unit each to the largest
remainders. Exact integers, so a tie is a tie and never a matter of rounding.
"""

from __future__ import annotations

from collections.abc import Sequence


def split_by_largest_remainder(total: int, weights: Sequence[int]) -> list[int]:
    """Split `total` (>= 0) over N >= 1 members by weight (each >= 0); ties go to the earlier member.

    Returns N shares in the order given, summing exactly to `total`. Raises ValueError if there is something to share
    but nobody has any weight.
    """
    if len(weights) == 1:
        return [total]
    weight_sum = sum(weights)
    if weight_sum == 0:
        if total:
            raise ValueError("nobody has a weight to share by")
        return [0] * len(weights)
    shares = []
    remainders = []
    for weight in weights:
        share, remainder = divmod(total * weight, weight_sum)
        shares.append(share)
        remainders.append(-remainder)
    left_over = total - sum(shares)
    if left_over:
        # Sorting is stable, so of equal remainders the earlier member comes first.
        for member in sorted(range(len(weights)), key=remainders.__getitem__)[:left_over]:
            shares[member] += 1
    return shares
