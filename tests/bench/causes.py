"""How long the classifier of causes takes on texts of a large company: `python -m tests.bench.causes [--texts 1000000] [--learn 200000]`.

Texts are put together from sentences of the built-in company in Chinese and English, with a word of their own in most of them. Training is all that a new month costs: both
models of the gate, the final fit, test and words. Targets: a million texts in 180 s, training on 200,000 in 120 s, 6 GB.
"""

from __future__ import annotations

import argparse
import random
import resource
import time
from datetime import date, timedelta

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=1_000_000)
    parser.add_argument("--learn", type=int, default=200_000)
    asked = parser.parse_args()
    frame = made(asked.learn, 1)
    began, used = time.perf_counter(), time.process_time()
    trained = causes.train(frame, AS_OF, LIMITS)
    print(
        f"training on {asked.learn:,}: {time.perf_counter() - began:.1f} s, {time.process_time() - used:.1f} s of a processor",
        flush=True,
    )
    assert trained.model is not None
    print(f"features {trained.model.vocabulary.size:,}, causes {len(trained.model.causes)}")
    frame = made(asked.texts, 2)
    began, used = time.perf_counter(), time.process_time()
    said = causes.answers(frame, trained.model)
    taken, busy = time.perf_counter() - began, time.process_time() - used
    right = float((said["root_cause"] == frame["cause"]).sum()) / frame.height
    print(f"causes of {asked.texts:,} texts: {taken:.1f} s, {busy:.1f} s of a processor; right {right:.4f}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2:.2f} GB")


if __name__ == "__main__":
    main()
