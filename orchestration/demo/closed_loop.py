"""The closed loop: unhappy customers are called back, except some who are held out by lot, and all of them are asked again.

Belongs here: the calls, the second question, and what is true of both. Does not belong here: why somebody was unhappy (`systems.py`).
Who is unhappy once is less so the next time without anybody's doing: the second answer is drawn around the customer's own mean, and a call
that reached the customer adds `EFFECT` to it. What each would have said with and without the call is kept for the truth.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from orchestration.demo import words
from orchestration.demo.helpdesk import HelpDesk
from orchestration.demo.people import Customers, pick
from orchestration.demo.plan import CSAT_BASE, CSAT_WEIGHTS, DAY, Plan
from orchestration.demo.systems import days_of, local, new_york
from orchestration.demo.telephony import Roster

SURVEY, QUESTION = "LOOP01", "L1"
UNHAPPY = ("1", "2")
HELD_OUT, REACHED, ANSWERS = 0.4, 0.8, 0.75
EFFECT = 0.7
"""Points of the latent scale of 1 to 5 that a call adds to the second answer."""
LINGERS, NOISE = -0.9, 0.75
"""What is left of the bad experience at the second answer, and its noise."""


@dataclass
class ClosedLoop:
    """Callbacks and second answers, month by month, and the truth about them."""

    plan: Plan
    _cases: list[pl.DataFrame] = field(default_factory=list)

    def month(
        self,
        customers: Customers,
        desk: HelpDesk,
        roster: Roster,
        month: int,
        responses: pl.DataFrame,
        answers: pl.DataFrame,
    ) -> dict[str, pl.DataFrame]:
        """Rows of the customer management and of the survey tool that follow a month's unhappy answers, each with its day of delivery.

        Args:
            responses, answers: the month's rows of the survey tool, before anything is damaged.
        """
        plan = self.plan
        rng = plan.rng("closed_loop", month)
        numbers = customers.frame().select("crm_no", "city").with_row_index("cust")
        first = (
            answers.filter((pl.col("question_id") == "S1") & pl.col("value").is_in(UNHAPPY))
            .select("response_id", first_value=pl.col("value").cast(pl.Int64))
            .join(responses, on="response_id", how="inner", maintain_order="left")
            .join(numbers, left_on="recipient_id", right_on="crm_no", how="inner", maintain_order="left")
            .with_columns(
                pl.col("submitted_at")
                .str.to_datetime("%m/%d/%Y %I:%M:%S %p")
                .dt.replace_time_zone("America/New_York", ambiguous="latest", non_existent="null")
                .dt.epoch("s")
                .alias("t")
            )
        )
        # An answer that was delivered days late is too late to call about.
        first = first.filter(pl.col("_day").cast(pl.Int64) == (pl.col("t") - plan.epoch) // DAY)
        n = first.height
        t = first["t"].to_numpy().astype(np.int64)
        cust = first["cust"].to_numpy().astype(np.int64)
        held_out, reached, again = rng.random(n) < HELD_OUT, rng.random(n) < REACHED, rng.random(n) < ANSWERS
        made = t + rng.integers(2 * 3600, 8 * 3600, n)
        done = made + rng.integers(3 * 3600, 50 * 3600, n)
        second = t + rng.integers(20 * DAY, 45 * DAY, n)
        calm = (
            CSAT_BASE
            + LINGERS
            + CSAT_WEIGHTS["customer_mood"] * customers.facts["mood"][cust]
            + rng.normal(0, NOISE, n)
        )
        without, with_call = (np.clip(np.round(calm + plus), 1, 5).astype(np.int64) for plus in (0.0, EFFECT))
        helped = reached & ~held_out
        value = np.where(helped, with_call, without)
        attempts = np.where(reached, rng.integers(1, 3, n), 3)
        solved = rng.random(n) < 0.7
        agent, _ = desk.agents_of(roster, rng, first["city"].to_numpy().astype(np.int64) // 4, days_of(plan, made))
        number = pl.Series(month * 100_000 + np.arange(n) + 1).cast(pl.String).str.zfill(8)
        self._cases.append(
            pl.DataFrame(
                {
                    "response_id": first["response_id"],
                    "held_out": held_out,
                    "reached": helped,
                    "would_be_reached": reached,
                    "called_at": pl.from_epoch(pl.Series(done), time_unit="s").set(pl.Series(held_out), None),
                    "answered_again": again,
                    "second_response_id": ("RL" + number).set(pl.Series(~again), None),
                    "asked_again_at": pl.from_epoch(pl.Series(second), time_unit="s"),
                    "first_value": first["first_value"].cast(pl.Int16),
                    "says_without_a_call": without.astype(np.int16),
                    "says_after_a_call": with_call.astype(np.int16),
                    "_day": first["_day"].cast(pl.Int64),
                    "_second_day": days_of(plan, second).astype(np.int64),
                }
            )
        )
        rows = np.flatnonzero(again)
        return {
            "crm.commitments": self._commitments(first, number, agent, made, done, held_out, reached, attempts, solved),
            "surveys.responses": self._responses(
                first, number, second, days_of(plan, second[rows]), rows, list(responses.columns)
            ),
            "surveys.answers": pl.DataFrame(
                {
                    "response_id": ("RL" + number).gather(pl.Series(rows)),
                    "survey_id": pl.Series([SURVEY] * len(rows), dtype=pl.String),
                    "question_id": pl.Series([QUESTION] * len(rows), dtype=pl.String),
                    "value": pl.Series(value[rows]).cast(pl.String),
                    "submitted_at": new_york(second[rows]),
                    "_day": days_of(plan, second[rows]),
                }
            ).select(answers.columns),
        }

    def _commitments(
        self, first: pl.DataFrame, number: pl.Series, agent: np.ndarray, made: np.ndarray, done: np.ndarray,
        held_out: np.ndarray, reached: np.ndarray, attempts: np.ndarray, solved: np.ndarray,
    ) -> pl.DataFrame:  # fmt: skip
        """One row when a case is opened, and one when its call was made; who is held out keeps the first."""
        stamp = "%Y/%m/%d %H:%M:%S"
        about_ticket = first["contact_type"] == "ticket"
        frames = []
        for settled in (False, True):
            rows = np.flatnonzero(~held_out) if settled else np.arange(len(made))
            picked, at = pl.Series(rows), (done if settled else made)[rows]
            blank = pl.Series([None] * len(rows), dtype=pl.String)
            result = np.where(reached, np.where(solved, 0, 1), 2)[rows]
            frames.append(
                pl.DataFrame(
                    {
                        "commitment_id": ("WL" + number).gather(picked),
                        "kind": pl.Series(["CALLBACK"] * len(rows), dtype=pl.String),
                        "purpose": pl.Series(["satisfaction"] * len(rows), dtype=pl.String),
                        "about_type": pick(["relationship", "ticket"], about_ticket.cast(pl.Int64).to_numpy()[rows]),
                        "about_id": first["contact_id"].set(~about_ticket, None).gather(picked),
                        "customer_no": first["recipient_id"].gather(picked),
                        "agent_no": "A" + pl.Series(agent[rows]).cast(pl.String).str.zfill(5),
                        "unit_code": pick(words.CITY_CODES, first["city"].to_numpy().astype(np.int64)[rows]),
                        "made_at": local(made[rows], stamp),
                        "due_at": local(made[rows] + 2 * DAY, stamp),
                        "attempts": pl.Series(attempts[rows] if settled else np.zeros(len(rows), dtype=np.int64)).cast(
                            pl.String
                        ),
                        "done_at": local(at, stamp) if settled else blank,
                        "result": pick(["solved", "unsolved", "unreached"], result) if settled else blank,
                        "control_group": pick(["N", "Y"], held_out.astype(np.int64)[rows]),
                        "updated_at": local(at, stamp),
                        "_day": days_of(self.plan, at),
                    }
                )
            )
        return pl.concat(frames)

    @staticmethod
    def _responses(
        first: pl.DataFrame,
        number: pl.Series,
        second: np.ndarray,
        days: np.ndarray,
        rows: np.ndarray,
        columns: list[str],
    ) -> pl.DataFrame:
        """The second answer's response: of the same customer about the same contact, without an invitation of its own."""
        blank = pl.lit(None, dtype=pl.String)
        at = second[rows]
        return (
            first[rows]
            .with_columns(
                ("RL" + number).gather(pl.Series(rows)).alias("response_id"),
                blank.alias("invitation_id"),
                pl.lit(SURVEY).alias("survey_id"),
                pl.lit("other").alias("survey_type"),
                blank.alias("base_weight"),
                blank.alias("comment"),
                new_york(at - 30).alias("started_at"),
                new_york(at).alias("submitted_at"),
                pl.Series("_day", days),
            )
            .select(columns)
        )

    def truth(self, until: int) -> tuple[dict[str, object], pl.DataFrame]:
        """What is true of the loop as delivered up to a day: a summary, and one row per unhappy answer.

        Effects are means over those whose second answer is delivered, in points of 0 to 100: what a call that reaches the customer adds, and
        what being on the list adds, called in vain included.
        """
        cases = pl.concat(self._cases).filter(pl.col("_day") <= until)
        second = cases.filter(pl.col("answered_again") & (pl.col("_second_day") <= until))
        effect = 25.0 * (second["says_after_a_call"] - second["says_without_a_call"]).cast(pl.Float64)
        helped = second.filter(pl.col("reached"))
        before_after = 25.0 * (helped["says_after_a_call"] - helped["first_value"]).cast(pl.Float64)

        def mean(values: pl.Series) -> float | None:
            return round(float(values.mean()), 4) if len(values) else None  # type: ignore[arg-type]

        return {
            "unhappy_answers": cases.height,
            "held_out": int(cases["held_out"].sum()),
            "reached": int(cases["reached"].sum()),
            "asked_again": second.height,
            "latent_effect": EFFECT,
            "effect_of_a_call": mean(effect),
            "effect_of_being_on_the_list": mean(effect * second["would_be_reached"].cast(pl.Float64)),
            "before_and_after_of_the_called": mean(before_after),
        }, cases.drop("_day", "_second_day")
