"""How sure a share of few runs is."""

import math
from statistics import NormalDist


def wilson_interval(having: int, runs: int, confidence: float) -> tuple[float, float]:
    """Between which shares that of all runs probably is, if `having` of `runs` (more than 0) are seen.

    Wilson's score interval (1927): unlike the plain one it stays within 0 and 1 and holds for few runs.
    `confidence` is above 0 and below 1.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, weight = having / runs, z * z / runs
    middle = (share + weight / 2) / (1 + weight)
    reach = z * math.sqrt(share * (1 - share) / runs + weight / (4 * runs)) / (1 + weight)
    return max(0.0, min(share, middle - reach)), min(1.0, max(share, middle + reach))
