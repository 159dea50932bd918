"""What the company tells its customers before, or after, they ask: notices of outages by message, by telephone and by the retention desk.

Belongs here: the notices as rows of three systems, and what is true of them and of the message sessions. Does not belong here: the
outages (`world.py`) and what the customers do about them. A notice changes nobody's mind: who was told gets in touch as often as others.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from orchestration.demo import words
from orchestration.demo.helpdesk import AGENT_USERS, HelpDesk, stamps
from orchestration.demo.people import ENTERPRISE, Customers, Table, pick, size
from orchestration.demo.plan import CLOSE_HOUR, DAY, OPEN_HOUR, UTC_OFFSET, Plan
from orchestration.demo.systems import days_of, local
from orchestration.demo.telephony import Roster

TOLD, CONTROL = 0.4, 0.1
"""Share of the customers of an outage who are told of it, and of the retention desk's who are held out."""
WAYS = ["message", "call", "notice"]
MESSAGE, CALL, NOTICE = range(3)


@dataclass
class Outreach:
    """Notices of outages, month by month, and the truth about them and about message sessions."""

    plan: Plan
    _notices: list[pl.DataFrame] = field(default_factory=list)
    _issues: list[pl.DataFrame] = field(default_factory=list)
    _sessions: list[pl.DataFrame] = field(default_factory=list)

    def month(
        self,
        customers: Customers,
        subs: Table,
        desk: HelpDesk,
        roster: Roster,
        month: int,
        outages: Table,
        issues: Table,
    ) -> dict[str, pl.DataFrame]:
        """Rows of the help desk, the exchange and the retention desk, each with its day of delivery.

        Args:
            month: number of the month; a notice that falls beyond its end is not sent.
            outages, issues: those of the month; an issue with `outage` is trouble of that outage.
        """
        plan = self.plan
        rng = plan.rng("outreach", month)
        first, nxt = plan.month_days(month)
        facts = customers.facts
        who, outage = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
        for number in range(size(outages)):
            hit = (
                (subs["end"] >= first)
                & (subs["start"] < nxt)
                & (subs["product"] == outages["product"][number])
                & (facts["city"][subs["cust"]] == outages["city"][number])
            )
            told = np.unique(subs["cust"][np.flatnonzero(hit)])
            told = told[rng.random(len(told)) < TOLD]
            who.append(told.astype(np.int64))
            outage.append(np.full(len(told), number))
        cust, row = np.concatenate(who), np.concatenate(outage)
        t = outages["t"][row] + rng.integers(15 * 60, 2 * 3600, len(cust))
        way = rng.choice(3, len(cust), p=[0.4, 0.2, 0.4])
        control = rng.random(len(cust)) < CONTROL
        answered = rng.random(len(cust)) < 0.8
        keep = t < plan.epoch + nxt * DAY
        cust, row, t, way = (x[keep] for x in (cust, row, t, way))
        control, answered = control[keep], answered[keep]
        # The help desk writes to people it knows; nobody is called at night.
        hour = (t - plan.epoch) % DAY // 3600
        known = desk.met[cust] & (facts["kind"][cust] != ENTERPRISE)
        way = np.where((way == CALL) & ((hour < OPEN_HOUR) | (hour >= CLOSE_HOUR - 1)), MESSAGE, way)
        way = np.where((way == MESSAGE) & ~known, NOTICE, way)
        event = "OE" + pl.Series(outages["no"][row] if len(row) else np.zeros(0, dtype=np.int64)).cast(
            pl.String
        ).str.zfill(6)
        queue = facts["city"][cust] // 4
        agent, _ = desk.agents_of(roster, rng, queue, (t - plan.epoch) // DAY)
        texts = customers.frame()[cust]
        self._notices.append(
            pl.DataFrame(
                {
                    "customer_no": texts["crm_no"],
                    "event_no": event,
                    "way": pick(WAYS, way),
                    "sent_at": pl.from_epoch(pl.Series(t), time_unit="s"),
                    "reached": np.where(way == CALL, answered, np.where(way == NOTICE, ~control, True)),
                    "_day": (t - plan.epoch) // DAY,
                }
            )
        )
        trouble = np.flatnonzero((issues["outage"] >= 0) & (issues["ticket"] > 0))
        self._issues.append(
            pl.DataFrame(
                {
                    "customer_no": customers.frame()["crm_no"].gather(issues["cust"][trouble]),
                    "event_no": "OE" + pl.Series(issues["outage"][trouble]).cast(pl.String).str.zfill(6),
                    "first_contact_at": pl.from_epoch(pl.Series(issues["t"][trouble]), time_unit="s"),
                }
            )
        )
        return {
            "zendesk.chats": self._messages(month, texts, facts, cust, t, agent, event, way == MESSAGE),
            "asterisk.cdr": self._calls(month, texts, t, agent, event, answered, way == CALL),
            "retention.care": self._actions(month, texts, facts, cust, t, event, control, way == NOTICE),
        }

    def _messages(
        self, month: int, texts: pl.DataFrame, facts: Table, cust: np.ndarray, t: np.ndarray, agent: np.ndarray,
        event: pl.Series, mask: np.ndarray,
    ) -> pl.DataFrame:  # fmt: skip
        rows = np.flatnonzero(mask)
        n, at, chosen = len(rows), t[rows], texts[rows]
        none = pl.Series([None] * n, dtype=pl.String)
        return pl.DataFrame(
            {
                "id": f"{2500 + month}.9" + pl.Series(np.arange(n) + 1).cast(pl.String).str.zfill(5) + ".1",
                "ticket_id": none,
                "visitor_id": chosen["user_id"].cast(pl.String),
                "visitor_name": chosen["name"],
                "visitor_email": none,
                "visitor_phone": none,
                "channel": pick(["wechat", "app"], rows % 2),
                "department_name": pick(words.CITY_CODES, facts["city"][cust[rows]]),
                "timestamp": stamps(at),
                "end_timestamp": stamps(at + 60),
                "response_time_first": none,
                "count_visitor": pl.Series(["0"] * n, dtype=pl.String),
                "count_agent": pl.Series(["1"] * n, dtype=pl.String),
                "count_bot": pl.Series(["0"] * n, dtype=pl.String),
                "agent_ids": pl.Series(AGENT_USERS + agent[rows]).cast(pl.String),
                "missed": pl.Series(["FALSE"] * n, dtype=pl.String),
                "rating": none,
                "tags": "proactive event:" + event.gather(pl.Series(rows)),
                "_day": ((at - self.plan.epoch) // DAY).astype(np.int32),
            }
        )

    def _calls(
        self, month: int, texts: pl.DataFrame, t: np.ndarray, agent: np.ndarray, event: pl.Series, answered: np.ndarray, mask: np.ndarray
    ) -> pl.DataFrame:  # fmt: skip
        rows = np.flatnonzero(mask)
        n, at, reached, stamp = len(rows), t[rows], answered[rows], "%Y-%m-%d %H:%M:%S"
        mobile = texts["mobile"].gather(pl.Series(rows))
        number = pl.Series(agent[rows]).cast(pl.String).str.zfill(5)
        serial = pl.Series(month * 100_000 + np.arange(n) + 1).cast(pl.String).str.zfill(8)
        length = np.where(reached, 45 + rows % 60, 20)
        return pl.DataFrame(
            {
                "accountcode": pick(words.CITY_CODES, texts["city"].to_numpy().astype(np.int64)[rows]),
                "src": pl.Series(["10088"] * n, dtype=pl.String),
                "dst": mobile,
                "dcontext": pl.Series(["outbound-notice"] * n, dtype=pl.String),
                "clid": pl.Series(['"10088" <10088>'] * n, dtype=pl.String),
                "channel": "Agent/" + number + "-" + serial,
                "dstchannel": pl.Series([""] * n, dtype=pl.String),
                "lastapp": pl.Series(["Dial"] * n, dtype=pl.String),
                "lastdata": "PJSIP/" + mobile + "@trunk1",
                "start": local(at, stamp),
                "answer": local(at + 8, stamp).zip_with(pl.Series(reached), pl.Series([""] * n, dtype=pl.String)),
                "end": local(at + length, stamp),
                "duration": pl.Series(length).cast(pl.String),
                "billsec": pl.Series(np.where(reached, length - 8, 0)).cast(pl.String),
                "disposition": pick(["NO ANSWER", "ANSWERED"], reached.astype(np.int64)),
                "amaflags": pl.Series(["DOCUMENTATION"] * n, dtype=pl.String),
                "uniqueid": pl.Series(at).cast(pl.String) + ".8" + serial,
                "userfield": "hu=agent;ev=" + event.gather(pl.Series(rows)),
                "_day": days_of(self.plan, at),
            }
        )

    def _actions(
        self, month: int, texts: pl.DataFrame, facts: Table, cust: np.ndarray, t: np.ndarray, event: pl.Series,
        control: np.ndarray, mask: np.ndarray,
    ) -> pl.DataFrame:  # fmt: skip
        rows = np.flatnonzero(mask)
        n, at, held = len(rows), t[rows], control[rows]
        return pl.DataFrame(
            {
                "care_id": f"ON{month + 100}-" + pl.Series(np.arange(n) + 1).cast(pl.String).str.zfill(6),
                "occasion": pl.Series(["outage_notice"] * n, dtype=pl.String),
                "customer_no": texts["crm_no"].gather(pl.Series(rows)),
                "unit_code": pick(words.CITY_CODES, facts["city"][cust[rows]]),
                "event_no": event.gather(pl.Series(rows)),
                "sent_at": local(at, "%Y-%m-%dT%H:%M:%S+08:00"),
                "cost": pl.Series(np.where(held, 0.0, 0.05)),
                "control": pl.Series(held),
                "result": pl.Series(["none"] * n, dtype=pl.String),
                "result_at": pl.Series([None] * n, dtype=pl.String),
                "_day": days_of(self.plan, at),
            }
        ).sort("_day", "care_id")

    # -- truth ------------------------------------------------------------------------------------------------------

    def sessions(self, chats: pl.DataFrame) -> None:
        """Keep what is known of a month's sessions that customers began."""
        at = chats["timestamp"].str.to_datetime("%Y-%m-%dT%H:%M:%SZ").dt.epoch("s")
        hour = (at + UTC_OFFSET) % DAY / 3600
        self._sessions.append(
            pl.DataFrame(
                {
                    "human": chats["agent_ids"].is_not_null(),
                    "bot": chats["count_bot"] != "0",
                    "missed": chats["missed"] == "TRUE",
                    "out_of_hours": (hour < OPEN_HOUR) | (hour >= CLOSE_HOUR),
                    "_day": chats["_day"],
                }
            )
        )

    def truth(self, until: int) -> tuple[dict[str, object], pl.DataFrame]:
        """What is true of the sessions and notices delivered up to a day: a summary, and one row per notice.

        `first_contact_at` is the customer's first contact about that outage; a notice was `in_time` when it reached the customer
        before that.
        """
        sessions = pl.concat(self._sessions).filter(pl.col("_day") <= until)
        issues = pl.concat(self._issues).group_by("customer_no", "event_no").agg(pl.col("first_contact_at").min())
        notices = (
            pl.concat(self._notices)
            .filter(pl.col("_day") <= until)
            .drop("_day")
            .join(issues, on=["customer_no", "event_no"], how="left", maintain_order="left")
            .with_columns(
                in_time=pl.col("reached")
                & (pl.col("first_contact_at").is_null() | (pl.col("sent_at") < pl.col("first_contact_at")))
            )
        )
        return {
            "sessions": {
                "begun_by_customers": sessions.height,
                "human": int((sessions["human"] & ~sessions["bot"]).sum()),
                "bot_then_human": int((sessions["human"] & sessions["bot"]).sum()),
                "bot_only": int((~sessions["human"] & sessions["bot"] & ~sessions["missed"]).sum()),
                "missed": int(sessions["missed"].sum()),
                "out_of_hours": int(sessions["out_of_hours"].sum()),
            },
            "outreach": {
                "notices": notices.height,
                "reached": int(notices["reached"].sum()),
                "in_time": int(notices["in_time"].sum()),
                "by_way": {way: int((notices["way"] == way).sum()) for way in WAYS},
            },
        }, notices
