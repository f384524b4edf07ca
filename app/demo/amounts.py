"""Whole numbers of fen that add up exactly: a group's total over its customers, a customer's over
their receipts.

Drawing floats and rounding would leave a residue; here the shape is drawn first, the numbers are
cut to whole steps, and what is left over is handed out step by step within the bounds.
"""

import math
from collections.abc import Sequence
from random import Random


def _quantile(share: float, span: int, scale: float) -> float:
    """Give the truncated exponential's value on 0..span below which `share` of it lies."""
    return -scale * math.log1p(share * math.expm1(-span / scale))


def skewed_amounts(
    rng: Random, total: int, count: int, lower: int, upper: int, *, step: int = 10, draws: int = 1
) -> list[int]:
    """Draw `count` skewed amounts in `lower`..`upper` (both allowed) whose sum is `total`.

    Most are multiples of `step`; one takes what the step cannot express. Two `draws` move the mode
    off the lower bound, one leaves it there. The mean must lie in the lower half of the bounds.

    Raises:
        ValueError: the total can't be reached by such amounts.
    """
    span = upper - lower
    wanted = total - count * lower
    if count < 1 or not 0 <= wanted <= count * span // 2:
        raise ValueError(f"{count} amounts in {lower}..{upper} do not make {total}")
    shares = [sum(rng.random() for _ in range(draws)) / draws for _ in range(count)]
    short, long = span / 500, span * 50.0
    for _ in range(60):
        scale = math.sqrt(short * long)
        if sum(_quantile(share, span, scale) for share in shares) < wanted:
            short = scale
        else:
            long = scale
    amounts = [lower + int(_quantile(share, span, short)) // step * step for share in shares]
    return _hand_out(rng, amounts, total - sum(amounts), lower, upper, step)


def _hand_out(
    rng: Random, amounts: list[int], residue: int, lower: int, upper: int, step: int
) -> list[int]:
    order = list(range(len(amounts)))
    rng.shuffle(order)
    odd = residue % step
    residue -= odd
    while residue or odd:
        before = (residue, odd)
        for index in order:
            if odd and amounts[index] + odd <= upper:
                amounts[index] += odd
                odd = 0
                continue
            move = step if residue > 0 else -step if residue < 0 else 0
            if move and lower <= amounts[index] + move <= upper:
                amounts[index] += move
                residue -= move
        if before == (residue, odd):
            raise ValueError("the bounds leave no room for the total")
    return amounts


def apportion(total: int, weights: Sequence[float], minimum: int, *, step: int = 10) -> list[int]:
    """Split `total` by `weights`, each part at least `minimum`; the heaviest takes the residue.

    Raises:
        ValueError: the total is less than the minimum for each.
    """
    spare = total - minimum * len(weights)
    if spare < 0:
        raise ValueError(f"{total} is too little for {len(weights)} parts of {minimum}")
    scale = spare / sum(weights)
    parts = [minimum + int(weight * scale) // step * step for weight in weights]
    parts[max(range(len(weights)), key=weights.__getitem__)] += total - sum(parts)
    return parts
