"""The known truth of the built-in company: written beside the inbox, for tests, never for the pipeline.

Belongs here: what the simulation knows and no system says. `truth.json` holds the summary and points to Parquet files
with one row a complaint, departure, identity, invitation, issue, marked call, visit, department asked, notice and unhappy answer.
`truth.schema.json` is its tested schema.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl

from orchestration.demo import field_work, words
from orchestration.demo.delivery import Outbox
from orchestration.demo.dirt import Planted, as_dicts
from orchestration.demo.people import ENTERPRISE, Agents, Table, pick, size, stack, take
from orchestration.demo.plan import (
    ACTION_FACTOR,
    BAD_MONTH,
    CHURN,
    CSAT_BASE,
    CSAT_NOISE,
    CSAT_WEIGHTS,
    DAY,
    PRICE_IN_TARIFF,
    RESPONSE_BASE,
    RESPONSE_WEIGHTS,
    Plan,
)
from orchestration.demo.systems import ACTIONS, SERVQUAL_EXPECTED, SERVQUAL_PERCEIVED, SURVEYS, TCSI_PATHS
from orchestration.demo.telephony import MARKS, NUISANCE, SOLVED_MARKS
from orchestration.demo.world import CHANNELS, CHURN_TYPES, COMPLAINT, KINDS, NEVER, Month, World

SCHEMA_PATH = Path(__file__).with_name("truth.schema.json")
FORMAT = 1
REASONS = [
    "not_delivered",
    "answered",
    "put_off_by_experience",
    "would_not_answer_anyway",
    "answered_because_of_experience",
]


class Truth:
    """Collects the truth month by month and writes it."""

    def __init__(self, plan: Plan, folder: Path, until: int) -> None:
        self.plan = plan
        self.folder = folder
        self.path = folder / "truth.json"
        self.until = until
        self.planted: list[Planted] = []
        self.sections: dict[str, object] = {}
        self.further_tables: dict[str, pl.DataFrame] = {}
        self._issues: list[Table] = []
        self._churn: list[Table] = []
        self._surveys: list[Table] = []
        self._met: list[Table] = []
        self._marked: list[Table] = []
        self._visits: list[Table] = []
        self._asks: list[Table] = []
        self._appointments: list[Table] = []
        self._active: list[int] = []
        self._answered: list[tuple[int, int, int]] = []

    def month(
        self,
        world: World,
        month: Month,
        tickets: Table,
        surveys: Table,
        handled: Table,
        met: Table,
        work: field_work.FieldWork,
    ) -> None:
        """Keep what is known of a month, as far as it has been delivered."""
        stop = self.plan.epoch + (self.until + 1) * DAY
        issues = month.issues
        keep = np.flatnonzero(issues["t"] < stop)
        names = (
            "id",
            "cust",
            "kind",
            "product",
            "cause",
            "topic",
            "channel",
            "city",
            "english",
            "t",
            "first",
            "solved",
            "mended",
            "extra",
            "ticket",
            "second_of",
            "burst",
            "bad",
            "outage",
            "promise",
            "kept",
        )
        self._issues.append(take({name: issues[name] for name in names}, keep))
        self._churn.append(take(month.churn, np.flatnonzero(month.churn["day"] <= self.until)))
        self._surveys.append(take(surveys, np.flatnonzero(surveys["t"] < stop)))
        self._met.append(take(met, np.flatnonzero(met["t"] < stop)))
        self._visits.append(take(work.visits, np.flatnonzero(work.visits["first"] < stop)))
        self._asks.append(take(work.asks, np.flatnonzero(work.asks["asked"] < stop)))
        self._appointments.append(take(work.appointments, np.flatnonzero(work.appointments["promised"] < stop)))
        self._active.append(month.active_customers)
        del tickets, handled

    def calls(self, marked: Table) -> None:
        """Keep the calls that agents marked as nobody's, as far as they have been delivered."""
        if size(marked):
            self._marked.append(take(marked, np.flatnonzero(marked["day"] <= self.until)))

    # -- tables -----------------------------------------------------------------------------------------------------

    def _stamp(self, seconds: np.ndarray) -> pl.Series:
        return pl.from_epoch(pl.Series(seconds), time_unit="s")

    def _complaints(self, world: World, issues: Table) -> pl.DataFrame:
        table = take(issues, np.flatnonzero(issues["kind"] == COMPLAINT))
        owners = [cause[1] for cause in words.CAUSES]
        types = [cause[2] for cause in words.CAUSES]
        return pl.DataFrame(
            {
                "ticket_id": pl.Series(table["ticket"]).cast(pl.String),
                "issue_id": table["id"],
                "customer_no": world.customers.frame()["crm_no"].gather(table["cust"]),
                "opened_at": self._stamp(table["t"]),
                "unit_code": pick(words.CITY_CODES, table["city"]),
                "product": pick(words.PRODUCTS, table["product"]),
                "language": pick(["zh", "en"], table["english"]),
                "channel": pick(CHANNELS, table["channel"]),
                "symptom": pick(words.TOPICS, table["topic"]),
                "root_cause": pick(words.CAUSE_CODES, table["cause"]),
                "owner": pick(owners, table["cause"]),
                "cause_type": pick(types, table["cause"]),
                "solved": table["solved"],
                "mended": table["mended"],
                "second_of_issue": pl.Series(table["second_of"]).set(pl.Series(table["second_of"] < 0), None),
                "in_burst": table["burst"],
                "in_bad_period": table["bad"],
            }
        )

    def _marked_calls(self) -> pl.DataFrame:
        table = (
            stack(self._marked)
            if self._marked
            else {name: np.zeros(0, dtype=np.int64) for name in ("t", "serial", "purpose")}
        )
        return pl.DataFrame(
            {
                "call_id": pl.Series(table["t"]).cast(pl.String) + "." + pl.Series(table["serial"]).cast(pl.String),
                "mark": pick(list(MARKS.values()), table["purpose"] - NUISANCE),
                "started_at": self._stamp(table["t"]),
            }
        )

    def _departures(self, world: World, churn: Table) -> pl.DataFrame:
        weights = churn["weight"] if size(churn) else np.zeros((0, 3))
        return pl.DataFrame(
            {
                "subscription_no": "S3" + pl.Series(churn["sub"] + 1).cast(pl.String).str.zfill(9),
                "customer_no": world.customers.frame()["crm_no"].gather(churn["cust"]),
                "ended_on": pl.Series(churn["day"] + (self.plan.epoch + 8 * 3600) // DAY).cast(pl.Int32).cast(pl.Date),
                "churn_type": pick(CHURN_TYPES, churn["type"]),
                "cause_value": np.round(weights[:, 0], 4),
                "cause_system": np.round(weights[:, 1], 4),
                "cause_employee": np.round(weights[:, 2], 4),
                "leaves_whole": churn["whole"],
            }
        )

    def _identities(self, world: World, met: Table) -> pl.DataFrame:
        """Which id in which system is whom. An enterprise's contacts are people of their own who belong to it."""
        facts = world.customers.facts
        here = np.flatnonzero(np.maximum(facts["since"], 0) <= self.until)
        frame = world.customers.frame()[here]
        entity = "E" + pl.Series(here).cast(pl.String).str.zfill(8)
        parts = [
            pl.DataFrame(
                {
                    "system": ["crm"] * len(here),
                    "id": frame["crm_no"],
                    "entity_id": entity,
                    "belongs_to": pl.Series([None] * len(here), dtype=pl.String),
                }
            ),
            pl.DataFrame(
                {
                    "system": ["billing"] * len(here),
                    "id": frame["party_no"],
                    "entity_id": entity,
                    "belongs_to": pl.Series([None] * len(here), dtype=pl.String),
                }
            ),
        ]
        twice = np.flatnonzero(facts["crm_twice"][here])
        parts.append(
            pl.DataFrame(
                {
                    "system": ["crm"] * len(twice),
                    "id": (frame["crm_no"] + "2").gather(pl.Series(twice)),
                    "entity_id": entity.gather(pl.Series(twice)),
                    "belongs_to": pl.Series([None] * len(twice), dtype=pl.String),
                }
            )
        )
        firms = np.flatnonzero(facts["kind"][here] == ENTERPRISE)
        parts.append(
            pl.DataFrame(
                {
                    "system": ["zendesk_organization"] * len(firms),
                    "id": (8_000_000_000 + pl.Series(here[firms])).cast(pl.String),
                    "entity_id": entity.gather(pl.Series(firms)),
                    "belongs_to": pl.Series([None] * len(firms), dtype=pl.String),
                }
            )
        )
        n = size(met)
        base = "E" + pl.Series(met["cust"]).cast(pl.String).str.zfill(8)
        contact = met["slot"] >= 10
        person = base + "-" + pl.Series((met["slot"] - 10).clip(0)).cast(pl.String)
        parts.append(
            pl.DataFrame(
                {
                    "system": ["zendesk"] * n,
                    "id": pl.Series(met["user"]).cast(pl.String),
                    "entity_id": person.zip_with(pl.Series(contact), base),
                    "belongs_to": base.zip_with(pl.Series(contact), pl.Series([None] * n, dtype=pl.String)),
                }
            )
        )
        return pl.concat(parts)

    def _invitations(self, world: World, table: Table) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "invitation_id": "V" + pl.Series(table["invitation"]).cast(pl.String).str.zfill(10),
                "survey_id": pick(SURVEYS, table["survey"]),
                "customer_no": world.customers.frame()["crm_no"].gather(table["cust"]),
                "sent_at": self._stamp(table["t"]),
                "about": pick(["ticket", "call", "order", "relationship"], table["about_kind"]),
                "propensity": table["propensity"],
                "outcome": pick(REASONS, table["reason"]),
                "would_say": table["would_say"].astype(np.int16),
                "resolved_first_contact": table["resolved"],
                "wait_minutes": table["wait"],
                "is_transferred": table["transferred"],
                "agent_skill": table["skill"],
                "is_complaint": table["complaint"],
                "promise_broken": table["broken"],
                "bad_period": table["bad"],
                "customer_mood": table["mood"],
            }
        )

    def _issue_table(self, world: World, issues: Table) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "issue_id": issues["id"],
                "customer_no": world.customers.frame()["crm_no"].gather(issues["cust"]),
                "kind": pick(KINDS, issues["kind"]),
                "channel": pick(CHANNELS, issues["channel"]),
                "topic": pick(words.TOPICS, issues["topic"]),
                "product": pick(words.PRODUCTS, issues["product"]),
                "unit_code": pick(words.CITY_CODES, issues["city"]),
                "opened_at": self._stamp(issues["t"]),
                "ticket_id": pl.Series(issues["ticket"]).cast(pl.String).set(pl.Series(issues["ticket"] == 0), None),
                "solved_at_first_contact": issues["first"],
                "solved": issues["solved"],
                "further_contacts": issues["extra"].astype(np.int16),
                "outage_no": ("OE" + pl.Series(issues["outage"].clip(0)).cast(pl.String).str.zfill(6)).set(
                    pl.Series(issues["outage"] < 0), None
                ),
                "in_bad_period": issues["bad"],
            }
        )

    def _field_visits(self, table: Table) -> pl.DataFrame:
        """What became of each visit; what has not been delivered yet is null."""
        ended = self._delivered(table["finished"])
        return pl.DataFrame(
            {
                "ticket_id": pl.Series(table["ticket"]).cast(pl.String),
                "visit_number": table["number"].astype(np.int16),
                "dispatched_at": self._delivered(table["dispatched"]),
                "arrived_at": self._delivered(table["arrived"]),
                "finished_at": ended,
                "outcome": pick(field_work.OUTCOMES, table["outcome"]),
                "truly_fixed": table["truly"],
                "dispatched_after_arrival": table["crooked"],
            }
        )

    def _department_asks(self, table: Table) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "ticket_id": pl.Series(table["ticket"]).cast(pl.String),
                "department": pick(field_work.DEPARTMENTS, table["department"]),
                "asked_at": self._delivered(table["asked"]),
                "answered_at": self._delivered(table["answered"]),
            }
        )

    def _promised_windows(self, table: Table) -> pl.DataFrame:
        """Each appointment promised, with how it ends when all is known."""
        return pl.DataFrame(
            {
                "ticket_id": pl.Series(table["ticket"]).cast(pl.String),
                "visit_number": table["number"].astype(np.int16),
                "promised_at": self._stamp(table["promised"]),
                "window_from": self._stamp(table["from"]),
                "window_until": self._stamp(table["until"]),
                "wished_by": pick(field_work.WISHED_BY, table["wished"]),
                "state": pick(field_work.APPOINTMENT_STATES, table["state"]),
            }
        )

    def _delivered(self, seconds: np.ndarray) -> pl.Series:
        """Instants; null where they lie after the last delivery."""
        known = seconds < self.plan.epoch + (self.until + 1) * DAY
        return self._stamp(np.where(known, seconds, 0)).set(pl.Series(~known), None)

    # -- the summary --------------------------------------------------------------------------------------------------

    @staticmethod
    def _observed(table: pl.DataFrame, about: str) -> dict[str, object]:
        """Least squares of what everybody would have said (1..5) on the drivers (no non-response)."""
        rows = table.filter((pl.col("survey_id") == "CSAT01") & (pl.col("about") == about))
        names = [
            "resolved_first_contact",
            "wait_minutes",
            "is_transferred",
            "agent_skill",
            "is_complaint",
            "promise_broken",
            "bad_period",
            "customer_mood",
        ]
        used = [name for name in names if rows.height and rows[name].cast(pl.Float64).std()]
        if rows.height < 50 or not used:
            return {"n": rows.height, "weights": {}, "r_squared": None}
        x = np.column_stack(
            [
                np.ones(rows.height),
                *[
                    rows[name].cast(pl.Float64).clip(upper_bound=10.0 if name == "wait_minutes" else None).to_numpy()
                    for name in used
                ],
            ]
        )
        y = rows["would_say"].cast(pl.Float64).to_numpy()
        weights, *_ = np.linalg.lstsq(x, y, rcond=None)
        residual = y - x @ weights
        return {
            "n": rows.height,
            "weights": {name: round(float(value), 4) for name, value in zip(used, weights[1:], strict=True)},
            "r_squared": round(1 - float(residual.var() / y.var()), 4),
        }

    def write(self, world: World, agents: Agents, box: Outbox, continued: bool) -> None:
        """Write truth.json and its tables; `continued`: keep what earlier deliveries had planted."""
        plan = self.plan
        tables_dir = self.folder / "truth"
        tables_dir.mkdir(parents=True, exist_ok=True)
        issues = stack(self._issues)
        tables = {
            "complaints": self._complaints(world, issues),
            "departures": self._departures(world, stack(self._churn)),
            "identities": self._identities(world, stack(self._met)),
            "invitations": self._invitations(world, stack(self._surveys)),
            "issues": self._issue_table(world, issues),
            "marked_calls": self._marked_calls(),
            "visits": self._field_visits(stack(self._visits)),
            "department_asks": self._department_asks(stack(self._asks)),
            "appointments": self._promised_windows(stack(self._appointments)),
            **self.further_tables,
        }
        for name, frame in tables.items():
            frame.write_parquet(tables_dir / f"{name}.parquet", compression="zstd")
        planted = as_dicts(self.planted)
        if continued and self.path.is_file():
            earlier = json.loads(self.path.read_text(encoding="utf-8"))["planted"]
            renewed = {
                (item["table"], item["key"])
                for item in planted
                if item["note"] and str(item["note"]).startswith("in every snapshot")
            }
            planted = [item for item in earlier if (item["table"], item["key"]) not in renewed] + planted
        first, nxt = plan.month_days(plan.bad_month)
        complaints = tables["complaints"]
        departures = tables["departures"]
        invitations = tables["invitations"]
        outcome = {name: int(count) for name, count in sorted(invitations["outcome"].value_counts().iter_rows())}
        content = {
            "format": FORMAT,
            "company": {
                "name_en": words.COMPANY_EN,
                "name_zh": words.COMPANY_ZH,
                "provinces": len(words.PROVINCES),
                "cities": len(words.CITY_CODES),
            },
            "plan": {
                "seed": plan.seed,
                "customers": plan.customers,
                "months": plan.months,
                "start": str(plan.start),
                "until": str(plan.day_date(self.until)),
                "calls_per_customer_month": round(plan.calls_per_customer_month, 6),
                "tickets_per_customer_month": round(plan.tickets_per_customer_month, 6),
                "call_detail": plan.call_detail,
                "dirty": plan.dirty,
            },
            "tables": {name: {"path": f"truth/{name}.parquet", "rows": frame.height} for name, frame in tables.items()},
            "satisfaction": {
                "scale": "latent score, rounded and clipped to 1..5",
                "base": CSAT_BASE,
                "noise_sd": CSAT_NOISE,
                "weights": CSAT_WEIGHTS,
                "wait_minutes_cap": 10,
                "observed_after_calls": self._observed(invitations, "call"),
                "observed_after_tickets": self._observed(invitations, "ticket"),
                "index_paths": TCSI_PATHS,
                "servqual": {"expected": list(SERVQUAL_EXPECTED), "perceived": list(SERVQUAL_PERCEIVED)},
            },
            "response": {
                "base_logit": RESPONSE_BASE,
                "weights": RESPONSE_WEIGHTS,
                "outcomes": outcome,
                "true_csat_top2": self._share(invitations),
                "answered_csat_top2": self._share(invitations.filter(pl.col("outcome").str.starts_with("answered"))),
            },
            "churn": {
                "model": CHURN,
                "price_in_tariff": PRICE_IN_TARIFF,
                "by_type": {name: departures.filter(pl.col("churn_type") == name).height for name in CHURN_TYPES},
                "offer_effect_on_hazard": CHURN["offer_accepted_factor"],
                "care_effect_on_hazard": 1.0,
            },
            "causes": [
                {
                    "code": c[0],
                    "owner": c[1],
                    "type": c[2],
                    "name_en": c[3],
                    "name_zh": c[4],
                    "resolution_code": c[6],
                    "complaints": complaints.filter(pl.col("root_cause") == c[0]).height,
                }
                for c in words.CAUSES
            ],
            "solved_marks": SOLVED_MARKS,
            "resolution_codes": {"share_coded": 0.7, "share_wrong": 0.1},
            "bad_province": {
                "unit_code": f"P-{words.PROVINCES[plan.bad_province][0]}",
                "first_day": str(plan.day_date(first)),
                "last_day": str(plan.day_date(nxt - 1)),
                "effects": BAD_MONTH,
            },
            "corrective_action": {
                "action_no": "PDCA-001",
                "units": [f"P-{words.PROVINCES[p][0]}" for p in plan.action_provinces],
                "root_cause": words.CAUSE_CODES[plan.action_cause],
                "effective_from": str(plan.day_date(plan.action_day)),
                "rate_factor": ACTION_FACTOR,
                "measure": "complaints of the cause in the units",
                "others_without_effect": [f"PDCA-{number:03d}" for number in range(2, len(ACTIONS) + 1)],
            },
            "burst": {
                "root_cause": words.CAUSE_CODES[plan.burst_cause],
                "symptom": "app_login",
                "unit_code": f"P-{words.PROVINCES[plan.burst_province][0]}",
                "product": "mobile",
                "first_day": str(plan.day_date(plan.burst_day)),
                "days": plan.burst_days,
                "complaints": int(complaints["in_burst"].sum()),
            },
            "field_work": {
                "visits": tables["visits"].height,
                "repairs_with_visits": tables["visits"]["ticket_id"].n_unique(),
                "truly_fixed_by_the_first_visit": tables["visits"]
                .filter((pl.col("visit_number") == 1) & pl.col("truly_fixed") & pl.col("finished_at").is_not_null())
                .height,
                "department_asks": tables["department_asks"].height,
                "appointments": tables["appointments"].height,
                "slow_department": field_work.DEPARTMENTS[field_work.SLOW_DEPARTMENT],
                "slow_factor": field_work.SLOW_FACTOR,
            },
            **self.sections,
            "second_complaints": int(complaints["second_of_issue"].is_not_null().sum()),
            "people": {
                "customers": world.customers.count,
                "agents": size(agents.careers(plan.month_of_day(self.until))),
                "active_subscriptions": int((world.subs["end"] >= NEVER).sum()),
            },
            "planted": planted,
            "planted_rows": dict(
                sorted(
                    Counter(
                        {
                            kind: sum(int(str(item["rows"])) for item in planted if item["kind"] == kind)
                            for kind in {str(item["kind"]) for item in planted}
                        }
                    ).items()
                )
            ),
        }
        del box
        self.path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    @staticmethod
    def _share(table: pl.DataFrame) -> float | None:
        rows = table.filter(pl.col("survey_id") == "CSAT01")
        return round(float((rows["would_say"] >= 4).mean()), 4) if rows.height else None  # type: ignore[arg-type]
