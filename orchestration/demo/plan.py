"""The plan of one built-in company: its size, its calendar and everything about it that is true by decree.

Belongs here: parameters, holidays, true weights, the planted events, and the rule by which random numbers are drawn.
Does not belong here: drawing anything from them (`people.py`, `world.py` and the others do).
"""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np

from orchestration.demo import words

UTC_OFFSET = 8 * 3600  # the company's clocks run on China's time, which has had no summer time since 1991
DAY = 86400
OPEN_HOUR, CLOSE_HOUR = 8, 22
DAILY_FILES = 3
MAX_CUSTOMERS = 4_500_000

# First days and lengths of the long holidays; the short ones follow from their fixed dates.
_SPRING = {
    2019: (2, 4),
    2020: (1, 24),
    2021: (2, 11),
    2022: (1, 31),
    2023: (1, 21),
    2024: (2, 9),
    2025: (1, 28),
    2026: (2, 16),
    2027: (2, 5),
    2028: (1, 25),
    2029: (2, 12),
    2030: (2, 2),
}

# Satisfaction with a contact on its latent scale (answers are this, rounded to 1..5 and clipped).
CSAT_BASE = 4.36
CSAT_WEIGHTS = {
    "resolved_first_contact": 0.78,
    "wait_minutes": -0.13,
    "is_complaint": -0.42,
    "is_transferred": -0.30,
    "agent_skill": 0.24,
    "promise_broken": -0.55,
    "bad_period": -0.25,
    "customer_mood": 0.36,
}
CSAT_NOISE = 0.62
# Logit of answering an invitation, given what happened and (a little) what one would say: the unhappy answer more
# often, those for whom all went well less. Most of the bias shows in operational facts, so weights remove most of it.
RESPONSE_BASE = -1.22
RESPONSE_WEIGHTS = {
    "not_resolved": 0.62,
    "all_went_well": -0.22,
    "per_minute_waited": 0.07,
    "is_complaint": 0.25,
    "says_1_or_2": 0.20,
    "is_enterprise": -0.40,
    "is_sms": 0.0,
    "is_email": -0.25,
    "is_ivr": 0.35,
    "age_60_plus": 0.25,
}
# Monthly probability of leaving, by true type.
CHURN = {
    "natural": 0.0030,
    "malicious_stop_paying": 0.035,
    "malicious_leave_after_two_months": 0.75,
    "competitive": 0.0042,
    "competitive_per_price_sensitivity": 0.75,
    "competitive_contract_end_factor": 2.2,
    "negligent_base": 0.0006,
    "negligent_per_grievance": 0.016,
    "offer_accepted_factor": 0.45,
}
PRICE_IN_TARIFF = 0.85
"""Correlation of the choice of a tariff with how much the customer minds the price: what of it shows in any system."""
ACTION_FACTOR = 0.55
BAD_MONTH = {
    "demand_factor": 1.38,
    "staff_factor": 0.72,
    "handle_factor": 1.35,
    "repair_time_factor": 2.1,
    "resolved_first_contact_points": -0.14,
    "latent_csat": CSAT_WEIGHTS["bad_period"],
}


