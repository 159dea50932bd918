"""How long the classifier of causes takes on texts of a large company.

Texts are put together from sentences of the built-in company in Chinese and English, with a word of their own in most of them. Training is all that a new month costs: both
models of the gate, the final fit, test and words. Targets: a million texts in 180 s, training on 200,000 in 120 s, 6 GB.
"""

from __future__ import annotations

import random
import resource
import time
from datetime import date, timedelta
from typing import Any

import polars as pl

from orchestration.demo import words
from orchestration.modelling import causes

AS_OF = date(2026, 6, 20)
LIMITS = causes.Limits(0.5, 7, 90, 100, 5, 50, 0.02, 5)
_SYLLABLES = ["ka", "re", "mo", "ti", "su", "ne", "lo", "pa", "vi", "du"]
_HAN = "天地人和山水风云春秋冬夏东西南北安平长久光明"


def made(count: int, seed: int) -> pl.DataFrame:
    """So many cases over a year, half of them English."""
    draw = random.Random(seed)
    topics = {code: list(found) for code, found in words.CAUSE_TOPICS.items()}
    codes = sorted(words.CAUSE_TEXTS)
    rows = []
    for number in range(count):
        code = draw.choice(codes)
        english = number % 2
        listed = words.CAUSE_TEXTS[code][english]
        other = words.CAUSE_TEXTS[draw.choice(codes)][english]
        own = "".join(draw.choices(_SYLLABLES, k=4)) if english else "".join(draw.choices(_HAN, k=4))
        text = f"{own}, {draw.choice(listed)}. {draw.choice(other) if draw.random() < 0.1 else ''} {own}"
        rows.append(
            (f"c{number:07}", f"k{draw.randrange(count)}", text, topics[code][0], "mobile", "en" if english else "zh",
             AS_OF - timedelta(days=draw.randrange(365)), code)
        )  # fmt: skip
    return pl.DataFrame(rows, schema=causes.CASES, orient="row")


def measure_causes(texts: int, learn: int) -> dict[str, Any]:
    """Train on `learn` cases, then tell the causes of `texts` others. Seconds by the clock and of a processor, megabytes.

    Raises:
        RuntimeError: the training made no model.
    """
    frame = made(learn, 1)
    began, used = time.perf_counter(), time.process_time()
    trained = causes.train(frame, AS_OF, LIMITS)
    training = {"seconds": round(time.perf_counter() - began, 1), "processor": round(time.process_time() - used, 1)}
    if trained.model is None:
        raise RuntimeError("the training made no model")
    frame = made(texts, 2)
    began, used = time.perf_counter(), time.process_time()
    said = causes.answers(frame, trained.model)
    answering = {"seconds": round(time.perf_counter() - began, 1), "processor": round(time.process_time() - used, 1)}
    return {
        "learned_from": learn,
        "training": training,
        "features": trained.model.vocabulary.size,
        "causes": len(trained.model.causes),
        "texts": texts,
        "answering": answering,
        "share_right": round(float((said["root_cause"] == frame["cause"]).sum()) / frame.height, 4),
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
