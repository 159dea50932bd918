"""The other systems: surveys, customer management, billing and the retention desk, as each of them exports its rows.

Belongs here: how what happened becomes rows of these systems. Does not belong here: why it happened (`world.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from orchestration.demo import words
from orchestration.demo.helpdesk import HelpDesk
from orchestration.demo.people import (
    ENTERPRISE,
    HOUSEHOLD,
    PERSON,
    Agents,
    Customers,
    Table,
    agent_names,
    phone_style,
    pick,
    size,
    stack,
    take,
    team_of,
    unit_days,
)
from orchestration.demo.plan import (
    CSAT_BASE,
    CSAT_NOISE,
    CSAT_WEIGHTS,
    DAY,
    RESPONSE_BASE,
    RESPONSE_WEIGHTS,
    UTC_OFFSET,
    Plan,
)
from orchestration.demo.telephony import Roster
from orchestration.demo.world import COMPLAINT, EMAIL, NATIVE, NEVER, WEB, Month

DIMENSIONS = [
    ("tangibles", 1, 4),
    ("reliability", 5, 9),
    ("responsiveness", 10, 13),
    ("assurance", 14, 17),
    ("empathy", 18, 22),
]
TCSI = [("image", 3), ("expectation", 2), ("quality", 4), ("value", 2), ("satisfaction", 2), ("loyalty", 2)]
TCSI_PATHS = {
    "expectation": {"image": 0.6},
    "quality": {"image": 0.35, "expectation": 0.45},
    "value": {"expectation": 0.25, "quality": 0.55},
    "satisfaction": {"image": 0.2, "quality": 0.35, "value": 0.4},
    "loyalty": {"image": 0.25, "satisfaction": 0.6},
}
SERVQUAL_EXPECTED = (5.9, 6.4, 6.2, 6.1, 5.9)
SERVQUAL_PERCEIVED = (5.7, 5.2, 5.3, 5.7, 5.4)


def local(seconds: np.ndarray, pattern: str) -> pl.Series:
    """UTC seconds as local text of China's clock."""
    return pl.from_epoch(pl.Series(seconds + UTC_OFFSET), time_unit="s").dt.strftime(pattern)


def new_york(seconds: np.ndarray) -> pl.Series:
    """UTC seconds on the survey tool's clock; what that clock repeats in autumn cannot be told apart afterwards."""
    return (
        pl.from_epoch(pl.Series(seconds), time_unit="s")
        .dt.replace_time_zone("UTC")
        .dt.convert_time_zone("America/New_York")
        .dt.strftime("%m/%d/%Y %I:%M:%S %p")
    )


