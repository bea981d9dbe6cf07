"""Writes schemas/vectors/contextual-policies.json: what policies answer that read a context, from what they have seen.

Independent of Croupier: dense algebra with 30 digits, hybrid models as the joint regression that they stand for. Needs
mpmath:  python3 contextual_policies.py > ../../../schemas/vectors/contextual-policies.json
"""

import json
import random

from mpmath import diag, eye, inf, log, matrix, mp, mpf, ncdf, npdf, quad, sqrt

mp.dps = 30
ARMS = 3
# Of a reward in [0, 1], at most: the estimate of the noise starts with one reward of this variance.
FIRST_VARIANCE = mpf(1) / 4


def seen(seed, indicators):
    """Forty decisions: arm, reward, context with an intercept."""
    draw = random.Random(seed)
    number = (lambda: float(draw.random() < 0.5)) if indicators else (lambda: round(draw.uniform(-2, 2), 3))
    return [
        {"arm": draw.randrange(ARMS), "reward": round(draw.random(), 3), "context": [1.0, number(), number()]}
        for _ in range(40)
    ]


def solve(rows, rewards, start, precision):
    """Ridge regression about a prior mean: coefficients, inverse, and the least penalised sum of squares."""
    x = matrix(rows)
    surprise = matrix(rewards) - x * start
    inverse = (x.T * x + precision) ** -1
    step = inverse * (x.T * surprise)
    left = surprise - x * step
    return start + step, inverse, (left.T * left)[0] + (step.T * precision * step)[0]


def noise(squares, count):
    return sqrt((FIRST_VARIANCE + squares) / (1 + count))


def disjoint(decisions, lam):
    """By arm: coefficients and inverse; and the noise. An arm is expected to earn what all of them do on average."""
    size = len(decisions[0]["context"])
    pooled = sum(mpf(d["reward"]) for d in decisions) / len(decisions)
    models, squares = [], mpf(0)
    for arm in range(ARMS):
        own = [d for d in decisions if d["arm"] == arm]
        start = matrix([pooled] + [0] * (size - 1))
        theta, inverse, left = solve([d["context"] for d in own], [d["reward"] for d in own], start, lam * eye(size))
        models.append((theta, inverse))
        squares += left
    return models, noise(squares, len(decisions))


def predictions(models, context):
    x = matrix(context)
    return [((x.T * theta)[0], sqrt((x.T * inverse * x)[0])) for theta, inverse in models]


def linucb(decisions, context, eligible, alpha, **given):
    models, sigma = disjoint(decisions, mpf(given["lambda"]))
    return greatest([m + alpha * sigma * s for m, s in predictions(models, context)], eligible)


def linear_ts(decisions, context, eligible, v, **given):
    models, sigma = disjoint(decisions, mpf(given["lambda"]))
    beliefs = [(m, v * sigma * s) for m, s in predictions(models, context)]
    chosen = [beliefs[arm] for arm in eligible]

    def winning(at):
        def density(x):
            product = npdf(x, *chosen[at])
            for other, (mean, deviation) in enumerate(chosen):
                product *= 1 if other == at else ncdf(x, mean, deviation)
            return product

        knots = sorted(m + k * s for m, s in chosen for k in (-8, -4, -2, 0, 2, 4, 8))
        return quad(density, [-inf, *knots, inf])

    return [winning(at) for at in range(len(eligible))], [mean for mean, _ in chosen]


def hybrid(decisions, context, eligible, attributes, alpha, **given):
    """Joint regression on g⊗x, g = (1, standardised attribute), and on e_arm⊗x, about 0."""
    costs = [mpf(a["cost"]) for a in attributes]
    mean = sum(costs) / ARMS
    deviation = sqrt(sum((c - mean) ** 2 for c in costs) / ARMS)

    def row(arm, x):
        own = [[y if other == arm else 0 for y in x] for other in range(ARMS)]
        return [*x, *[(costs[arm] - mean) / deviation * y for y in x], *sum(own, [])]

    rows = [row(d["arm"], d["context"]) for d in decisions]
    size = len(rows[0])
    precision = diag([mpf(given["lambda"])] * size)
    theta, inverse, left = solve(rows, [d["reward"] for d in decisions], matrix([0] * size), precision)
    sigma = noise(left, len(decisions))
    scores = []
    for arm in range(ARMS):
        z = matrix(row(arm, context))
        scores.append((z.T * theta)[0] + alpha * sigma * sqrt((z.T * inverse * z)[0]))
    return greatest(scores, eligible)


