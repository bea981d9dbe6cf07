"""Writes schemas/vectors/selection-draws.json: ten million draws from posteriors, and how often each group of arms won.

Independent of Croupier: numpy draws, and of many equal posteriors at once only the largest, which is the quantile of
U**(1/arms). Needs numpy and scipy:  python3 selection_draws.py > ../../../schemas/vectors/selection-draws.json
"""

import json

import numpy as np
from scipy import stats

DRAWS = 10_000_000
BATCH = 500_000
FAMILIES = {
    "beta": lambda alpha, beta: stats.beta(alpha, beta),
    "normal": lambda location, scale: stats.norm(location, scale),
    "t": lambda location, scale, degreesOfFreedom: stats.t(degreesOfFreedom, location, scale),
}
CASES = [
    ("beta", "narrow", [(1, 1200, 98_800), (1, 1150, 98_850), (1, 1230, 98_770)]),
    ("beta", "flat", [(1, 1, 1), (1, 0.5, 0.5), (1, 1, 2)]),
    ("beta", "near-equal", [(1, 200, 300), (1, 201, 300), (1, 200.5, 300), (1, 199, 299)]),
    ("beta", "4,000 arms", [(3_000, 1, 19), (900, 3, 40), (90, 30, 250), (10, 600, 3_400)]),
    ("normal", "narrow", [(1, 0.5, 1e-5), (1, 0.50001, 2e-5), (1, 0.49999, 3e-5)]),
    ("normal", "flat", [(1, 0.5, 0.001), (1, 0.4, 0.3), (1, 0.1, 0.2)]),
    ("normal", "near-equal", [(1, 0.5, 0.01), (1, 0.5001, 0.0101), (1, 0.4999, 0.01), (1, 0.5, 0.0099)]),
    ("normal", "4,000 arms", [(3_000, 0.4, 0.1), (900, 0.5, 0.08), (90, 0.6, 0.05), (10, 0.7, 0.02)]),
    ("t", "narrow", [(1, 0.5, 1e-5, 12), (1, 0.50001, 2e-5, 40), (1, 0.49999, 3e-5, 5)]),
    ("t", "flat", [(1, 0.5, 0.001, 12), (1, 0.4, 0.3, 2), (1, 0.1, 0.2, 3)]),
    ("t", "near-equal", [(1, 0.5, 0.01, 4), (1, 0.501, 0.011, 6), (1, 0.499, 0.01, 8.5)]),
    ("t", "4,000 arms", [(3_000, 0.4, 0.05, 10), (900, 0.5, 0.04, 30), (90, 0.6, 0.04, 100), (10, 0.7, 0.02, 6)]),
]


def largest(random, posterior, arms):
    if arms == 1:
        return posterior.rvs(BATCH, random_state=random)
    # 1 − U^(1/arms), without losing the digits of a small one.
    return posterior.isf(-np.expm1(-random.standard_exponential(BATCH) / arms))


def wins(random, family, groups):
    won = np.zeros(len(groups), dtype=int)
    for _ in range(DRAWS // BATCH):
        best = np.stack([largest(random, FAMILIES[family](*numbers), arms) for arms, *numbers in groups])
        won += np.bincount(best.argmax(axis=0), minlength=len(groups))
    return won.tolist()


def case(seed, family, name, groups):
    names = FAMILIES[family].__code__.co_varnames
    shown = [{"arms": arms, **dict(zip(names, numbers, strict=False))} for arms, *numbers in groups]
    return {"name": name, "family": family, "groups": shown, "wins": wins(np.random.default_rng(seed), family, groups)}


ABOUT = (
    "How often the largest of draws from posteriors, one of each arm, was one of a group of arms with equal posteriors: "
    "wins by group, in as many draws as said. The probability of a group is the sum of its arms'. Tolerance: 4 standard "
    "errors of a share, 4 √(p(1 − p)/draws). From test/support/vectors/selection_draws.py."
)
cases = [case(2026 + at, *given) for at, given in enumerate(CASES)]
print(json.dumps({"about": ABOUT, "draws": DRAWS, "cases": cases}, ensure_ascii=False))
