"""The estimator of churn risk on the public telco file: five-fold AUC by a documented protocol.

Protocol: the 7,043 customers as they stand in the file; every column but the id is a feature, as a number where it is one (an empty total charge is not
known), else as a category, with no choice among them and no tuning; five folds, stratified by the outcome, drawn once with seed 1; bins and
points are made from the four other folds only. AUC of the held-out fold, mean over the folds.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import OneHotEncoder

from orchestration.modelling.risk import Feature, auc, calibration, fit_risk, sigmoid

NUMBERS = ("SeniorCitizen", "tenure", "MonthlyCharges", "TotalCharges")


@pytest.fixture(scope="module")
def customers() -> pl.DataFrame:
    folder = os.environ.get("CSATLAS_REAL_DATA")
    if not folder:
        pytest.skip("CSATLAS_REAL_DATA names no folder with the public data")
    frame = pl.read_csv(Path(folder) / "telco_churn" / "Telco-Customer-Churn.csv", infer_schema=False)
    return frame.with_columns(pl.col(name).str.strip_chars().cast(pl.Float64, strict=False) for name in NUMBERS)


def test_five_fold_auc(customers: pl.DataFrame) -> None:
    assert customers.height == 7043
    left = (customers["Churn"] == "Yes").to_numpy()
    names = [name for name in customers.columns if name not in ("customerID", "Churn")]
    assert len(names) == 19
    features = [Feature(name, "number" if name in NUMBERS else "category", name) for name in names]
    folds = StratifiedKFold(5, shuffle=True, random_state=1).split(left, left)
    held = np.zeros(len(left))
    found = []
    for taught, tested in folds:
        model = fit_risk(customers[taught], features, left[taught])
        held[tested] = sigmoid(model.logit(customers[tested]))
        value = auc(left[tested], held[tested])
        assert value is not None and value == pytest.approx(roc_auc_score(left[tested], held[tested]), abs=1e-12)
        found.append(value)
    assert np.mean(found) >= 0.84
    # Without any calibration of its own: probabilities as they should be.
    measured = calibration(left, held)
    assert measured is not None
    assert 0.9 <= measured[0] <= 1.1
    assert abs(measured[2]) < 0.05


def test_it_is_no_worse_than_a_library(customers: pl.DataFrame) -> None:
    """One-hot logistic regression of scikit-learn on the same first split: at most a hundredth better."""
    left = (customers["Churn"] == "Yes").to_numpy()
    names = [name for name in customers.columns if name not in ("customerID", "Churn")]
    taught, tested = next(iter(StratifiedKFold(5, shuffle=True, random_state=1).split(left, left)))
    features = [Feature(name, "number" if name in NUMBERS else "category", name) for name in names]
    own = auc(left[tested], fit_risk(customers[taught], features, left[taught]).logit(customers[tested]))
    texts = customers.select(name for name in names if name not in NUMBERS)
    encoder = OneHotEncoder(sparse_output=False, drop="first").fit(texts.to_numpy())
    numbers = customers.select(NUMBERS).fill_null(0.0).to_numpy()
    numbers = (numbers - numbers.mean(axis=0)) / numbers.std(axis=0)
    table = np.hstack([encoder.transform(texts.to_numpy()), numbers])
    library = LogisticRegression(max_iter=2000).fit(table[taught], left[taught])
    other = roc_auc_score(left[tested], library.decision_function(table[tested]))
    assert own is not None and own > other - 0.01
