"""The brand survey: who knows the company's service promise, and what they think of it.

Belongs here: one wave each half year, as the survey tool exports it, and what is true of it. Does not belong here: the other surveys
(`systems.py`). Who answers has nothing to do with what he thinks.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from orchestration.demo import words
from orchestration.demo.people import ENTERPRISE, Customers, pick
from orchestration.demo.plan import DAY, Plan
from orchestration.demo.systems import days_of, new_york

SURVEY = "BRAND01"
EVERY, OFFSET = 6, 5
SHARE, MOST = 0.12, 20_000
ANSWERS = 0.38
AWARE, ENTERPRISE_MORE, OVER_60_LESS = 0.62, 0.12, 0.14
"""Probability of knowing the promise, and by how much it differs for enterprises and for people of 60 and more."""
_FIRST_ID = 9_000_000


@dataclass
class BrandSurvey:
    """Waves of the brand survey, month by month, and the truth about them."""

    plan: Plan
    _answers: list[pl.DataFrame] = field(default_factory=list)

    def month(
        self, customers: Customers, number: int, active: np.ndarray, grievance: np.ndarray
    ) -> dict[str, pl.DataFrame]:
        """Rows of the survey tool, each with its day of delivery; none in a month without a wave.

        Args:
            number: number of the month.
            active: whether each customer has a contract.
            grievance: what each customer resents, by cause.
        """
        if number % EVERY != OFFSET:
            return {}
        plan, facts = self.plan, customers.facts
        rng = plan.rng("brand", number)
        first, nxt = plan.month_days(number)
        living = np.flatnonzero(active)
        cust = living[rng.random(len(living)) < SHARE * min(1.0, MOST / max(SHARE * len(living), 1))]
        n = len(cust)
        sent = plan.epoch + (first + 12 + rng.integers(0, min(5, nxt - first - 13), n)) * DAY
        sent = sent + rng.integers(9 * 3600, 18 * 3600, n)
        knows = rng.random(n) < (
            AWARE + ENTERPRISE_MORE * (facts["kind"][cust] == ENTERPRISE) - OVER_60_LESS * (facts["age"][cust] >= 60)
        )
        opinion = 3.7 + 0.45 * facts["mood"][cust] - 0.5 * np.minimum(grievance.sum(axis=1)[cust], 3)
        opinion = np.clip(np.round(opinion + rng.normal(0, 0.8, n)), 1, 5).astype(np.int64)
        ids = number * 10_000_000 + _FIRST_ID + np.arange(n)
        invitation = "V" + pl.Series(ids).cast(pl.String).str.zfill(10)
        texts = customers.frame().select("crm_no", "mobile")[cust]
        none = pl.Series([None] * n, dtype=pl.String)
        common: dict[str, pl.Series] = {
            "survey_id": pl.Series([SURVEY] * n, dtype=pl.String),
            "survey_type": pl.Series(["brand"] * n, dtype=pl.String),
            "wave": pl.Series([f"{plan.day_date(first):%Y-%m}"] * n, dtype=pl.String),
            "contact_type": pl.Series(["relationship"] * n, dtype=pl.String),
            "contact_id": none,
            "recipient_id": texts["crm_no"],
        }
        place: dict[str, pl.Series] = {
            "unit_code": pick(words.CITY_CODES, facts["city"][cust].astype(np.int64)),
            "product": pick(words.PRODUCTS, rng.integers(0, 3, n)),
            "language": pick(["zh", "en"], facts["english"][cust].astype(np.int64)),
        }
        invitations = pl.DataFrame(
            {
                "invitation_id": invitation,
                **common,
                "recipient_phone": texts["mobile"],
                "recipient_email": none,
                "channel": pl.Series(["sms"] * n, dtype=pl.String),
                **place,
                "sent_at": new_york(sent),
                "delivered_at": new_york(sent + 20),
                "status": pl.Series(["delivered"] * n, dtype=pl.String),
                "_day": days_of(plan, sent),
            }
        )
        yes = np.flatnonzero(rng.random(n) < ANSWERS)
        rows = pl.Series(yes)
        at = sent[yes] + 60 + np.minimum(rng.lognormal(9.4, 1.4, len(yes)), 12 * DAY).astype(np.int64)
        day = days_of(plan, at)
        response = "R" + pl.Series(ids[yes]).cast(pl.String).str.zfill(10)
        responses = pl.DataFrame(
            {
                "response_id": response,
                "invitation_id": invitation.gather(rows),
                **{name: values.gather(rows) for name, values in common.items()},
                "mode": pl.Series(["sms"] * len(yes), dtype=pl.String),
                **{name: values.gather(rows) for name, values in place.items()},
                "started_at": new_york(at - 35),
                "submitted_at": new_york(at),
                "base_weight": pl.Series([None] * len(yes), dtype=pl.String),
                "comment": pl.Series([None] * len(yes), dtype=pl.String),
                "_day": day,
            }
        )

        def answers(asked: np.ndarray, question: str, values: np.ndarray) -> pl.DataFrame:
            picked = pl.Series(np.flatnonzero(asked))
            return pl.DataFrame(
                {
                    "response_id": response.gather(picked),
                    "survey_id": pl.Series([SURVEY] * len(picked), dtype=pl.String),
                    "question_id": pl.Series([question] * len(picked), dtype=pl.String),
                    "value": pl.Series(values[asked]).cast(pl.String),
                    "submitted_at": new_york(at[asked]),
                    "_day": day[asked],
                }
            )

        aware = knows[yes]
        self._answers.append(pl.DataFrame({"_day": day, "aware": aware, "favourable": aware & (opinion[yes] >= 4)}))
        return {
            "surveys.invitations": invitations,
            "surveys.responses": responses,
            # What one thinks of it is asked of those only who know it.
            "surveys.answers": pl.concat(
                [
                    answers(np.ones(len(yes), dtype=bool), "B1", aware.astype(np.int64)),
                    answers(aware, "B2", opinion[yes]),
                ]
            ),
        }

    def truth(self, until: int) -> dict[str, int]:
        """How many were asked, know it and think well of it, of the responses delivered up to a day."""
        if not self._answers:
            return {"asked": 0, "aware": 0, "favourable": 0}
        rows = pl.concat(self._answers).filter(pl.col("_day") <= until)
        return {"asked": rows.height, "aware": int(rows["aware"].sum()), "favourable": int(rows["favourable"].sum())}