def days_of(plan: Plan, seconds: np.ndarray) -> np.ndarray:
    return ((seconds - plan.epoch) // DAY).astype(np.int32)


def contact_ids(kind: np.ndarray, row: np.ndarray, calls: Table, tickets: Table) -> pl.Series:
    """What the systems call a contact: the exchange's id of a call, the number of a ticket, nothing of another kind.

    Args:
        kind: 0 = ticket, 1 = call.
        row: its row in `tickets` or `calls`.
    """
    about = pl.Series([None] * len(kind), dtype=pl.String)
    of_call, of_ticket = np.flatnonzero(kind == 1), np.flatnonzero(kind == 0)
    if len(of_call):
        rows = row[of_call]
        ids = pl.Series(calls["start"][rows]).cast(pl.String) + "." + pl.Series(calls["serial"][rows]).cast(pl.String)
        about = about.scatter(of_call, ids)
    if len(of_ticket):
        about = about.scatter(of_ticket, pl.Series(tickets["ticket"][row[of_ticket]]).cast(pl.String))
    return about


# -- surveys ------------------------------------------------------------------------------------------------------

SURVEYS = ["CSAT01", "CES01", "NPS01", "SQ01", "TCSI01"]
TYPES = ["csat", "ces", "nps", "servqual", "tcsi"]
S_CSAT, S_CES, S_NPS, S_SQ, S_TCSI = range(5)


def questions() -> pl.DataFrame:
    rows: list[tuple[str, str, str, str, int, str, str, int, int, str]] = [
        ("CSAT01", "S1", "csat", "", 1, "How satisfied are you with this contact?", "您对本次服务满意吗？", 1, 5, "N"),
        ("CSAT01", "S2", "resolved", "", 2, "Was your matter solved?", "您的问题解决了吗？", 0, 1, "N"),
        ("CSAT01", "S3", "other", "wait", 3, "How was the waiting time?", "您对等待时间满意吗？", 1, 5, "N"),
        ("CSAT01", "S4", "other", "staff", 4, "How was the person who served you?", "您对服务人员满意吗？", 1, 5, "N"),
        ("CES01", "C1", "ces", "", 1, "How much effort did it cost you?", "办理这件事您费力吗？", 1, 5, "Y"),
        ("NPS01", "N1", "nps", "", 1, "Would you recommend us?", "您愿意向亲友推荐我们吗？", 0, 10, "N"),
        ("NPS01", "N2", "other", "repurchase", 2, "Will you stay with us?", "您会继续使用我们的服务吗？", 1, 5, "N"),
        ("NPS01", "N3", "other", "trust", 3, "Do you trust our brand?", "您信任我们的品牌吗？", 1, 5, "N"),
        (
            "LOOP01",
            "L1",
            "rating",
            "",
            1,
            "How satisfied are you with that contact by now?",
            "您现在对那次服务满意吗？",
            1,
            5,
            "N",
        ),
    ]
    rows += [
        (
            "BRAND01",
            "B1",
            "awareness",
            "",
            1,
            "Do you know our service promise?",
            "您知道我们的服务承诺吗？",
            0,
            1,
            "N",
        ),
        ("BRAND01", "B2", "favourability", "", 2, "What do you think of it?", "您如何评价我们的服务承诺？", 1, 5, "N"),
    ]
    for name, first, last in DIMENSIONS:
        for item in range(first, last + 1):
            rows.append(
                (
                    "SQ01",
                    f"E{item:02d}",
                    "expectation",
                    name,
                    item,
                    f"Excellent operators: {name}, item {item}",
                    f"优秀运营商应当：{name} {item}",
                    1,
                    7,
                    "N",
                )
            )
            rows.append(
                (
                    "SQ01",
                    f"P{item:02d}",
                    "perception",
                    name,
                    item,
                    f"Our company: {name}, item {item}",
                    f"本公司：{name} {item}",
                    1,
                    7,
                    "N",
                )
            )
    for number, (name, _, _) in enumerate(DIMENSIONS, 1):
        rows.append(
            (
                "SQ01",
                f"I{number:02d}",
                "importance",
                name,
                number,
                f"Points out of 100 for {name}",
                f"{name} 的重要性（100 分中）",
                0,
                100,
                "N",
            )
        )
    item = 0
    for name, count in TCSI:
        for _ in range(count):
            item += 1
            rows.append(
                (
                    "TCSI01",
                    f"T{item:02d}",
                    "index",
                    name,
                    item,
                    f"{name.title()}, item {item}",
                    f"{name} {item}",
                    1,
                    10,
                    "N",
                )
            )
    names = [
        "survey_id",
        "question_id",
        "role",
        "construct",
        "item_no",
        "text_en",
        "text_zh",
        "scale_min",
        "scale_max",
        "reversed",
    ]
    return pl.DataFrame(rows, schema=names, orient="row").with_columns(pl.lit("11;99").alias("blank_codes"))


@dataclass
class Surveys:
    """Invitations, responses and answers; keeps for the truth what those who did not answer would have said."""

    plan: Plan
    desk: HelpDesk
    agents: Agents

    def month(
        self,
        customers: Customers,
        world_month: Month,
        calls: Table,
        tickets: Table,
        grievance: np.ndarray,
        active: np.ndarray,
    ) -> dict[str, pl.DataFrame | Table]:
        plan, facts = self.plan, customers.facts
        number = world_month.number
        rng = plan.rng("surveys", number)
        first, nxt = plan.month_days(number)
        parts: list[Table] = []

        def invite(
            survey: int, cust: np.ndarray, t: np.ndarray, about: np.ndarray, kind: int, latent: np.ndarray, extra: Table
        ) -> None:
            n = len(cust)
            part: Table = {
                "survey": np.full(n, survey),
                "cust": cust,
                "t": t,
                "about": about,
                "about_kind": np.full(n, kind),
                "latent": latent,
            }
            defaults: dict[str, object] = {
                "product": 1,
                "resolved": True,
                "wait": 0.0,
                "transferred": False,
                "skill": 0.0,
                "complaint": False,
                "broken": False,
                "bad": False,
                "city": None,
            }
            for name, default in defaults.items():
                part[name] = (
                    np.asarray(extra[name])
                    if name in extra
                    else (facts["city"][cust].astype(np.int64) if default is None else np.full(n, default))
                )
            parts.append(part)

        def contact_latent(extra: Table, cust: np.ndarray) -> np.ndarray:
            w = CSAT_WEIGHTS
            latent: np.ndarray = (
                CSAT_BASE
                + w["resolved_first_contact"] * (extra["resolved"] - 0.8)
                + w["wait_minutes"] * np.minimum(extra["wait"], 10.0)
                + w["is_complaint"] * extra["complaint"]
                + w["is_transferred"] * extra["transferred"]
                + w["agent_skill"] * extra["skill"]
                + w["promise_broken"] * extra["broken"]
                + w["bad_period"] * extra["bad"]
                + w["customer_mood"] * facts["mood"][cust]
                + rng.normal(0, CSAT_NOISE, len(cust))
            )
            return latent

        # After answered calls without a ticket, and after solved tickets.
        if size(calls):
            rows = np.flatnonzero((calls["ticket"] == 0) & (rng.random(size(calls)) < 0.42))
            extra = {
                "product": calls["product"][rows],
                "resolved": calls["resolved"][rows],
                "wait": calls["wait"][rows] / 60,
                "transferred": calls["transferred"][rows],
                "skill": self.agents.skill[calls["agent"][rows]],
                "complaint": calls["kind"][rows] == COMPLAINT,
                "broken": np.zeros(len(rows), dtype=bool),
                "bad": calls["bad"][rows],
            }
            invite(
                S_CSAT,
                calls["cust"][rows],
                calls["end"][rows] + 120,
                rows,
                1,
                contact_latent(extra, calls["cust"][rows]),
                extra,
            )
        rows = np.flatnonzero(tickets["ordinary"] & (rng.random(size(tickets)) < 0.62))
        extra = {
            "product": tickets["product"][rows],
            "resolved": tickets["first"][rows],
            "wait": np.zeros(len(rows)),
            "transferred": np.zeros(len(rows), dtype=bool),
            "skill": self.agents.skill[tickets["closer"][rows]],
            "complaint": tickets["kind"][rows] == COMPLAINT,
            "broken": tickets["promise"][rows] & ~tickets["kept"][rows],
            "bad": tickets["bad"][rows],
        }
        invite(
            S_CSAT,
            tickets["cust"][rows],
            tickets["final"][rows] + 1800,
            rows,
            0,
            contact_latent(extra, tickets["cust"][rows]),
            extra,
        )
        rows = np.flatnonzero(
            tickets["ordinary"] & np.isin(tickets["channel"], [WEB, EMAIL, NATIVE]) & (rng.random(size(tickets)) < 0.5)
        )
        extra = {
            "product": tickets["product"][rows],
            "resolved": tickets["first"][rows],
            "skill": self.agents.skill[tickets["closer"][rows]],
            "bad": tickets["bad"][rows],
        }
        effort = (
            2.3
            - 0.9 * (tickets["first"][rows] - 0.8)
            + 0.5 * tickets["bad"][rows]
            - 0.25 * facts["mood"][tickets["cust"][rows]]
            + rng.normal(0, 0.85, len(rows))
        )
        invite(S_CES, tickets["cust"][rows], tickets["final"][rows] + 3600, rows, 0, effort, extra)
        # Waves over the customers.
        living = np.flatnonzero(active)
        grief = grievance.sum(axis=1)
        for which, every, offset, share, most in (
            (S_NPS, 3, 1, 0.42, 60_000),
            (S_SQ, 6, 3, 0.10, 20_000),
            (S_TCSI, 6, 4, 0.12, 20_000),
        ):
            if number % every != offset % every:
                continue
            chance = (
                share
                * np.where(facts["kind"][living] == ENTERPRISE, 2.0, 1.0)
                * min(1.0, most / max(share * len(living), 1))
            )
            cust = living[rng.random(len(living)) < chance]
            t = (
                plan.epoch
                + (first + 9 + rng.integers(0, min(5, nxt - first - 10), len(cust))) * DAY
                + rng.integers(9 * 3600, 18 * 3600, len(cust))
            )
            bad = (facts["city"][cust] // 4 == plan.bad_province) & (number == plan.bad_month)
            latent = (
                8.35
                + 0.95 * facts["mood"][cust]
                - 1.3 * np.minimum(grief[cust], 3)
                - 0.35 * facts["price"][cust]
                - 0.5 * bad
                + rng.normal(0, 1.25, len(cust))
            )
            invite(
                which,
                cust,
                t,
                np.full(len(cust), -1),
                3,
                latent,
                {"bad": bad, "product": rng.integers(0, 3, len(cust))},
            )
        table = stack(parts)
        table = take(table, np.argsort(table["t"], kind="stable"))
        n = size(table)
        cust, survey = table["cust"], table["survey"]
        channel: np.ndarray = np.where(
            (table["about_kind"] == 1) & (rng.random(n) < 0.5),
            2,
            np.where(facts["has_email"][cust] & (rng.random(n) < 0.3), 1, np.where(rng.random(n) < 0.2, 3, 0)),
        )  # sms email ivr app
        bounced = rng.random(n) < np.array([0.02, 0.05, 0.0, 0.01])[channel]
        u = rng.random(n)
        w = RESPONSE_WEIGHTS
        fixed = (
            RESPONSE_BASE
            + w["is_enterprise"] * (facts["kind"][cust] == ENTERPRISE)
            + np.array([w["is_sms"], w["is_email"], w["is_ivr"], 0.0])[channel]
            + w["age_60_plus"] * (facts["age"][cust] >= 60)
        )
        fixed = fixed + np.array([0.0, -0.2, -0.15, -0.5, -0.4])[survey]
        scale5 = np.where(
            survey == S_CSAT, table["latent"], np.where(survey == S_CES, 6 - table["latent"], 1 + 0.4 * table["latent"])
        )
        score5 = np.clip(np.round(scale5), 1, 5)
        well = table["resolved"] & (table["wait"] < 0.5) & ~table["complaint"]
        logit = (
            fixed
            + w["not_resolved"] * ~table["resolved"]
            + w["all_went_well"] * well
            + w["per_minute_waited"] * np.minimum(table["wait"], 10)
            + w["is_complaint"] * table["complaint"]
            + w["says_1_or_2"] * (score5 <= 2)
        )
        p, neutral = 1 / (1 + np.exp(-logit)), 1 / (1 + np.exp(-fixed))
        answered = ~bounced & (u < p)
        reason = np.select([bounced, answered & (u < neutral), answered, u < neutral], [0, 1, 4, 2], 3)
        delay = np.where(channel == 2, rng.integers(5, 60, n), np.minimum(rng.lognormal(9.4, 1.4, n), 12 * DAY)).astype(
            np.int64
        )
        ids = number * 10_000_000 + np.arange(n) + 1
        texts = customers.frame().select("crm_no", "mobile", "email")[cust]
        blank = pl.Series([None] * n, dtype=pl.String)
        known = pl.Series((cust * 37 % 10) > 0)
        about = contact_ids(table["about_kind"], table["about"], calls, tickets)
        unit = pick(words.CITY_CODES, facts["city"][cust].astype(np.int64))
        wave = np.where(survey >= S_NPS, number, -1)
        wave_text = (
            pl.Series(
                [None if v < 0 else f"{plan.day_date(plan.month_first_day(int(v))):%Y-%m}" for v in wave.tolist()],
                dtype=pl.String,
            )
            if n
            else blank
        )
        english = pick(["zh", "en"], facts["english"][cust].astype(np.int64))
        product = pick(words.PRODUCTS, table["product"])
        invitation_id = "V" + pl.Series(ids).cast(pl.String).str.zfill(10)
        common: dict[str, pl.Series] = {
            "survey_id": pick(SURVEYS, survey),
            "survey_type": pick(TYPES, survey),
            "wave": wave_text,
            "contact_type": pick(["ticket", "call", "order", "relationship"], table["about_kind"]),
            "contact_id": about,
            "recipient_id": texts["crm_no"].zip_with(known, blank),
        }
        invitations = pl.DataFrame(
            {
                "invitation_id": invitation_id,
                **common,
                "recipient_phone": texts["mobile"].zip_with(pl.Series(channel != 1), blank),
                "recipient_email": texts["email"].zip_with(pl.Series(channel == 1), blank),
                "channel": pick(["sms", "email", "ivr", "app"], channel),
                "unit_code": unit,
                "product": product,
                "language": english,
                "sent_at": new_york(table["t"]),
                "delivered_at": new_york(table["t"] + 20).zip_with(pl.Series(~bounced), blank),
                "status": pick(["delivered", "bounced"], bounced.astype(np.int64)),
                "_day": days_of(plan, table["t"]),
            }
        )
        yes = np.flatnonzero(answered)
        at = table["t"][yes] + 40 + delay[yes]
        part = take(table, yes)
        yes_rows = pl.Series(yes)
        late = rng.random(len(yes)) < 0.01
        due = days_of(plan, at) + np.where(late, rng.integers(2, 9, len(yes)), 0).astype(np.int32)
        good = score5[yes] >= 4
        comments = rng.random(len(yes)) < np.where(survey[yes] >= S_SQ, 0.0, np.where(score5[yes] <= 2, 0.45, 0.12))
        language = facts["english"][cust[yes]].astype(np.int64)
        sentence = np.where(
            good,
            self.desk.book.choose(["good"], np.zeros(len(yes), dtype=np.int64), language, rng.random(len(yes))),
            self.desk.book.choose(["bad"], np.zeros(len(yes), dtype=np.int64), language, rng.random(len(yes))),
        )
        response_id = "R" + pl.Series(ids[yes]).cast(pl.String).str.zfill(10)
        weight = np.where(facts["kind"][cust[yes]] == ENTERPRISE, 0, 1)
        responses = pl.DataFrame(
            {
                "response_id": response_id,
                "invitation_id": invitation_id.gather(yes_rows),
                **{name: values.gather(yes_rows) for name, values in common.items()},
                "mode": pick(["sms", "email", "ivr", "app"], channel[yes]),
                "unit_code": unit.gather(yes_rows),
                "product": product.gather(yes_rows),
                "language": english.gather(yes_rows),
                "started_at": new_york(at - 35),
                "submitted_at": new_york(at),
                "base_weight": pick(["0.50", "1.00"], np.where(survey[yes] >= S_NPS, weight, -1)),
                "comment": self.desk.vocabulary.gather(pl.Series(sentence)).zip_with(
                    pl.Series(comments), pl.Series([None] * len(yes), dtype=pl.String)
                ),
                "_day": due,
            }
        )
        answers = self._answers(rng, part, response_id, at, due)
        truth: Table = {
            "invitation": ids,
            "survey": survey,
            "cust": cust,
            "propensity": p.astype(np.float32),
            "reason": reason,
            "would_say": np.where(
                survey == S_CSAT,
                score5,
                np.where(
                    survey == S_CES, np.clip(np.round(table["latent"]), 1, 5), np.clip(np.round(table["latent"]), 0, 10)
                ),
            ),
            "resolved": table["resolved"],
            "wait": table["wait"].astype(np.float32),
            "transferred": table["transferred"],
            "skill": table["skill"].astype(np.float32),
            "complaint": table["complaint"],
            "broken": table["broken"],
            "bad": table["bad"],
            "mood": facts["mood"][cust],
            "t": table["t"],
            "about_kind": table["about_kind"],
        }
        return {
            "surveys.invitations": invitations,
            "surveys.responses": responses,
            "surveys.answers": answers,
            "truth": truth,
        }

    def _answers(
        self, rng: np.random.Generator, part: Table, response_id: pl.Series, at: np.ndarray, due: np.ndarray
    ) -> pl.DataFrame:
        frames: list[pl.DataFrame] = []
        stamp = new_york(at)
        survey = part["survey"]

        def put(
            mask: np.ndarray, question: str, values: np.ndarray, low: int, high: int, blanks: float, survey_id: str
        ) -> None:
            rows = np.flatnonzero(mask)
            numbers = np.clip(np.round(values[rows] if len(values) == len(mask) else values), low, high).astype(
                np.int64
            )
            u = rng.random(len(rows))
            numbers = np.where(u < blanks / 2, 11, np.where(u < blanks, 99, numbers)) if high != 100 else numbers
            picked = pl.Series(rows)
            frames.append(
                pl.DataFrame(
                    {
                        "response_id": response_id.gather(picked),
                        "survey_id": [survey_id] * len(rows),
                        "question_id": [question] * len(rows),
                        "value": pl.Series(numbers).cast(pl.String),
                        "submitted_at": stamp.gather(picked),
                        "_day": due[rows],
                        "_order": rows,
                    }
                )
            )

        n = len(survey)
        csat = survey == S_CSAT
        put(csat, "S1", part["latent"], 1, 5, 0.0, "CSAT01")
        told = np.where(rng.random(n) < 0.05, 1 - part["resolved"], part["resolved"])
        put(csat, "S2", told.astype(float), 0, 1, 0.03, "CSAT01")
        put(csat, "S3", 4.6 - 0.45 * np.minimum(part["wait"], 8) + rng.normal(0, 0.6, n), 1, 5, 0.02, "CSAT01")
        put(csat, "S4", 0.45 * part["latent"] + 2.4 + 0.3 * part["skill"] + rng.normal(0, 0.5, n), 1, 5, 0.02, "CSAT01")
        put(survey == S_CES, "C1", part["latent"], 1, 5, 0.01, "CES01")
        nps = survey == S_NPS
        put(nps, "N1", part["latent"], 0, 10, 0.012, "NPS01")
        put(nps, "N2", 0.42 * part["latent"] + 0.55 + rng.normal(0, 0.6, n), 1, 5, 0.02, "NPS01")
        put(nps, "N3", 0.38 * part["latent"] + 0.7 + rng.normal(0, 0.6, n), 1, 5, 0.02, "NPS01")
        sq = survey == S_SQ
        if sq.any():
            lean = (part["latent"] - 8) * 0.25
            strict = rng.normal(0, 0.35, n)
            for position, (_, first, last) in enumerate(DIMENSIONS):
                of_dimension = rng.normal(0, 0.35, n)
                for item in range(first, last + 1):
                    put(
                        sq,
                        f"E{item:02d}",
                        SERVQUAL_EXPECTED[position] + strict + rng.normal(0, 0.6, n),
                        1,
                        7,
                        0.02,
                        "SQ01",
                    )
                    put(
                        sq,
                        f"P{item:02d}",
                        SERVQUAL_PERCEIVED[position]
                        + lean
                        + of_dimension
                        - 0.8 * part["bad"] * (position in (1, 2))
                        + rng.normal(0, 0.7, n),
                        1,
                        7,
                        0.03,
                        "SQ01",
                    )
            raw = rng.gamma(6, 1, (n, 5)) * np.array([0.7, 1.6, 1.2, 0.9, 0.8])
            points = np.floor(raw / raw.sum(axis=1, keepdims=True) * 100)
            points[:, 1] += 100 - points.sum(axis=1)
            for position in range(5):
                put(sq, f"I{position + 1:02d}", points[:, position], 0, 100, 0.0, "SQ01")
        tcsi = survey == S_TCSI
        if tcsi.any():
            latent: dict[str, np.ndarray] = {"image": 0.8 * (part["latent"] - 8.3) / 1.6 + rng.normal(0, 0.6, n)}
            item = 0
            for name, count in TCSI:
                if name != "image":
                    latent[name] = sum(
                        weight * latent[source] for source, weight in TCSI_PATHS[name].items()
                    ) + rng.normal(0, 0.55, n)
                for _ in range(count):
                    item += 1
                    put(
                        tcsi,
                        f"T{item:02d}",
                        7.35 + 1.35 * (0.88 * latent[name] + 0.45 * rng.normal(0, 1, n)),
                        1,
                        10,
                        0.0,
                        "TCSI01",
                    )
        frame = pl.concat(frames)
        return frame.sort("_order", maintain_order=True).drop("_order")


# -- customer management ------------------------------------------------------------------------------------------


def org_units(plan: Plan, day: int) -> pl.DataFrame:
    """The tree; one team changed city in the middle of the history."""
    rows: list[tuple[str, str | None, str, str, str, str, str, str | None, str | None]] = [
        (
            "HQ",
            None,
            f"{words.COMPANY_ZH}总部",
            f"{words.COMPANY_EN} headquarters",
            "HQ",
            "Asia/Shanghai",
            "cn_office",
            None,
            None,
        )
    ]
    moved = plan.day_date(plan.month_first_day(max(1, plan.months // 2)))
    for code, zh, en, _, _, cities in words.PROVINCES:
        zone, calendar = ("Asia/Urumqi", "xj_office") if code == "XJ" else ("Asia/Shanghai", "cn_office")
        rows.append((f"P-{code}", "HQ", f"{zh}分公司", f"{en} branch", "PROV", zone, calendar, None, None))
        for city, city_zh, city_en, _ in cities:
            rows.append(
                (
                    f"C-{code}-{city}",
                    f"P-{code}",
                    f"{city_zh}市分公司",
                    f"{city_en} branch",
                    "CITY",
                    zone,
                    calendar,
                    None,
                    None,
                )
            )
            team = f"T-{code}-{city}-1"
            if team == "T-JS-WX-1" and plan.day_date(day) >= moved:
                rows.append(
                    (
                        team,
                        f"C-{code}-{city}",
                        f"{city_zh}一班",
                        f"{city_en} team 1",
                        "TEAM",
                        zone,
                        "cn_24x7",
                        None,
                        f"{plan.day_date(plan.day_of(moved) - 1)}",
                    )
                )
                rows.append(
                    (team, "C-JS-XZ", f"{city_zh}一班", f"{city_en} team 1", "TEAM", zone, "cn_24x7", f"{moved}", None)
                )
            else:
                rows.append(
                    (
                        team,
                        f"C-{code}-{city}",
                        f"{city_zh}一班",
                        f"{city_en} team 1",
                        "TEAM",
                        zone,
                        "cn_24x7",
                        None,
                        None,
                    )
                )
    rows.append(("T-HQ-ENT", "HQ", "总部政企班", "Enterprise desk", "TEAM", "Asia/Shanghai", "cn_24x7", None, None))
    rows.append(("T-HQ-CMP", "HQ", "总部投诉班", "Complaints desk", "TEAM", "Asia/Shanghai", "cn_24x7", None, None))
    names = [
        "unit_code",
        "parent_code",
        "name_zh",
        "name_en",
        "level",
        "time_zone",
        "calendar",
        "valid_from",
        "valid_to",
    ]
    return pl.DataFrame(rows, schema={name: pl.String for name in names}, orient="row")


def agents_table(plan: Plan, agents: Agents, day: int) -> pl.DataFrame:
    """Agents hired until a day; some become seniors after a year."""
    month = plan.month_of_day(day)
    careers = agents.careers(month)
    start = np.array([plan.month_first_day(int(m)) for m in careers["from_month"]])
    left = np.array([plan.month_first_day(int(m)) - 1 if m < 10_000 else NEVER for m in careers["to_month"]])
    left = np.where(left <= day, left, NEVER)
    promoted = start + 365 + (careers["number"] % 7) * 30
    has = (careers["position"] % 5 == 1) & (promoted <= day) & (promoted < left)
    team = pick(words.TEAM_CODES, team_of(careers["queue"], careers["position"]))
    lead = careers["position"] < 4
    role = np.where(lead, 2, np.where(careers["position"] % 7 == 4, 1, 0))
    skills = ["mobile;broadband", "mobile;broadband;complaint", "broadband;repair", "enterprise", "complaint"]
    skill = np.where(careers["queue"] == 6, 3, np.where(careers["queue"] == 7, 4, careers["number"] // 4 % 3))
    names = agent_names(plan, careers["number"])
    number = pl.Series(careers["number"]).cast(pl.String).str.zfill(5)
    n = len(start)
    blank = pl.Series([None] * n, dtype=pl.String)

    def stretch(rows: np.ndarray, code: np.ndarray, begin: np.ndarray, end: np.ndarray) -> pl.DataFrame:
        picked = pl.Series(rows)
        return pl.DataFrame(
            {
                "agent_no": ("A" + number).gather(picked),
                "name": names.gather(picked),
                "unit_code": team.gather(picked),
                "role": pick(["agent", "senior", "team_lead"], code[rows]),
                "skills": pick(skills, skill[rows]),
                "email": ("a" + number + "@xingdu.example.com").gather(picked),
                "hired": unit_days(plan, start[rows]),
                "left": unit_days(plan, left[rows]),
                "valid_from": unit_days(plan, begin[rows]),
                "valid_to": unit_days(plan, end[rows]),
            }
        )

    everybody = np.arange(n)
    frame = stretch(everybody, role, start, np.where(has, promoted - 1, left))
    second = np.flatnonzero(has)
    _ = blank
    return pl.concat([frame, stretch(second, np.maximum(role, 1), promoted, left)]).sort("agent_no", "valid_from")


def customers_table(plan: Plan, customers: Customers, subs: Table, day: int) -> pl.DataFrame:
    """The customer file of a day: everybody who has joined; some persons stand in it twice, under two numbers."""
    facts = customers.facts
    rows = np.flatnonzero(facts["since"] <= day)
    running = np.zeros(customers.count, dtype=bool)
    running[subs["cust"][(subs["start"] <= day) & (subs["end"] > day)]] = True
    frame = customers.frame()[rows].with_columns(
        state=pick(["离网", "在网"], running[rows].astype(np.int64)), twice=pl.Series(facts["crm_twice"][rows])
    )
    province = {code: p[1] for p in words.PROVINCES for code in [f"{p[0]}"]}
    shaped = frame.select(
        pl.col("crm_no").alias("客户编号"),
        pl.lit(pl.Series(["个人", "家庭", "企业"])).gather(pl.col("kind")).alias("客户类型"),
        pl.col("name").alias("客户名称"),
        pl.col("birth").alias("出生日期"),
        pl.lit(pl.Series(list(province.values()))).gather(pl.col("city") // 4).alias("所属省份"),
        pl.col("city_zh").alias("所属城市"),
        pl.lit(pl.Series(words.CITY_CODES)).gather(pl.col("city")).alias("机构编码"),
        pl.col("address").alias("地址"),
        pl.col("industry").alias("行业"),
        pl.col("parent_no").alias("归属客户"),
        pl.when(pl.col("english") == 1).then(pl.lit("英文")).otherwise(pl.lit("中文")).alias("语言"),
        pl.col("since").alias("入网日期"),
        pl.col("state").alias("客户状态"),
        pl.col("twice"),
        pl.col("name_other").alias("other"),
        pl.col("cust"),
    )
    second = shaped.filter("twice").with_columns(
        (pl.col("客户编号") + "2").alias("客户编号"),
        pl.when(pl.col("cust") % 2 == 0).then(pl.col("other")).otherwise(pl.col("客户名称")).alias("客户名称"),
        pl.when(pl.col("cust") % 3 == 0).then(None).otherwise(pl.col("出生日期")).alias("出生日期"),
    )
    return pl.concat([shaped, second]).drop("twice", "other", "cust")


def identifiers(plan: Plan, customers: Customers, month: int, joined: tuple[int, int]) -> pl.DataFrame:
    """Identifiers of the month's new customers (month 0: of all)."""
    facts = customers.facts
    first, _ = plan.month_days(month)
    rows = np.arange(*joined)
    frame = customers.frame()[rows].with_columns(
        style=pl.Series(facts["style"][rows]),
        hall=pl.Series(facts["hall_phone"][rows]),
        day=pl.Series(np.maximum(facts["since"][rows], first)),
        twice=pl.Series(facts["crm_twice"][rows]),
        hall_no=pick(words.CITY_AREA, facts["city"][rows].astype(np.int64)) + "62001000",
    )
    home = pl.when(pl.col("parent_no").is_not_null()).then(pl.lit(None, dtype=pl.String)).otherwise(pl.col("landline"))
    parents = customers.frame().select(pl.col("crm_no").alias("parent_no"), pl.col("landline").alias("parent_landline"))
    frame = frame.join(parents, on="parent_no", how="left", maintain_order="left")
    shapes = [
        ("CUSTNO", pl.col("crm_no"), pl.lit(True)),
        ("MOBILE", pl.col("mobile"), pl.lit(True)),
        ("LANDLINE", home, (pl.col("kind") != PERSON) | (pl.col("cust") % 6 == 0)),
        ("LANDLINE", pl.col("parent_landline"), pl.col("parent_no").is_not_null()),
        ("LANDLINE", pl.col("hall_no"), pl.col("hall")),
        ("EMAIL", pl.col("email"), pl.lit(True)),
        ("CONTRACT", pl.col("account_no"), pl.lit(True)),
        ("MEMBER", pl.col("member_no"), pl.lit(True)),
        ("WECHAT", "wx_" + (pl.col("cust") * 7_368_787 % 99_999_989).cast(pl.String), pl.col("cust") % 5 == 1),
    ]
    parts = [
        frame.filter(condition).select(
            pl.col("crm_no").alias("customer_no"),
            pl.lit(kind).alias("id_type"),
            value.alias("id_value"),
            pl.col("since").alias("valid_from"),
            "day",
        )
        for kind, value, condition in shapes
    ]
    doubles = frame.filter("twice")
    parts.append(
        doubles.select(
            (pl.col("crm_no") + "2").alias("customer_no"),
            pl.lit("MOBILE").alias("id_type"),
            phone_style(pl.col("mobile"), pl.col("style")).alias("id_value"),
            pl.col("since").alias("valid_from"),
            "day",
        )
    )
    parts.append(
        doubles.select(
            (pl.col("crm_no") + "2").alias("customer_no"),
            pl.lit("CUSTNO").alias("id_type"),
            (pl.col("crm_no") + "2").alias("id_value"),
            pl.col("since").alias("valid_from"),
            "day",
        )
    )
    table = pl.concat(parts).filter(pl.col("id_value").is_not_null()).sort("day", "customer_no", maintain_order=True)
    at = plan.epoch + table["day"].to_numpy() * DAY + 20 * 3600
    return table.with_columns(
        pl.lit(None, dtype=pl.String).alias("valid_to"),
        local(at, "%Y/%m/%d %H:%M:%S").alias("updated_at"),
        pl.col("day").cast(pl.Int32).alias("_day"),
    ).select("customer_no", "id_type", "id_value", "valid_from", "valid_to", "updated_at", "_day")


def roster_rows(plan: Plan, duty: Table) -> pl.DataFrame:
    """Planned work of some days: before lunch, lunch, after it; an hour of training for some on some days."""
    n = size(duty)
    midnight = plan.epoch + duty["day"] * DAY
    training = (duty["number"] + duty["day"]) % 17 == 0
    stretches = [
        (np.ones(n, dtype=bool), duty["begin"], duty["lunch"], 0),
        (np.ones(n, dtype=bool), duty["lunch"], duty["lunch"] + 2700, 1),
        (np.ones(n, dtype=bool), duty["lunch"] + 2700, np.where(training, duty["end"] - 3600, duty["end"]), 0),
        (training, duty["end"] - 3600, duty["end"], 2),
    ]
    frames = []
    team = team_of(duty["queue"], duty["position"])
    for part, (mask, begin, end, activity) in enumerate(stretches):
        rows = np.flatnonzero(mask)
        number = pl.Series(duty["number"][rows]).cast(pl.String).str.zfill(5)
        frames.append(
            pl.DataFrame(
                {
                    "roster_id": "R" + pl.Series(duty["day"][rows] + 1000).cast(pl.String) + "-" + number + f"-{part}",
                    "agent_no": "A" + number,
                    "unit_code": pick(words.TEAM_CODES, team[rows]),
                    "activity": [["ON_SHIFT", "BREAK", "TRAINING"][activity]] * len(rows),
                    "start_time": local(midnight[rows] + begin[rows], "%Y/%m/%d %H:%M:%S"),
                    "end_time": local(midnight[rows] + end[rows], "%Y/%m/%d %H:%M:%S"),
                    "_day": duty["day"][rows].astype(np.int32),
                }
            )
        )
    return pl.concat(frames).sort("_day", "roster_id")


STATES = ["READY", "TALKING", "WRAPUP", "BREAK", "BACK_OFFICE"]


def state_rows(plan: Plan, duty: Table, leg: Table) -> pl.DataFrame:
    """What agents really did on some days: calls, work after them, breaks, and other work between calls."""
    answered = np.flatnonzero(leg["outcome"] == 0) if size(leg) else np.zeros(0, dtype=np.int64)
    call = take(leg, answered) if size(leg) else {}
    if size(call):
        begin = call["at"] + call["wait"]
        talk_end = begin + call["talk"]
        busy: Table = {
            "number": np.concatenate([call["agent"], call["agent"], duty["number"]]),
            "day": np.concatenate([call["day"], call["day"], duty["day"]]),
            "begin": np.concatenate([begin, talk_end, duty["lunch"]]),
            "end": np.concatenate([talk_end, talk_end + call["wrap"], duty["lunch"] + 2700]),
            "state": np.concatenate([np.full(len(begin), 1), np.full(len(begin), 2), np.full(size(duty), 3)]),
        }
    else:
        busy = {
            "number": duty["number"],
            "day": duty["day"],
            "begin": duty["lunch"],
            "end": duty["lunch"] + 2700,
            "state": np.full(size(duty), 3),
        }
    # A shift's end closes the last gap.
    ends: Table = {
        "number": duty["number"],
        "day": duty["day"],
        "begin": duty["end"],
        "end": duty["end"],
        "state": np.full(size(duty), -1),
    }
    starts: Table = {
        "number": duty["number"],
        "day": duty["day"],
        "begin": duty["begin"],
        "end": duty["begin"],
        "state": np.full(size(duty), -2),
    }
    table = stack([starts, busy, ends])
    # A call that runs into the break pushes the break back.
    order = np.lexsort((table["end"], table["begin"], table["day"], table["number"]))
    table = take(table, order)
    key = table["number"] * 100_000 + table["day"] + 1000
    reached = np.maximum.accumulate(table["end"] + key * 1_000_000) - key * 1_000_000
    previous = np.concatenate([[0], reached[:-1]])
    same = np.concatenate([[False], key[1:] == key[:-1]])
    table["begin"] = np.where(same, np.maximum(table["begin"], previous), table["begin"])
    gap = np.where(same, table["begin"] - previous, 0)
    shown = np.flatnonzero((table["state"] >= 0) & (table["end"] > table["begin"]))
    parts = [{name: table[name][shown] for name in ("number", "day", "begin", "end", "state")}]
    waiting = np.flatnonzero(gap > 0)
    ready = np.where(gap[waiting] > 240, 40 + gap[waiting] // 40, gap[waiting])
    base = {"number": table["number"][waiting], "day": table["day"][waiting]}
    parts.append(
        {
            **base,
            "begin": table["begin"][waiting] - ready,
            "end": table["begin"][waiting],
            "state": np.zeros(len(waiting), dtype=np.int64),
        }
    )
    other = np.flatnonzero(gap[waiting] > 240)
    parts.append(
        {
            "number": base["number"][other],
            "day": base["day"][other],
            "begin": previous[waiting][other],
            "end": (table["begin"][waiting] - ready)[other],
            "state": np.full(len(other), 4),
        }
    )
    rows = stack(parts)
    rows = take(rows, np.lexsort((rows["begin"], rows["number"], rows["day"])))
    midnight = plan.epoch + rows["day"] * DAY
    number = pl.Series(rows["number"]).cast(pl.String).str.zfill(5)
    team = {int(a): int(b) for a, b in zip(duty["number"], team_of(duty["queue"], duty["position"]), strict=True)}
    teams = pl.Series(rows["number"]).replace_strict(team, return_dtype=pl.Int64)
    return pl.DataFrame(
        {
            "state_id": "T"
            + pl.Series(rows["day"] + 1000).cast(pl.String)
            + "-"
            + number
            + "-"
            + pl.Series(rows["begin"]).cast(pl.String),
            "agent_no": "A" + number,
            "unit_code": pl.Series(words.TEAM_CODES).gather(teams),
            "state": pick(STATES, rows["state"]),
            "start_time": local(midnight + rows["begin"], "%Y/%m/%d %H:%M:%S"),
            "end_time": local(midnight + rows["end"], "%Y/%m/%d %H:%M:%S"),
            "_day": rows["day"].astype(np.int32),
        }
    )


def commitments(plan: Plan, customers: Customers, month: int, tickets: Table, joined: tuple[int, int]) -> pl.DataFrame:
    """Promises made in replies, callbacks after complaints and to new customers: a row when made, one when settled."""
    rng = plan.rng("commitments", month)
    facts = customers.facts
    first, _ = plan.month_days(month)
    promised = np.flatnonzero(tickets["promise"])
    called = np.flatnonzero(tickets["ordinary"] & (tickets["kind"] == COMPLAINT) & (rng.random(size(tickets)) < 0.6))
    new = np.arange(*joined) if month else np.zeros(0, dtype=np.int64)
    new = new[rng.random(len(new)) < 0.7]
    parts: list[Table] = []
    n = len(promised)
    due = tickets["reply"][promised] + rng.choice([6, 20, 28, 48, 72], n) * 3600
    kept = tickets["kept"][promised]
    lag = due - tickets["reply"][promised]
    done = np.where(
        kept,
        tickets["reply"][promised] + (lag * (0.3 + 0.65 * rng.random(n))).astype(np.int64),
        due + (rng.lognormal(0, 0.8, n) * 30 * 3600).astype(np.int64) + 600,
    )
    never = ~kept & (rng.random(n) < 0.35)
    parts.append(
        {
            "kind": np.ones(n, dtype=np.int64),
            "purpose": np.where(tickets["kind"][promised] == COMPLAINT, 1, 2),
            "ticket": tickets["ticket"][promised],
            "cust": tickets["cust"][promised],
            "agent": tickets["agent"][promised],
            "team": tickets["team"][promised],
            "made": tickets["reply"][promised],
            "due": due,
            "done": done,
            "open": np.zeros(n, dtype=bool),
            "attempts": np.ones(n, dtype=np.int64),
            "result": np.where(kept, 4, np.where(never, 6, 5)),
            "never": never,
        }
    )
    n = len(called)
    made = tickets["final"][called] + 600
    attempts = rng.integers(1, 4, n)
    reached = rng.random(n) < 0.78
    outcome = np.where(~reached, 1, np.where(tickets["mended"][called], 2, 3))
    parts.append(
        {
            "kind": np.zeros(n, dtype=np.int64),
            "purpose": np.ones(n, dtype=np.int64),
            "ticket": tickets["ticket"][called],
            "cust": tickets["cust"][called],
            "agent": tickets["closer"][called],
            "team": tickets["team"][called],
            "made": made,
            "due": made + 2 * DAY,
            "done": made + (rng.gamma(2, 0.6, n) * DAY).astype(np.int64) + 3600,
            "open": np.zeros(n, dtype=bool),
            "attempts": attempts,
            "result": outcome,
            "never": ~reached & (rng.random(n) < 0.5),
        }
    )
    n = len(new)
    made = plan.epoch + np.maximum(facts["since"][new], first) * DAY + 9 * 3600
    rows = rng.integers(0, max(size(tickets), 1), n) if size(tickets) else np.zeros(n, dtype=np.int64)
    parts.append(
        {
            "kind": np.zeros(n, dtype=np.int64),
            "purpose": np.full(n, 3),
            "ticket": np.zeros(n, dtype=np.int64),
            "cust": new,
            "agent": tickets["agent"][rows],
            "team": tickets["team"][rows],
            "made": made,
            "due": made + 15 * DAY,
            "done": made + rng.integers(7, 20, n) * DAY + rng.integers(0, 30_000, n),
            "open": np.zeros(n, dtype=bool),
            "attempts": rng.integers(1, 4, n),
            "result": np.where(rng.random(n) < 0.7, 0, 1),
            "never": np.zeros(n, dtype=bool),
        }
    )
    table = stack(parts)
    n = size(table)
    number = "W" + pl.Series(month * 1_000_000 + np.arange(n) + 1).cast(pl.String).str.zfill(9)
    results = ["reached", "unreached", "solved", "unsolved", "kept", "late", "broken"]
    stamp = "%Y/%m/%d %H:%M:%S"
    frames = []
    for settled in (False, True):
        rows = np.flatnonzero(~table["open"] | ~np.array(settled))
        at = table["done"][rows] if settled else table["made"][rows]
        if settled:
            # A promise that was never met is marked broken by the night job five days after it was due.
            at = np.where(table["never"][rows], table["due"][rows] + 5 * DAY, at)
        blank = pl.Series([None] * len(rows), dtype=pl.String)
        done_text = (
            local(table["done"][rows], stamp).zip_with(pl.Series(~table["never"][rows]), blank) if settled else blank
        )
        frames.append(
            pl.DataFrame(
                {
                    "commitment_id": number.gather(pl.Series(rows)),
                    "kind": pick(["CALLBACK", "PROMISE"], table["kind"][rows]),
                    "purpose": pick(["satisfaction", "complaint", "repair", "new_customer"], table["purpose"][rows]),
                    "about_type": pick(["ticket", "relationship"], (table["ticket"][rows] == 0).astype(np.int64)),
                    "about_id": pl.Series(table["ticket"][rows])
                    .cast(pl.String)
                    .set(pl.Series(table["ticket"][rows] == 0), None),
                    "customer_no": customers.frame()["crm_no"].gather(table["cust"][rows]),
                    "agent_no": "A" + pl.Series(table["agent"][rows]).cast(pl.String).str.zfill(5),
                    "unit_code": pick(words.TEAM_CODES, table["team"][rows]),
                    "made_at": local(table["made"][rows], stamp),
                    "due_at": local(table["due"][rows], stamp),
                    "attempts": pl.Series(
                        table["attempts"][rows] if settled else np.zeros(len(rows), dtype=np.int64)
                    ).cast(pl.String),
                    "done_at": done_text,
                    "result": pick(results, table["result"][rows]) if settled else blank,
                    "control_group": blank,
                    "updated_at": local(at, stamp),
                    "_day": days_of(plan, at),
                    "_t": at,
                }
            )
        )
    return pl.concat(frames).sort("_t", "commitment_id").drop("_t")


def outbound_records(plan: Plan, customers: Customers, settled: pl.DataFrame) -> pl.DataFrame:
    """Call records of the callbacks that were made: one outbound call each, answered or not."""
    stamp = "%Y-%m-%d %H:%M:%S"
    phones = customers.frame().select(
        pl.col("crm_no").alias("customer_no"),
        "mobile",
        pl.lit(pl.Series(words.CITY_CODES)).gather(pl.col("city")).alias("accountcode"),
    )
    rows = (
        settled.filter((pl.col("kind") == "CALLBACK") & pl.col("result").is_not_null())
        .join(phones, on="customer_no", how="inner", maintain_order="left")
        .with_row_index("n")
    )
    start = pl.col("updated_at").str.to_datetime("%Y/%m/%d %H:%M:%S") - pl.duration(minutes=6)
    reached = pl.col("result") != "unreached"
    length = pl.when(reached).then(pl.col("n") * 37 % 240 + 40).otherwise(pl.col("n") % 25 + 12).cast(pl.Int64)
    ring = pl.lit(8)
    serial = pl.col("commitment_id").str.slice(1).cast(pl.Int64).cast(pl.String)
    return rows.select(
        "accountcode",
        pl.lit("10088").alias("src"),
        pl.col("mobile").alias("dst"),
        pl.lit("outbound-callback").alias("dcontext"),
        pl.lit('"10088" <10088>').alias("clid"),
        ("Agent/" + pl.col("agent_no").str.slice(1) + "-" + serial.str.zfill(8)).alias("channel"),
        pl.lit("").alias("dstchannel"),
        pl.lit("Dial").alias("lastapp"),
        (pl.lit("PJSIP/") + pl.col("mobile") + "@trunk1").alias("lastdata"),
        start.dt.strftime(stamp).alias("start"),
        pl.when(reached)
        .then((start + pl.duration(seconds=ring)).dt.strftime(stamp))
        .otherwise(pl.lit(""))
        .alias("answer"),
        (start + pl.duration(seconds=length)).dt.strftime(stamp).alias("end"),
        length.cast(pl.String).alias("duration"),
        pl.when(reached).then(length - ring).otherwise(0).cast(pl.String).alias("billsec"),
        pl.when(reached)
        .then(pl.lit("ANSWERED"))
        .when(pl.col("n") % 4 == 0)
        .then(pl.lit("BUSY"))
        .otherwise(pl.lit("NO ANSWER"))
        .alias("disposition"),
        pl.lit("DOCUMENTATION").alias("amaflags"),
        ((start.dt.epoch("s") - UTC_OFFSET).cast(pl.String) + ".7" + serial).alias("uniqueid"),
        (
            pl.lit("hu=agent")
            + pl.when(pl.col("about_id").is_not_null()).then(";tk=" + pl.col("about_id")).otherwise(pl.lit(""))
        ).alias("userfield"),
        pl.col("_day"),
    )


ACTIONS: list[tuple[str, str, str, str, str, str, float, float | None, str]] = [
    # kind, problem, root cause, plan, unit, scope, start and done as shares of the history, what is true of it
    (
        "corrective",
        "Broadband repairs dispatched late",
        "us.process.repair_dispatch",
        "Dispatch repair orders from the ticket at once, with one owner per district",
        "P-ZJ",
        "P-ZJ;P-GD: repair_late, all products",
        0.36,
        0.45,
        "works",
    ),
    (
        "corrective",
        "Bill hard to read",
        "us.billing.unclear_bill",
        "Print a glossary on the back of the bill",
        "P-JS",
        "P-JS: bill_dispute",
        0.0,
        0.40,
        "no effect",
    ),
    (
        "corrective",
        "Rude clerks in own halls",
        "us.employee.attitude",
        "Put up posters about courtesy",
        "P-SC",
        "P-SC: staff_attitude",
        0.30,
        0.52,
        "no effect",
    ),
    (
        "training",
        "Wrong answers about contract terms",
        "us.employee.wrong_information",
        "Two days of training on contract terms",
        "T-HQ-CMP",
        "T-HQ-CMP: wrong_information",
        0.50,
        0.56,
        "no effect",
    ),
    (
        "corrective",
        "Modems overheat",
        "device.modem_fault",
        "Ask the maker for a new firmware",
        "HQ",
        "HQ: device_fault",
        0.55,
        None,
        "open",
    ),
    (
        "corrective",
        "Partner halls promise gifts",
        "partner.hall.misselling",
        "Mystery shopping in partner halls",
        "P-GD",
        "P-GD: unwanted_service",
        0.62,
        0.75,
        "no effect",
    ),
    (
        "corrective",
        "Repairs collapse in one province",
        "us.process.repair_dispatch",
        "Bring in dispatchers from the neighbours",
        "P-HB",
        "P-HB: repair_late",
        0.66,
        0.70,
        "not the cause of the recovery",
    ),
    (
        "training",
        "Tone of new agents",
        "us.employee.attitude",
        "Coaching by seniors in the first three months",
        "P-JS",
        "P-JS: staff_attitude",
        0.80,
        None,
        "open",
    ),
]


def corrective_actions(plan: Plan, day: int) -> pl.DataFrame:
    rows = []
    for number, (kind, problem, cause, what, unit, scope, start, done, _) in enumerate(ACTIONS, 1):
        begin = plan.month_first_day(max(0, round(plan.months * start))) if number > 1 else max(0, plan.action_day - 40)
        finish = (
            None
            if done is None
            else (plan.action_day if number == 1 else plan.month_first_day(max(0, round(plan.months * done))) + 4)
        )
        if begin > day:
            continue
        finished = finish is not None and finish <= day
        checked = finished and finish is not None and finish + 60 <= day
        status = "checked" if checked else "done" if finished else "doing"
        rows.append(
            (
                f"PDCA-{number:03d}",
                kind,
                problem,
                cause,
                what,
                "A01000" if number % 2 else "A01004",
                unit,
                scope,
                f"{plan.day_date(begin)}",
                f"{plan.day_date(finish)}" if finished and finish is not None else None,
                f"{plan.day_date(finish + 60)}" if checked and finish is not None else None,
                status,
            )
        )
    names = [
        "action_no",
        "kind",
        "problem",
        "root_cause",
        "plan",
        "owner_agent_no",
        "unit_code",
        "scope",
        "start_date",
        "done_date",
        "check_date",
        "status",
    ]
    return pl.DataFrame(rows, schema={name: pl.String for name in names}, orient="row")


def operational_events(plan: Plan, month: int, outages: Table) -> pl.DataFrame:
    """Outages (a row when reported, a corrected one with the end), app releases, and the bad month of the bad province."""
    first, _ = plan.month_days(month)
    stamp = "%Y/%m/%d %H:%M:%S"
    n = size(outages)
    frames = []
    for settled in (False, True):
        at = outages["t"] + (outages["length"] + 1800 if settled else 900)
        frames.append(
            pl.DataFrame(
                {
                    "event_no": "OE" + pl.Series(outages["no"]).cast(pl.String).str.zfill(6),
                    "kind": pick(["OUTAGE", "FAULT"], (outages["length"] < 5400).astype(np.int64)),
                    "object_id": "NE-" + pl.Series(outages["no"] * 7 % 997).cast(pl.String),
                    "unit_code": pick(words.CITY_CODES, outages["city"]),
                    "product": pick(words.PRODUCTS, outages["product"]),
                    "start_time": local(outages["t"], stamp),
                    "end_time": local(outages["t"] + outages["length"], stamp)
                    if settled
                    else pl.Series([None] * n, dtype=pl.String),
                    "description": pick(["基站故障", "光缆中断"], outages["product"] - 1),
                    "updated_at": local(at, stamp),
                    "_day": days_of(plan, at),
                    "_t": at,
                }
            )
        )
    release = plan.burst_day - 1 if first <= plan.burst_day - 1 < plan.month_days(month)[1] else first + 14
    place = f"P-{words.PROVINCES[plan.burst_province][0]}" if release == plan.burst_day - 1 else "HQ"
    at = np.array([plan.epoch + release * DAY + 23 * 3600])
    frames.append(
        pl.DataFrame(
            {
                "event_no": [f"OE9{month:05d}"],
                "kind": ["RELEASE"],
                "object_id": ["app"],
                "unit_code": [place],
                "product": ["mobile"],
                "start_time": local(at, stamp),
                "end_time": local(at + 1800, stamp),
                "description": [f"掌厅版本 {5 + month // 6}.{month % 6}"],
                "updated_at": local(at + 1800, stamp),
                "_day": days_of(plan, at + 1800),
                "_t": at + 1800,
            }
        )
    )
    if month == plan.bad_month:
        # Declared on the eleventh day, closed on the last.
        nxt = plan.month_days(month)[1]
        began, ended = plan.epoch + first * DAY, plan.epoch + nxt * DAY
        noted = np.array([began + 10 * DAY + 9 * 3600, ended - 60])
        frames.append(
            pl.DataFrame(
                {
                    "event_no": [f"OE8{month:05d}"] * 2,
                    "kind": ["BAD_PERIOD"] * 2,
                    "object_id": ["service"] * 2,
                    "unit_code": [f"P-{words.PROVINCES[plan.bad_province][0]}"] * 2,
                    "product": pl.Series([None, None], dtype=pl.String),
                    "start_time": local(np.array([began, began]), stamp),
                    "end_time": pl.concat([pl.Series([None], dtype=pl.String), local(np.array([ended]), stamp)]),
                    "description": ["话务量激增，人手不足"] * 2,
                    "updated_at": local(noted, stamp),
                    "_day": days_of(plan, noted),
                    "_t": noted,
                }
            )
        )
    return pl.concat(frames).sort("_t").drop("_t")


def external_measures() -> pl.DataFrame:
    """Published satisfaction indices of 2008, one of them printed broken ("71.")."""
    source = "TCSI 2008, as printed"
    values = [
        ("中国电信", "fixed", "77.7"),
        ("中国联通", "fixed", "78.9"),
        ("中国铁通", "fixed", "78.0"),
        ("中国电信", "mobile", "75.1"),
        ("中国移动", "mobile", "78.6"),
        ("中国联通", "mobile", "77.5"),
        ("中国电信", "broadband", "68.3"),
    ]
    rows: list[tuple[str, str, str, str, str | None, str | None, str | None, str | None, str]] = [
        ("TCSI", who, "2008", product, value, None, None, None, source) for who, product, value in values
    ]
    rows.append(("TCSI", "中国网通", "2008", "broadband", "71.", None, None, None, source))
    names = ["measure", "entity", "period", "product", "value", "lower_bound", "upper_bound", "note", "cited_source"]
    return pl.DataFrame(rows, schema={name: pl.String for name in names}, orient="row").with_columns(
        pl.lit(0, dtype=pl.Int32).alias("_day")
    )


# -- billing ------------------------------------------------------------------------------------------------------


def comma(amounts: np.ndarray) -> pl.Series:
    """Money with a decimal comma."""
    cents = np.round(np.abs(amounts) * 100).astype(np.int64)
    sign = pick(["", "-"], (amounts < 0).astype(np.int64))
    return sign + pl.Series(cents // 100).cast(pl.String) + "," + pl.Series(cents % 100).cast(pl.String).str.zfill(2)


def parties(plan: Plan, customers: Customers, month: int, joined: tuple[int, int]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Billing's own record of the month's new customers, and who stands on which account."""
    facts = customers.facts
    first, _ = plan.month_days(month)
    rows = np.arange(*joined)
    day = np.maximum(facts["since"][rows], first)
    rng = plan.rng("parties", month)
    way = rng.integers(0, 10, len(rows))
    frame = customers.frame()[rows].with_columns(
        style=pl.Series((facts["style"][rows] + 5) % 12), way=pl.Series(way), day=pl.Series(day)
    )
    at = plan.epoch + day * DAY + 21 * 3600
    stamp = local(at, "%Y-%m-%d %H:%M:%S")
    unit = pl.lit(pl.Series(words.CITY_CODES)).gather(pl.col("city"))
    table = frame.select(
        pl.col("party_no"),
        pl.lit(pl.Series(["P", "H", "E"])).gather(pl.col("kind")).alias("party_type"),
        pl.when(pl.col("way") < 3)
        .then(pl.col("name_other"))
        .when(pl.col("way") == 3)
        .then(pl.col("name").str.replace(r"^(.)", "${1}　"))
        .otherwise(pl.col("name"))
        .alias("name"),
        pl.when(pl.col("kind") == PERSON)
        .then(phone_style(pl.col("mobile"), pl.col("style")))
        .otherwise(pl.col("landline"))
        .alias("phone"),
        pl.when(pl.col("way") % 4 == 0)
        .then(pl.col("email").str.to_titlecase())
        .when(pl.col("way") < 8)
        .then(pl.col("email"))
        .alias("email"),
        pl.when(pl.col("way") < 5).then(pl.col("member_no")).alias("member_no"),
        unit.alias("unit_code"),
        unit_days(plan, facts["since"][rows], "%d.%m.%Y").alias("since"),
        stamp.alias("updated_at"),
        pl.col("day").cast(pl.Int32).alias("_day"),
    ).sort("_day", maintain_order=True)
    parent = facts["parent"][rows]
    payer = (parent >= 0) & (rng.random(len(rows)) < 0.4)
    roles = []
    for mask, who, role in ((np.ones(len(rows), dtype=bool), rows, "H"), (payer, parent, "P"), (payer, rows, "U")):
        chosen = np.flatnonzero(mask)
        roles.append(
            pl.DataFrame(
                {
                    "account_no": frame["account_no"].gather(pl.Series(chosen)),
                    "party_no": customers.frame()["party_no"].gather(pl.Series(who[chosen])),
                    "role": [role] * len(chosen),
                    "unit_code": frame.select(unit).to_series().gather(pl.Series(chosen)),
                    "valid_from": unit_days(plan, facts["since"][rows][chosen], "%d.%m.%Y"),
                    "valid_to": pl.Series([None] * len(chosen), dtype=pl.String),
                    "updated_at": stamp.gather(pl.Series(chosen)),
                    "_day": day[chosen].astype(np.int32),
                }
            )
        )
    return table, pl.concat(roles).sort("_day", maintain_order=True)


END_CODES = ["", *[f"K{code:02d}" for code in range(1, 10)]]


def subscriptions_table(plan: Plan, customers: Customers, subs: Table, day: int) -> pl.DataFrame:
    """All contract periods known on a day; an end shows once it has come."""
    rows = np.flatnonzero(subs["start"] <= day)
    cust = subs["cust"][rows]
    texts = customers.frame().select("account_no", "party_no", "mobile", "landline", "city")[cust]
    ended = subs["end"][rows] <= day
    product, tariff = subs["product"][rows].astype(np.int64), subs["tariff"][rows].astype(np.int64)
    names = [name for tariffs in words.TARIFFS for name, _ in tariffs]
    offset = np.cumsum([0, *[len(tariffs) for tariffs in words.TARIFFS]])[product]
    number = np.select([product == 0, product == 1], [0, 1], 2)
    service = pl.select(
        pl.when(pl.lit(pl.Series(number)) == 0)
        .then(pl.lit(texts["landline"]))
        .when(pl.lit(pl.Series(number)) == 1)
        .then(pl.lit(texts["mobile"]))
        .otherwise("bb" + pl.lit(pl.Series(rows + 30_000_000)).cast(pl.String))
    ).to_series()
    return pl.DataFrame(
        {
            "subscription_no": "S3" + pl.Series(rows + 1).cast(pl.String).str.zfill(9),
            "account_no": texts["account_no"],
            "party_no": texts["party_no"],
            "unit_code": pick(words.CITY_CODES, texts["city"].to_numpy().astype(np.int64)),
            "product": pick(words.PRODUCT_BILLING, product),
            "tariff": pick(names, offset + tariff),
            "service_number": service,
            "start_date": unit_days(plan, subs["start"][rows], "%d.%m.%Y"),
            "end_date": unit_days(plan, np.where(ended, subs["end"][rows], NEVER), "%d.%m.%Y"),
            "end_reason": pick(END_CODES, np.where(ended, subs["end_code"][rows].astype(np.int64).clip(0), 0)),
            "contract_months": pl.Series(subs["contract"][rows]).cast(pl.String),
            "monthly_fee": comma(subs["fee"][rows]),
            "currency": ["CNY"] * len(rows),
        }
    )


@dataclass
class Billing:
    """Charges, payments and dunning, month by month."""

    plan: Plan
    charge_total: float = 0.0
    _double: list[Table] = field(default_factory=list)

    def month(
        self, customers: Customers, subs: Table, stopped: np.ndarray, world_month: Month
    ) -> dict[str, pl.DataFrame]:
        plan, facts, number = self.plan, customers.facts, world_month.number
        rng = plan.rng("billing", number)
        first, nxt = plan.month_days(number)
        rows = np.flatnonzero((subs["start"] < first) & (subs["end"] >= first))
        parts: list[Table] = []

        def charge(sub: np.ndarray, kind: int, amount: np.ndarray, cost: np.ndarray, day: np.ndarray) -> None:
            n = len(sub)
            parts.append(
                {
                    "sub": sub,
                    "kind": np.full(n, kind),
                    "amount": np.round(amount, 2),
                    "cost": np.round(cost, 2),
                    "t": plan.epoch + day * DAY + 3 * 3600 + (sub * 7919) % 9000,
                }
            )

        fee = subs["fee"][rows]
        charge(rows, 0, fee, fee * (0.42 + 0.2 * ((rows * 31) % 100) / 100), np.full(len(rows), first))
        talk = rows[(subs["product"][rows] == 1) & (rng.random(len(rows)) < 0.34)]
        use = np.clip(rng.lognormal(2.4, 0.9, len(talk)), 0.5, 600)
        use = np.where(rng.random(len(talk)) < 0.006, use * 12, use)  # the shock of a roaming or data bill
        charge(talk, 1, use, use * 0.3, np.full(len(talk), first))
        twice = rows[rng.random(len(rows)) < 0.0016]
        charge(twice, 0, subs["fee"][twice], np.zeros(len(twice)), np.full(len(twice), first))
        new = np.arange(*world_month.new_subscriptions)
        new = new[(subs["start"][new] >= first) & (subs["product"][new] != 1)]
        charge(new, 2, np.full(len(new), 100.0), np.full(len(new), 80.0), subs["start"][new])
        device = rows[(subs["product"][rows] == 1) & (rng.random(len(rows)) < 0.006)]
        price = rng.choice([899.0, 1299.0, 1999.0, 2999.0], len(device))
        charge(device, 5, price, price * 0.86, first + rng.integers(1, nxt - first, len(device)))
        late_fee = rows[facts["late_payer"][subs["cust"][rows]] & (rng.random(len(rows)) < 0.15)]
        charge(
            late_fee,
            3,
            np.round(subs["fee"][late_fee] * 0.03 + 0.5, 2),
            np.zeros(len(late_fee)),
            np.full(len(late_fee), first),
        )
        issues = world_month.issues
        wrong = np.flatnonzero(
            np.isin(
                issues["cause"],
                [
                    words.CAUSE_INDEX[c]
                    for c in (
                        "us.billing.rating_error",
                        "partner.content.value_added",
                        "us.employee.unauthorised_order",
                    )
                ],
            )
            & issues["solved"]
            & (issues["kind"] == COMPLAINT)
            & (rng.random(size(issues)) < 0.7)
        )
        order = np.argsort(subs["cust"], kind="stable")
        at = np.searchsorted(subs["cust"][order], issues["cust"][wrong])
        refunded = order[at.clip(0, len(order) - 1)]
        day = days_of(plan, issues["t"][wrong] + issues["solve_seconds"][wrong])
        charge(
            refunded,
            4,
            -np.round(rng.integers(3, 60, len(wrong)) * 1.0 + 0.5, 2),
            np.zeros(len(wrong)),
            day.astype(np.int64),
        )
        table = stack(parts)
        table = take(table, np.argsort(table["t"], kind="stable"))
        n = size(table)
        cust = subs["cust"][table["sub"]]
        day = days_of(plan, table["t"]).astype(np.int64)
        due = np.where(table["kind"] == 4, NEVER, day + 19)
        # Paid by the customer's habit; who has stopped paying pays nothing any more.
        habit = plan.rng("habit", number).random(customers.count)[cust]
        on_time = day + 4 + (habit * 14).astype(np.int64)
        late = day + 22 + (habit * 30).astype(np.int64)
        slips = facts["late_payer"][cust] & (plan.rng("slip", number).random(customers.count)[cust] < 0.45)
        paid = np.where((stopped[cust] >= 0) & (stopped[cust] <= number), NEVER, np.where(slips, late, on_time))
        paid = np.where(table["kind"] == 4, NEVER, paid)
        charge_no = f"F{number + 100}" + pl.Series(np.arange(n) + 1).cast(pl.String).str.zfill(8)
        texts = customers.frame().select("account_no", "party_no", "city")[cust]
        stamp = "%Y-%m-%d %H:%M:%S"
        paid_t = plan.epoch + paid * DAY + 9 * 3600 + (table["sub"] * 104_729 + table["kind"] * 977) % 40_000
        corrected = (table["kind"] <= 1) & (rng.random(n) < 0.002)
        kinds = ["MONTHLY", "USAGE", "INSTALL", "PENALTY", "REFUND", "DEVICE"]
        frames = []
        for version in (0, 1, 2):
            chosen = np.flatnonzero(
                np.ones(n, dtype=bool) if version == 0 else (corrected if version == 1 else paid < NEVER)
            )
            updated = (
                table["t"][chosen]
                if version == 0
                else (table["t"][chosen] + 2 * DAY if version == 1 else paid_t[chosen])
            )
            amount = np.where(
                corrected[chosen] & (version > 0), np.round(table["amount"][chosen] * 0.9, 2), table["amount"][chosen]
            )
            picked = pl.Series(chosen)
            frames.append(
                pl.DataFrame(
                    {
                        "charge_no": charge_no.gather(picked),
                        "account_no": texts["account_no"].gather(picked),
                        "party_no": texts["party_no"].gather(picked),
                        "subscription_no": "S3" + pl.Series(table["sub"][chosen] + 1).cast(pl.String).str.zfill(9),
                        "unit_code": pick(words.CITY_CODES, texts["city"].to_numpy()[chosen].astype(np.int64)),
                        "product": pick(words.PRODUCT_BILLING, subs["product"][table["sub"][chosen]].astype(np.int64)),
                        "charge_type": pick(kinds, table["kind"][chosen]),
                        "amount": pl.Series(amount),
                        "cost": pl.Series(table["cost"][chosen]),
                        "currency": ["CNY"] * len(chosen),
                        "charged_at": pl.from_epoch(pl.Series(table["t"][chosen]), time_unit="s").dt.strftime(stamp),
                        "due_date": unit_days(plan, due[chosen]),
                        "paid_date": unit_days(plan, paid[chosen] if version == 2 else np.full(len(chosen), NEVER)),
                        "updated_at": pl.from_epoch(pl.Series(updated), time_unit="s").dt.strftime(stamp),
                        "_day": days_of(plan, updated),
                        "_t": updated,
                    }
                )
            )
        charges = pl.concat(frames).sort("_t", "charge_no").drop("_t")
        # Amounts as text keep planted words beside the numbers in the same column.
        charges = charges.with_columns(pl.col("amount").cast(pl.String), pl.col("cost").cast(pl.String))
        chosen = np.flatnonzero(paid < NEVER)
        amount = np.where(corrected[chosen], np.round(table["amount"][chosen] * 0.9, 2), table["amount"][chosen])
        picked = pl.Series(chosen)
        slow = np.where(
            rng.random(len(chosen)) < 0.012, rng.integers(2, 7, len(chosen)), 0
        )  # one bank reports days later
        payments = (
            pl.DataFrame(
                {
                    "payment_no": f"Z{number + 100}" + pl.Series(chosen + 1).cast(pl.String).str.zfill(8),
                    "account_no": texts["account_no"].gather(picked),
                    "party_no": texts["party_no"].gather(picked),
                    "charge_no": charge_no.gather(picked),
                    "method": pick(
                        ["direct_debit", "wechat_pay", "hall_cash", "bank_transfer"], (cust[chosen] * 7 % 10 // 3)
                    ),
                    "amount": comma(amount),
                    "currency": ["CNY"] * len(chosen),
                    "paid_at": local(paid_t[chosen], "%d.%m.%Y %H:%M:%S"),
                    "bank_reference": "BR"
                    + pl.Series((chosen * 15_485_863 + number * 7919) % 999_999_937).cast(pl.String),
                    "_day": days_of(plan, paid_t[chosen]) + slow.astype(np.int32),
                    "_t": paid_t[chosen],
                }
            )
            .sort("_day", "_t", "payment_no")
            .drop("_t")
        )
        return {
            "billing.charges": charges,
            "billing.payments": payments,
            "retention.dunning": self._dunning(rng, number, customers, table, cust, due, paid),
        }

    def _dunning(
        self,
        rng: np.random.Generator,
        number: int,
        customers: Customers,
        table: Table,
        cust: np.ndarray,
        due: np.ndarray,
        paid: np.ndarray,
    ) -> pl.DataFrame:
        """Steps after the due day of the monthly bill until it is paid; one run a customer and month."""
        plan = self.plan
        monthly = np.flatnonzero((table["kind"] == 0) & (due < NEVER) & (paid > due + 3))
        who, position = np.unique(cust[monthly], return_index=True)
        owed = np.bincount(np.searchsorted(who, cust[monthly]), weights=table["amount"][monthly], minlength=len(who))
        frames = []
        for step, after, cost, collects in (
            ("SMS1", 3, 0.05, 0.35),
            ("SMS2", 10, 0.05, 0.3),
            ("CALL", 17, 3.0, 0.4),
            ("STOP", 25, 1.0, 0.5),
            ("COLLECT", 60, 25.0, 0.1),
        ):
            rows = np.flatnonzero(paid[monthly][position] > due[monthly][position] + after)
            c = who[rows]
            at = plan.epoch + (due[monthly][position][rows] + after) * DAY + 10 * 3600 + (c * 37) % 20_000
            soon = paid[monthly][position][rows] <= due[monthly][position][rows] + after + 7
            result_at = plan.epoch + paid[monthly][position][rows] * DAY + 20 * 3600
            iso = "%Y-%m-%dT%H:%M:%S+08:00"
            texts = customers.frame().select("account_no", "party_no", "city")[c]
            none = pl.Series([None] * len(rows), dtype=pl.String)
            promised = rng.random(len(rows)) < collects / 2
            body = {
                "step_id": f"U{number + 100}-" + pl.Series(c).cast(pl.String) + f"-{step}",
                "run": f"RUN{number + 100}-" + pl.Series(c).cast(pl.String),
                "step": pl.Series([step] * len(rows), dtype=pl.String),
                "account_no": texts["account_no"],
                "party_no": texts["party_no"],
                "unit_code": pick(words.CITY_CODES, texts["city"].to_numpy().astype(np.int64)),
                "done_at": local(at, iso),
                "amount_due": pl.Series(np.round(owed[rows], 2)),
                "cost": pl.Series(np.full(len(rows), cost)),
            }
            frames.append(
                pl.DataFrame(
                    {
                        **body,
                        "result": pick(["none", "promised"], promised.astype(np.int64)),
                        "result_at": none,
                        "updated_at": local(at, iso),
                        "_day": days_of(plan, at),
                    }
                )
            )
            hit = np.flatnonzero(soon)
            if len(hit):
                first = pl.DataFrame(body)[hit]
                picked = pl.Series(hit)
                stamp = local(result_at, iso).gather(picked)
                frames.append(
                    first.with_columns(
                        pl.lit("paid").alias("result"),
                        stamp.alias("result_at"),
                        stamp.alias("updated_at"),
                        pl.Series("_day", days_of(plan, result_at)[hit]),
                    )
                )
        return pl.concat(frames).sort("_day", "step_id") if frames else pl.DataFrame()


# -- retention ----------------------------------------------------------------------------------------------------


def offers(plan: Plan, customers: Customers, month: int, table: Table) -> pl.DataFrame:
    texts = customers.frame().select("crm_no", "account_no", "city")[table["cust"]]
    n = size(table)
    iso = "%Y-%m-%dT%H:%M:%S+08:00"
    number = f"OF{month + 100}-" + pl.Series(np.arange(n) + 1).cast(pl.String).str.zfill(6)
    gone = pl.Series([None] * n, dtype=pl.String)
    outcome = pick(["accepted", "declined", "no_answer", "none"], table["outcome"])
    body = {
        "offer_id": number,
        "kind": pick(["offer", "win_back"], (table["cust"] % 13 == 0).astype(np.int64)),
        "campaign": pl.Series([f"KEEP-{plan.day_date(plan.month_first_day(month)):%Y%m}"] * n, dtype=pl.String),
        "customer_no": texts["crm_no"],
        "account_no": texts["account_no"],
        "unit_code": pick(words.CITY_CODES, texts["city"].to_numpy().astype(np.int64)),
        "channel": pick(["phone", "sms", "app"], table["cust"] % 3),
        "offered_at": local(table["t"], iso),
        "cost": pl.Series(table["cost"]),
        "control": pl.Series(table["control"]),
    }
    made = pl.DataFrame(
        {
            **body,
            "outcome": pl.Series(["none"] * n, dtype=pl.String),
            "outcome_at": gone,
            "updated_at": local(table["t"], iso),
            "_day": days_of(plan, table["t"]),
        }
    )
    settled = pl.DataFrame(
        {
            **body,
            "outcome": outcome,
            "outcome_at": local(table["answer_t"], iso),
            "updated_at": local(table["answer_t"], iso),
            "_day": days_of(plan, table["answer_t"]),
        }
    ).filter(~pl.Series(table["control"]))
    return pl.concat([made, settled]).sort("_day", "offer_id")


def care(plan: Plan, customers: Customers, month: int, active: np.ndarray) -> pl.DataFrame:
    """Care messages with a quarter held out. They do nothing for loyalty, which a good analysis should find."""
    rng = plan.rng("care", month)
    first, nxt = plan.month_days(month)
    cust = np.flatnonzero(active & (rng.random(len(active)) < 0.05))
    n = len(cust)
    control = rng.random(n) < 0.25
    read = ~control & (rng.random(n) < 0.46)
    replied = read & (rng.random(n) < 0.08)
    at = plan.epoch + rng.integers(first, nxt, n) * DAY + rng.integers(9 * 3600, 20 * 3600, n)
    iso = "%Y-%m-%dT%H:%M:%S+08:00"
    texts = customers.frame().select("crm_no", "city")[cust]
    seen = local(at + 1200, iso).zip_with(pl.Series(read), pl.Series([None] * n, dtype=pl.String))
    return pl.DataFrame(
        {
            "care_id": f"CA{month + 100}-" + pl.Series(np.arange(n) + 1).cast(pl.String).str.zfill(6),
            "occasion": pick(["birthday", "anniversary", "outage_apology", "contract_end"], rng.integers(0, 4, n)),
            "customer_no": texts["crm_no"],
            "unit_code": pick(words.CITY_CODES, texts["city"].to_numpy().astype(np.int64)),
            "event_no": pl.Series([None] * n, dtype=pl.String),
            "sent_at": local(at, iso),
            "cost": pl.Series(np.where(control, 0.0, 0.05)),
            "control": pl.Series(control),
            "result": pick(["none", "read", "replied"], np.where(replied, 2, np.where(read, 1, 0))),
            "result_at": seen,
            "_day": days_of(plan, at),
        }
    ).sort("_day", "care_id")


__all__ = ["HOUSEHOLD", "Billing", "Roster", "Surveys"]
