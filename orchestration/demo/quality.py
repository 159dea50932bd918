"""Quality reviews, the calibration sessions of the reviewers, and the trainings that follow.

Belongs here: which contacts are reviewed, what is said of them, and what is true of reviewers and trainings. Does not belong here: the contacts themselves.

A score is what the contact deserved (the agent's skill, the item, the bad month, a training), plus how lenient the reviewer is, plus chance. In a calibration
session a second reviewer judges a contact that was reviewed already: the same contact, another leniency, other chance.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from orchestration.demo import words
from orchestration.demo.people import Agents, Table, pick, size, stack, take, team_of
from orchestration.demo.plan import DAY, Plan
from orchestration.demo.systems import contact_ids, days_of, local

ITEMS = {
    "用语": ("wording", 17.2),
    "态度": ("attitude", 17.4),
    "语气": ("tone", 17.0),
    "需求把握": ("grasp", 16.0),
    "应变能力": ("adaptability", 15.4),
}
"""Columns of the sheet, their items and mean points of 20."""
POINTS = 20
LENIENCY = (0.9, 0.3, 0.0, -0.3, -0.9)
"""Points that each of the five reviewers gives more than the contact deserves, on every item."""
CONTACT_SD, REVIEWER_SD = 1.25, 1.0
SCORE_SD = 1.6
"""Of a score by one reviewer: the root of the squares of the two above."""
CALIBRATED = 30
"""Contacts a month that a second reviewer judges too."""
FATAL_SEEN_TWICE, FATAL_SEEN_BY_THE_SECOND = 0.8, 0.01
TRAININGS = (
    # number, province, item, start as a share of the history, points that it adds
    ("TRN-001", 2, "adaptability", 0.52, 1.6),
    ("TRN-002", 3, "tone", 0.52, 0.0),
)
TRAINING_DAYS = 3


@dataclass
class Quality:
    """Reviews month by month, and the truth about them."""

    plan: Plan
    _calibrated_on: list[np.ndarray] = field(default_factory=list)

    def month(self, agents: Agents, month: int, calls: Table, tickets: Table) -> pl.DataFrame:
        """About five contacts of every agent a month (some get fewer), scored on five items; some of them by two reviewers."""
        plan = self.plan
        rng = plan.rng("quality", month)
        parts: list[Table] = []
        if size(calls):
            order = rng.permutation(size(calls))
            parts.append(
                {
                    "agent": calls["agent"][order],
                    "kind": np.zeros(len(order), dtype=np.int64),
                    "row": order,
                    "t": calls["end"][order],
                }
            )
        order = rng.permutation(np.flatnonzero(tickets["ordinary"]))
        parts.append(
            {
                "agent": tickets["closer"][order],
                "kind": np.ones(len(order), dtype=np.int64),
                "row": order,
                "t": tickets["final"][order],
            }
        )
        table = stack(parts)
        table = take(table, rng.permutation(size(table)))
        order = np.argsort(table["agent"], kind="stable")
        table = take(table, order)
        ordinal = np.arange(size(table)) - np.searchsorted(table["agent"], table["agent"])
        wanted = np.array([5, 5, 6, 5, 4, 2, 5])[table["agent"] % 7]
        table = take(table, np.flatnonzero(ordinal < wanted))
        n = size(table)
        at = table["t"] + rng.integers(DAY, 9 * DAY, n)
        order = np.argsort(at, kind="stable")
        table, at = take(table, order), at[order]
        queue = (table["agent"] - 1000) // 4 % len(words.QUEUES)
        bad = (month == plan.bad_month) & (queue == plan.bad_province)
        about = contact_ids(
            np.where(table["kind"] == 0, 1, np.where(table["kind"] == 1, 0, 2)), table["row"], calls, tickets
        )
        reviewer = rng.integers(1, 6, n)
        deserved = {
            name: mean + 1.1 * agents.skill[table["agent"]] - 1.2 * bad + self._learned(item, queue, table["t"])
            for name, (item, mean) in ITEMS.items()
        }
        chance = {name: rng.normal(0, SCORE_SD, n) for name in ITEMS}
        fatal = rng.random(n) < 0.014
        number = f"Q{month + 100}" + pl.Series(np.arange(n) + 1).cast(pl.String).str.zfill(6)
        first = self._frame(number, table, about, reviewer, at, deserved, chance, fatal)
        # The calibration sessions have random numbers of their own.
        rng = plan.rng("calibration", month)
        chosen = np.sort(rng.permutation(n)[:CALIBRATED])
        m = len(chosen)
        other = (reviewer[chosen] - 1 + rng.integers(1, 5, m)) % 5 + 1
        again = {}
        share = CONTACT_SD**2 / SCORE_SD**2
        for name in ITEMS:
            # What the first score says of the contact, and what it does not.
            contact = share * chance[name][chosen] + rng.normal(0, CONTACT_SD * np.sqrt(1 - share), m)
            again[name] = contact + rng.normal(0, REVIEWER_SD, m)
        u = rng.random(m)
        fatal_again = np.where(fatal[chosen], u < FATAL_SEEN_TWICE, u < FATAL_SEEN_BY_THE_SECOND)
        at_again = at[chosen] + rng.integers(DAY, 4 * DAY, m)
        self._calibrated_on.append(days_of(plan, at_again))
        second = self._frame(
            f"QK{month + 100}" + pl.Series(np.arange(m) + 1).cast(pl.String).str.zfill(6),
            take(table, chosen), about.gather(chosen), other, at_again,
            {name: values[chosen] for name, values in deserved.items()}, again, fatal_again,
        )  # fmt: skip
        return pl.concat([first, second])

    def _learned(self, item: str, queue: np.ndarray, t: np.ndarray) -> np.ndarray:
        """Points that trainings added to an item by the time of a contact."""
        learned = np.zeros(len(t))
        for number, province, what, _, points in TRAININGS:
            done = self.plan.epoch + (self.training_days(number)[1] + 1) * DAY
            learned += points * ((what == item) & (queue == province) & (t >= done))
        return learned

    def training_days(self, number: str) -> tuple[int, int]:
        """First and last day of a training."""
        start = next(share for name, _, _, share, _ in TRAININGS if name == number)
        first = self.plan.month_first_day(max(0, round(self.plan.months * start))) + 3
        return first, first + TRAINING_DAYS - 1

    def _frame(
        self, number: pl.Series, table: Table, about: pl.Series, reviewer: np.ndarray, at: np.ndarray,
        deserved: dict[str, np.ndarray], chance: dict[str, np.ndarray], fatal: np.ndarray,
    ) -> pl.DataFrame:  # fmt: skip
        place = (table["agent"] - 1000) // 4
        columns = {
            "质检编号": number,
            "工号": "A" + pl.Series(table["agent"]).cast(pl.String).str.zfill(5),
            "机构编码": pick(words.TEAM_CODES, team_of(place % len(words.QUEUES), place // len(words.QUEUES))),
            "接触类型": pick(["电话", "工单"], table["kind"]),
            "接触编号": about,
            "质检员": "A9" + pl.Series(reviewer).cast(pl.String).str.zfill(4),
            "质检时间": local(at, "%Y/%m/%d %H:%M:%S"),
        }
        for name in ITEMS:
            points = deserved[name] + np.array(LENIENCY)[reviewer - 1] + chance[name]
            columns[name] = pl.Series(np.clip(np.round(points), 0, POINTS).astype(np.int64)).cast(pl.String)
        columns["致命差错"] = pick(["否", "是"], fatal.astype(np.int64))
        return pl.DataFrame({**columns, "_day": days_of(self.plan, at)})

    def with_trainings(self, actions: pl.DataFrame, day: int) -> pl.DataFrame:
        """The list of corrective actions on a day, with the trainings that have begun."""
        rows = []
        for number, province, item, _, _ in TRAININGS:
            begin, finish = self.training_days(number)
            if begin > day:
                continue
            unit = f"P-{words.PROVINCES[province][0]}"
            done = finish <= day
            rows.append(
                (
                    number, "training", f"Low scores: {item}", "us.employee.attitude", "Three days of training with recorded calls", "A01000", unit,
                    f"{unit}: {item}", str(self.plan.day_date(begin)), str(self.plan.day_date(finish)) if done else None, None,
                    "done" if done else "doing",
                )
            )  # fmt: skip
        return pl.concat([actions, pl.DataFrame(rows, schema=actions.schema, orient="row")])

    def truth(self, until: int) -> dict[str, object]:
        """What is true of reviewers and trainings, as far as it has been delivered."""
        calibrated = np.concatenate(self._calibrated_on) if self._calibrated_on else np.zeros(0, dtype=np.int32)
        return {
            "points_per_item": POINTS,
            "reviewer_leniency_points": {f"A9{number:04d}": value for number, value in enumerate(LENIENCY, 1)},
            "contact_sd": CONTACT_SD,
            "reviewer_sd": REVIEWER_SD,
            "reviewed_twice": int((calibrated <= until).sum()),
            "trainings": [
                {
                    "action_no": number,
                    "unit_code": f"P-{words.PROVINCES[province][0]}",
                    "item": item,
                    "effective_from": str(self.plan.day_date(self.training_days(number)[1] + 1)),
                    "effect_points": points,
                }
                for number, province, item, _, points in TRAININGS
                if self.training_days(number)[1] <= until
            ],
        }
