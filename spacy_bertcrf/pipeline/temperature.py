"""The search for the temperature that fits best."""

import math
from collections.abc import Callable

RANGE = (0.05, 20.0)
TOLERANCE = 1e-3  # of the temperature's logarithm
SHRINKS = (math.sqrt(5) - 1) / 2


def fitted_temperature(loss: Callable[[float], float]) -> float:
    """The temperature in RANGE with the smallest loss, by golden-section search.

    loss: of a temperature. That of gold tags has one minimum: it is convex in 1 / temperature.
    """
    low, high = map(math.log, RANGE)
    left, right = high - SHRINKS * (high - low), low + SHRINKS * (high - low)
    at_left, at_right = loss(math.exp(left)), loss(math.exp(right))
    while high - low > TOLERANCE:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - SHRINKS * (high - low)
            at_left = loss(math.exp(left))
        else:
            low, left, at_left = left, right, at_right
            right = low + SHRINKS * (high - low)
            at_right = loss(math.exp(right))
    return math.exp((low + high) / 2)
