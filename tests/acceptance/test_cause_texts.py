"""The classifier of causes on texts that real people wrote: narratives to a consumer authority by product and issue, and restaurant reviews by sentiment.

The baseline is the usual one: words and pairs by scikit-learn's TF-IDF and a logistic regression, fitted on the same folds.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from orchestration.modelling import causes
from orchestration.modelling.causes import Limits

pytestmark = pytest.mark.real_data

LIMITS = Limits(answer=0.0, settle_days=0, test_days=0, minimum_cases=10, minimum_class=1, minimum_test=1, gate_margin=0, word_cases=5)  # fmt: skip
FOLDS = 3


def _cross_validated(texts: list[str], labels: list[str]) -> tuple[float, float]:
    """Accuracy of ours and of the baseline in stratified, shuffled folds; both see the text alone."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import make_pipeline

    text, label = np.array(texts, dtype=object), np.array(labels, dtype=object)
    ours, baseline = [], []
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(text, label):
        frame = pl.DataFrame({"complaint_id": [f"{k:06}" for k in train], "text": text[train].tolist(), "cause": label[train].tolist()})  # fmt: skip
        model = causes.fit(frame, LIMITS)
        said = causes.answers(pl.DataFrame({"text": text[test].tolist()}), model)["root_cause"].to_numpy()
        ours.append(float((said == label[test]).mean()))
        usual = make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), max_features=8_000, sublinear_tf=True),
            LogisticRegression(C=10, tol=1e-3, max_iter=100),
        )
        usual.fit(text[train], label[train])
        baseline.append(float((usual.predict(text[test]) == label[test]).mean()))
    return float(np.mean(ours)), float(np.mean(baseline))


@pytest.mark.parametrize("column", ["Product", "Issue"])
def test_narratives_by_product_and_issue(real_data: Path, column: str) -> None:
    """All narratives whose product or issue has at least ten of them."""
    frame = (
        pl.read_csv(real_data / "cfpb_complaints" / "complaints_sample.csv", infer_schema=False)
        .select(text="Consumer complaint narrative", label=column)
        .drop_nulls()
    )
    frame = frame.join(frame.group_by("label").len().filter(pl.col("len") >= 10), on="label", how="semi")
    assert frame.height > 1_200
    ours, baseline = _cross_validated(frame["text"].to_list(), frame["label"].to_list())
    print(
        f"{column}: {frame.height} narratives, {frame['label'].n_unique()} classes, ours {ours:.4f}, baseline {baseline:.4f}"
    )
    assert ours >= baseline


def test_sentiment_of_chinese_reviews(real_data: Path) -> None:
    """Characters and pairs of them, without a dictionary of words."""
    from sklearn.model_selection import StratifiedKFold

    reviews = pl.read_csv(real_data / "zh_reviews" / "waimai_10k.csv").with_row_index("row")
    label = reviews["label"].cast(pl.String).to_numpy()
    found = []
    for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(label, label):
        part = reviews[train.tolist()].select(complaint_id=pl.format("{}", pl.col("row")), text="review", cause=pl.col("label").cast(pl.String))  # fmt: skip
        model = causes.fit(part, LIMITS)
        said = causes.answers(reviews[test.tolist()].select(text="review"), model)["root_cause"].to_numpy()
        found.append(float((said == label[test]).mean()))
    print(f"sentiment: {reviews.height} reviews, accuracy {np.mean(found):.4f}")
    assert float(np.mean(found)) >= 0.89
