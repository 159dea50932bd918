"""`python -m tests.bench drivers --answers N`: drivers of satisfaction with 12 factors, one population of N answers.

Belongs here: `fit_drivers` (coefficients, LMG shares of 4096 models, cluster-robust and bootstrap intervals), against one bare product of the
same columns in the same run. The speed goal is 60 seconds for 5 million answers on 2 cores.
"""

from __future__ import annotations

import resource
import time
from typing import Any

import numpy as np

from orchestration.modelling.drivers import fit_drivers, lmg_shares

FACTORS = 12


def measure_drivers(answers: int) -> dict[str, Any]:
    """Seconds and peak memory; answers come from a fifth as many customers, and one factor is unknown for a tenth of them."""
    rng = np.random.default_rng(1)
    factors = {f"factor_{j:02}": rng.normal(size=answers) for j in range(FACTORS - 4)}
    factors |= {f"factor_{j:02}": (rng.random(answers) < 0.2).astype(np.float64) for j in range(FACTORS - 4, FACTORS)}
    outcome = 75 + rng.normal(0, 20, answers)
    for number, values in enumerate(factors.values()):
        outcome += (number - 5) * values
    factors["factor_00"][rng.random(answers) < 0.1] = np.nan
    customers = rng.integers(0, max(answers // 5, 1), answers)
    made = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

    started = time.monotonic()
    table = np.column_stack([*(np.nan_to_num(values) for values in factors.values()), outcome])
    product = table.T @ table
    bare = time.monotonic() - started
    del table

    started = time.monotonic()
    lmg_shares(product)
    shares = time.monotonic() - started

    started = time.monotonic()
    found = fit_drivers(outcome, factors, clusters=customers, filled=["factor_00"])
    seconds = time.monotonic() - started
    if found.r_squared is None or any(one.coefficient is None for one in found.factors):
        raise SystemExit("the drivers were not estimated")
    return {
        "answers": answers,
        "factors": FACTORS,
        "seconds": round(seconds, 1),
        "shares_of_4096_models_seconds": round(shares, 3),
        "bare_product_seconds": round(bare, 1),
        "input_megabytes": made,
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