@dataclass(frozen=True)
class Plan:
    """Everything from which the company follows. Two equal plans give the same company, day by day.

    Attributes:
        seed: every random stream starts from it.
        customers: customers on the first day (more join and some leave).
        months: length of the history for which the planted events are laid out.
        start: first day, always the first of a month.
        calls_per_customer_month: calls of an average customer in a month.
        tickets_per_customer_month: tickets of an average customer in a month.
        call_detail: `full` logs voice menu, announcements, holds and pauses; `lean` only what a service level needs
            (about 4 lines a call).
        dirty: plant damaged and contradictory data, late and repeated files.
    """

    seed: int
    customers: int
    months: int
    start: date
    calls_per_customer_month: float = 1.5
    tickets_per_customer_month: float = 0.34
    call_detail: str = "full"
    dirty: bool = True

    def __post_init__(self) -> None:
        if not 50 <= self.customers <= MAX_CUSTOMERS:
            raise ValueError(
                f"customers={self.customers}: give a number from 50 to {MAX_CUSTOMERS:,}; "
                "more calls come from calls=, not from more customers."
            )
        if not 1 <= self.months <= 60:
            raise ValueError(f"months={self.months}: give a number from 1 to 60.")
        if self.start.day != 1:
            raise ValueError(f"start={self.start}: the company begins on the first day of a month.")
        if self.call_detail not in ("full", "lean"):
            raise ValueError(f"call_detail={self.call_detail!r}: give 'full' or 'lean'.")

    # -- calendar ---------------------------------------------------------------------------------------------------

    @cached_property
    def epoch(self) -> int:
        """UTC seconds of the first day's local midnight."""
        return int(datetime(self.start.year, self.start.month, self.start.day, tzinfo=UTC).timestamp()) - UTC_OFFSET

    def day_date(self, day: int) -> date:
        return self.start + timedelta(days=int(day))

    def day_of(self, when: date) -> int:
        return (when - self.start).days

    def month_first_day(self, month: int) -> int:
        """Day number of the first day of a month (0 = the first; months before and after the history exist too)."""
        number = self.start.month - 1 + month
        return self.day_of(date(self.start.year + number // 12, number % 12 + 1, 1))

    def month_days(self, month: int) -> tuple[int, int]:
        """First day of a month and of the one after it."""
        return self.month_first_day(month), self.month_first_day(month + 1)

    def month_of_day(self, day: int) -> int:
        when = self.day_date(day)
        return (when.year - self.start.year) * 12 + when.month - self.start.month

    def is_holiday(self, when: date) -> bool:
        """Official days off of mainland China that close offices (long ones by table, the rest by date)."""
        spring = _SPRING.get(when.year)
        if spring and 0 <= (when - date(when.year, *spring)).days < 8:
            return True
        return (when.month, when.day) in {
            (1, 1),
            (4, 4),
            (4, 5),
            (5, 1),
            (5, 2),
            (5, 3),
            (10, 1),
            (10, 2),
            (10, 3),
            (10, 4),
            (10, 5),
            (10, 6),
            (10, 7),
        }

    def day_weight(self, day: int) -> float:
        """How busy a day is against an average weekday: weekends, holidays, the days after the bill."""
        when = self.day_date(day)
        weight = (1.12, 1.05, 1.0, 0.98, 1.02, 0.72, 0.62)[when.weekday()]
        if self.is_holiday(when):
            weight = min(weight, 0.48)
        elif self.is_holiday(when - timedelta(days=1)):
            weight *= 1.25
        if 3 <= when.day <= 8:
            weight *= (1.22, 1.3, 1.24, 1.15, 1.08, 1.04)[when.day - 3]
        return weight

    # -- planted events ---------------------------------------------------------------------------------------------

    @cached_property
    def bad_province(self) -> int:
        return 4

    @cached_property
    def bad_month(self) -> int:
        return min(self.months - 1, round(self.months * 0.6))

    @cached_property
    def action_day(self) -> int:
        """Day on which the one corrective action that works took hold."""
        return self.month_first_day(max(0, round(self.months * 0.45)))

    action_provinces = (1, 2)
    action_cause = words.CAUSE_INDEX["us.process.repair_dispatch"]

    @cached_property
    def burst_day(self) -> int:
        return self.month_first_day(max(0, self.months - 2)) + 11

    burst_province = 3
    burst_days = 7
    burst_cause = words.CAUSE_INDEX["us.system.app_release"]

    # -- random numbers ---------------------------------------------------------------------------------------------

    def rng(self, purpose: str, *numbers: int) -> np.random.Generator:
        """A stream of its own for each purpose (and month, day …), so that no part shifts another part's numbers."""
        return np.random.Generator(
            np.random.PCG64(
                np.random.SeedSequence([self.seed, zlib.crc32(purpose.encode()), *[int(n) + 1000 for n in numbers]])
            )
        )

    # -- storage ----------------------------------------------------------------------------------------------------

    def save(self, path: Path, until: date) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        content = asdict(self) | {"start": self.start.isoformat(), "until": until.isoformat()}
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

    @staticmethod
    def load(path: Path) -> tuple[Plan, date]:
        """The plan of an existing company and the last day delivered so far."""
        content = json.loads(path.read_text(encoding="utf-8"))
        until = date.fromisoformat(content.pop("until"))
        content["start"] = date.fromisoformat(content["start"])
        return Plan(**content), until


def plan_for(end: date, months: int, **options: object) -> Plan:
    """The plan whose history of `months` calendar months ends in the month of `end`."""
    number = end.year * 12 + end.month - 1 - (months - 1)
    return Plan(months=months, start=date(number // 12, number % 12 + 1, 1), **options)  # type: ignore[arg-type]