def pucb(decisions, context, eligible, alpha, prior):
    def bound(arm, f):
        cell = [d for d in decisions if d["context"][f] == 1]
        own = [d for d in cell if d["arm"] == arm]
        n = len(own) + mpf(prior)
        return sum(mpf(d["reward"]) for d in own) / n + alpha * sqrt(2 * log(max(len(cell), 1)) / n)

    active = [f for f, x in enumerate(context) if x == 1]
    return greatest([sum(bound(arm, f) for f in active) / len(active) for arm in range(ARMS)], eligible)


def greatest(scores, eligible):
    chosen = [scores[arm] for arm in eligible]
    return [1 if score == max(chosen) else 0 for score in chosen], chosen


POLICIES = {"linucb": linucb, "linear-ts": linear_ts, "linucb-hybrid": hybrid, "pucb": pucb}
ATTRIBUTES = [{"cost": 35}, {"cost": 55}, {"cost": 5}]
CASES = [
    ("linucb", {"alpha": 1.5, "lambda": 1}, [1, 0.5, -1.25], [0, 1, 2]),
    ("linucb", {"alpha": 0.3, "lambda": 0.2}, [1, -2, 1.75], [0, 2]),
    ("linear-ts", {"v": 0.5, "lambda": 0.05}, [1, 0.5, -1.25], [0, 1, 2]),
    ("linear-ts", {"v": 1, "lambda": 1}, [1, -2, 1.75], [1, 2]),
    ("linucb-hybrid", {"alpha": 1.5, "lambda": 1}, [1, 0.5, -1.25], [0, 1, 2]),
    ("linucb-hybrid", {"alpha": 0.3, "lambda": 0.2}, [1, -2, 1.75], [0, 1]),
    ("pucb", {"alpha": 1, "prior": 0.1}, [1, 1, 0], [0, 1, 2]),
    ("pucb", {"alpha": 0.25, "prior": 2}, [1, 1, 1], [0, 2]),
]


def case(seed, kind, parameters, context, eligible):
    decisions = seen(seed, kind == "pucb")
    given = {"attributes": ATTRIBUTES} if kind == "linucb-hybrid" else {}
    probabilities, scores = POLICIES[kind](decisions, context, eligible, **given, **parameters)
    return {
        "kind": kind,
        "parameters": parameters,
        "attributes": given.get("attributes", [{}] * ARMS),
        "decisions": decisions,
        "context": context,
        "eligible": eligible,
        "probabilities": [float(p) for p in probabilities],
        "scores": [float(s) for s in scores],
    }


# Of mabwiser for Python, tests/test_linucb.py, test_alpha1_expectations: its arms expect 0 and its noise is 1.
TEN_DECISIONS = [
    (0, 0, [0, 1, 2, 3, 5]),
    (0, 0, [1, 1, 1, 1, 1]),
    (0, 1, [0, 0, 1, 0, 0]),
    (1, 0, [0, 2, 2, 3, 5]),
    (1, 0, [1, 3, 1, 1, 1]),
    (2, 0, [0, 0, 0, 0, 0]),
    (2, 0, [0, 1, 4, 3, 5]),
    (2, 1, [0, 1, 2, 4, 5]),
    (2, 1, [1, 2, 1, 1, 3]),
    (2, 1, [0, 2, 1, 0, 0]),
]
MABWISER = {
    "decisions": [{"arm": arm, "reward": reward, "context": context} for arm, reward, context in TEN_DECISIONS],
    "lambda": 1,
    "alpha": 1,
    "bounds": [
        {"context": [0, 1, 2, 3, 5], "scores": [0.9790312458954391, 1.1617706239438832, 1.4247056229871702]},
        {"context": [1, 1, 1, 1, 1], "scores": [0.8896475809353053, 0.923364043088837, 1.457085577251709]},
    ],
}
ABOUT = (
    "What policies that read a context answer. decisions: what each arm has earned in which context, all of it known. "
    "eligible: indices of arms; probabilities and scores are in their order. |found − expected| ≤ tolerance. mabwiser: upper "
    "bounds of disjoint linear models that expect 0 and have a noise of 1, from mabwiser's tests/test_linucb.py; the rest "
    "with 30 digits of mpmath, from test/support/vectors/contextual_policies.py."
)
cases = [case(at, *given) for at, given in enumerate(CASES)]
print(json.dumps({"about": ABOUT, "tolerance": 1e-11, "mabwiser": MABWISER, "cases": cases}, ensure_ascii=False))
