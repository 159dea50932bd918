"""The help desk: tickets with their histories, comments, chat sessions and users, as a Zendesk export has them.

Belongs here: how an issue of `world.py` becomes rows of the help desk. Does not belong here: why it happened.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from orchestration.demo import field_work, words
from orchestration.demo.people import (
    ENTERPRISE,
    HOUSEHOLD,
    Customers,
    Table,
    agent_names,
    phone_style,
    pick,
    size,
    stack,
    take,
    team_of,
)
from orchestration.demo.plan import DAY, Plan
from orchestration.demo.telephony import COMPLAINTS_QUEUE, ENTERPRISE_QUEUE, Roster
from orchestration.demo.world import (
    API,
    CHANNELS,
    CHAT,
    COMPLAINT,
    EMAIL,
    ENQUIRY,
    HALL,
    KINDS,
    NATIVE,
    REPAIR,
    VOICE,
    WEB,
    WECHAT,
)

SYSTEM, BOT = -1, 7_900_000_001
AGENT_USERS = 7_000_000_000
STATUS = ["new", "open", "pending", "hold", "solved", "closed", "deleted"]
NEW, OPEN, PENDING, HOLD, SOLVED, CLOSED, DELETED = range(7)
PRIORITY = ["low", "normal", "high", "urgent"]
FIELDS = ["status", "priority", "group_id", "assignee_id", "custom_resolution_code", *field_work.FIELDS]
F_STATUS, F_PRIORITY, F_GROUP, F_ASSIGNEE, F_CODE, F_WORK = range(6)
RESOLUTION = [cause[6] for cause in words.CAUSES] + ["S01", "S02", "S03", "S04"]
TOUCH_POINTS = ["own_hall", "partner_hall", "web_hall", "app", "hotline", "account_manager", "field_work", "bill"]
BILL_TOPICS = ["bill_question", "bill_dispute"]
MERGED_BASE, SPAM_BASE, TEST_BASE = 50_000_000, 60_000_000, 61_000_000


def stamps(seconds: np.ndarray) -> pl.Series:
    """UTC seconds as Zendesk writes times."""
    return pl.from_epoch(pl.Series(seconds), time_unit="s").dt.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Phrases:
    """Sentences by cause and language, topic and language and so on, in one list with offsets."""

    words: list[str] = field(default_factory=list)
    spans: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)

    def put(self, name: str, language: int, sentences: list[str]) -> None:
        self.spans[(name, language)] = (len(self.words), len(sentences))
        self.words.extend(sentences)

    def choose(self, names: list[str], index: np.ndarray, language: np.ndarray, u: np.ndarray) -> np.ndarray:
        """A sentence's position for each row: `names[index]` in its language."""
        starts = np.array([[self.spans[(name, lang)][0] for lang in (0, 1)] for name in names])
        counts = np.array([[self.spans[(name, lang)][1] for lang in (0, 1)] for name in names])
        chosen: np.ndarray = starts[index, language] + (u * counts[index, language]).astype(np.int64)
        return chosen


def phrases(plan: Plan) -> Phrases:
    rng = plan.rng("phrases")
    book = Phrases()
    for code, both in words.CAUSE_TEXTS.items():
        for language in (0, 1):
            book.put(code, language, words.expand(both[language], rng, language == 1))
    for topic in words.TOPICS:
        both = words.TOPIC_TEXTS.get(topic, words.TOPIC_TEXTS["other"])
        for language in (0, 1):
            book.put(topic, language, words.expand(both[language], rng, language == 1))
    for name, lists in (
        ("opening", words.OPENINGS),
        ("demand", words.DEMANDS),
        ("polite", words.POLITE),
        ("reply", words.REPLIES),
        ("promise", words.PROMISES),
        ("follow", words.FOLLOW_UPS),
        ("note", words.NOTES),
        ("good", words.GOOD_COMMENTS),
        ("bad", words.BAD_COMMENTS),
    ):
        for language in (0, 1):
            book.put(name, language, words.expand(lists[language], rng, language == 1))
    return book


@dataclass
class HelpDesk:
    """Rows of the help desk, month by month; remembers whom it has met."""

    plan: Plan
    met: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    met_twice: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    met_contacts: np.ndarray = field(default_factory=lambda: np.zeros((0, 5), dtype=bool))

    def __post_init__(self) -> None:
        self.book = phrases(self.plan)
        self.vocabulary = pl.Series(self.book.words)

    # -- who asks ---------------------------------------------------------------------------------------------------

    def requesters(self, customers: Customers, cust: np.ndarray, channel: np.ndarray, mark: np.ndarray) -> np.ndarray:
        """User id of who asks: an enterprise's contact, a second user of the same person, or the usual one."""
        facts = customers.facts
        user = customers.frame()["user_id"].gather(cust).to_numpy().astype(np.int64)
        twice = facts["desk_twice"][cust] & np.isin(channel, [EMAIL, WEB]) & facts["has_email"][cust]
        user = np.where(twice, user + 100_000_000, user)
        number = mark % np.maximum(facts["contacts_known"][cust], 1)
        return np.where(facts["kind"][cust] == ENTERPRISE, 9_200_000_000 + cust * 10 + number, user)

    # -- tickets ----------------------------------------------------------------------------------------------------

    def agents_of(
        self, roster: Roster, rng: np.random.Generator, queue: np.ndarray, day: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Somebody on duty in a queue on a day: number and position."""
        low = np.empty(len(queue), dtype=np.int64)
        high = np.empty(len(queue), dtype=np.int64)
        days = sorted({d for _, d in roster.slices})
        lows = np.array([[roster.slices[(q, d)].start for d in days] for q in range(len(words.QUEUES))])
        highs = np.array([[roster.slices[(q, d)].stop for d in days] for q in range(len(words.QUEUES))])
        at = np.clip(day - days[0], 0, len(days) - 1)
        low, high = lows[queue, at], highs[queue, at]
        row = low + (rng.random(len(queue)) * (high - low)).astype(np.int64)
        return roster.rows["number"][row], roster.rows["position"][row]

    def month(
        self, customers: Customers, roster: Roster, number: int, issues: Table, contacts: Table
    ) -> dict[str, pl.DataFrame | Table | field_work.FieldWork]:
        """All rows that begin with the month's issues (their later events included), each with its day of delivery."""
        plan = self.plan
        rng = plan.rng("tickets", number)
        base = take(issues, np.flatnonzero(issues["ticket"] > 0))
        n = size(base)
        base["parent"] = np.zeros(n, dtype=np.int64)
        base["sort"] = np.zeros(n, dtype=np.int64)  # 0 ordinary, 1 merged away, 2 spam, 3 test, 4 duplicate
        twin = np.flatnonzero(rng.random(n) < np.where(base["kind"] == COMPLAINT, 0.05, 0.012))
        copy = take(base, twin)
        copy["t"] = copy["t"] + rng.integers(300, 20_000, len(twin))
        copy["channel"] = rng.choice([EMAIL, WEB, WECHAT, NATIVE], len(twin))
        copy["parent"] = copy["ticket"].copy()
        copy["ticket"] = copy["ticket"] + MERGED_BASE
        copy["sort"] = np.where(rng.random(len(twin)) < 0.75, 1, 4)
        junk_parts = []
        for sort, share, first_id in ((2, 0.012, SPAM_BASE), (3, 0.004, TEST_BASE)):
            count = int(rng.poisson(n * share))
            junk = take(base, rng.integers(0, max(n, 1), count) if n else np.zeros(0, dtype=np.int64))
            junk["t"] = (
                plan.epoch + rng.integers(*plan.month_days(number), size(junk)) * DAY + rng.integers(0, DAY, size(junk))
            )
            junk["ticket"] = first_id + number * 20_000 + np.arange(size(junk))
            junk["sort"] = np.full(size(junk), sort)
            junk["channel"] = np.full(size(junk), EMAIL if sort == 2 else API)
            junk["kind"] = np.full(size(junk), ENQUIRY)
            junk["promise"] = np.zeros(size(junk), dtype=bool)
            junk_parts.append(junk)
        base = stack([base, copy, *junk_parts])
        base = take(base, np.argsort(base["t"], kind="stable"))
        n = size(base)
        voice, chatty = base["channel"] == VOICE, np.isin(base["channel"], [CHAT, NATIVE, WECHAT])
        created = base["t"] + np.where(voice, rng.integers(120, 500, n), 0)
        slow = np.where(base["bad"], 1.9, 1.0)
        kind_slow = np.where(base["kind"] == COMPLAINT, 0.8, 1.0)
        delay = np.where(
            voice,
            rng.integers(20, 240, n),
            np.where(chatty, rng.integers(30, 420, n), rng.lognormal(0, 0.8, n) * 2.6 * 3600 * slow * kind_slow),
        ).astype(np.int64)
        reply = self._awake(rng, created + delay)
        solve = self._awake(rng, np.maximum(created + base["solve_seconds"], reply + 60))
        stuck = ~base["solved"] & (rng.random(n) < 0.3)
        solve = np.where(stuck, solve + rng.integers(8, 50, n) * DAY, solve)
        oneshot = voice & base["first"] & (base["kind"] == ENQUIRY)
        solve = np.where(oneshot, reply + 30, solve)
        queue = np.where(
            (base["kind"] == COMPLAINT) & (rng.random(n) < 0.22),
            COMPLAINTS_QUEUE,
            np.where((customers.facts["kind"][base["cust"]] == ENTERPRISE), ENTERPRISE_QUEUE, base["city"] // 4),
        )
        agent, position = self.agents_of(roster, rng, queue, (created - plan.epoch) // DAY)
        later_agent, _later_position = self.agents_of(roster, rng, queue, (solve - plan.epoch) // DAY)
        team = team_of(queue, position)
        requester = self.requesters(customers, base["cust"], base["channel"], base["ticket"])
        priority = np.where(
            base["kind"] == COMPLAINT,
            rng.choice([1, 2, 2, 3], n),
            np.where(base["kind"] == REPAIR, rng.choice([1, 1, 2], n), rng.choice([0, 1, 1, 1], n)),
        )
        ordinary = base["sort"] == 0
        codes = np.select(
            [base["kind"] == COMPLAINT, base["kind"] == ENQUIRY, base["kind"] == REPAIR],
            [base["cause"], 18, np.where(rng.random(n) < 0.85, 20, 21)],
            19,
        )
        wrong = (base["kind"] == COMPLAINT) & (rng.random(n) < 0.10)
        codes = np.where(wrong, rng.integers(0, 18, n), codes)
        coded = ordinary & np.where(base["kind"] == COMPLAINT, rng.random(n) < 0.7, rng.random(n) < 0.92)

        # -- events -------------------------------------------------------------------------------------------------
        parts: list[tuple[np.ndarray, ...]] = []

        def event(
            mask: np.ndarray, t: np.ndarray, what: int, value: np.ndarray | int, user: np.ndarray | int, step: int
        ) -> None:
            rows = np.flatnonzero(mask)
            values = np.broadcast_to(np.asarray(value, dtype=np.int64), n)[rows]
            users = np.broadcast_to(np.asarray(user, dtype=np.int64), n)[rows]
            parts.append((rows, t[rows], np.full(len(rows), what), values, users, np.full(len(rows), step)))

        everyone = np.ones(n, dtype=bool)
        agent_user, later_user = AGENT_USERS + agent, AGENT_USERS + later_agent
        submitter = np.where(voice | (base["channel"] == HALL), agent_user, requester)
        event(everyone, created, F_STATUS, NEW, submitter, 0)
        event(everyone, created, F_PRIORITY, priority, submitter, 1)
        event(everyone, created, F_GROUP, team, SYSTEM, 2)
        taken = np.where(voice, created + 5, np.maximum(created + 20, reply - 45))
        event(ordinary, taken, F_ASSIGNEE, agent, SYSTEM, 3)
        event(ordinary, taken, F_STATUS, OPEN, np.where(voice, agent_user, SYSTEM), 4)
        span = np.maximum(solve - reply, 0)
        waits = ordinary & (span > 7200) & (rng.random(n) < 0.42)
        asleep = reply + (span * (0.10 + 0.2 * rng.random(n))).astype(np.int64)
        awake = reply + (span * (0.45 + 0.3 * rng.random(n))).astype(np.int64)
        on_hold = waits & (base["kind"] == REPAIR) & (rng.random(n) < 0.5)
        event(waits, asleep, F_STATUS, np.where(on_hold, HOLD, PENDING), agent_user, 5)
        event(waits, awake, F_STATUS, OPEN, np.where(on_hold, agent_user, requester), 6)
        handed = (
            ordinary & (span > 6 * 3600) & (agent != later_agent) & (rng.random(n) < np.where(base["bad"], 0.55, 0.3))
        )
        event(handed, reply + (span * 0.8).astype(np.int64), F_ASSIGNEE, later_agent, SYSTEM, 7)
        raised = ordinary & (priority < 3) & (span > 12 * 3600) & (rng.random(n) < 0.07)
        event(raised, reply + (span * 0.35).astype(np.int64), F_PRIORITY, priority + 1, agent_user, 8)
        closer = np.where(handed, later_user, agent_user)
        event(coded, solve, F_CODE, codes, closer, 9)
        event(ordinary, solve, F_STATUS, SOLVED, closer, 10)
        reopened = ordinary & ~base["first"] & (base["extra"] > 0) & (rng.random(n) < 0.4) & ~stuck
        back = self._awake(rng, solve + rng.integers(3 * 3600, 3 * DAY, n))
        solved_again = self._awake(rng, back + (rng.lognormal(0, 0.7, n) * 14 * 3600).astype(np.int64) + 600)
        event(reopened, back, F_STATUS, OPEN, requester, 11)
        event(reopened, solved_again, F_STATUS, SOLVED, closer, 12)
        final = np.where(reopened, solved_again, solve)
        event(ordinary, final + 4 * DAY, F_STATUS, CLOSED, SYSTEM, 13)
        merged = base["sort"] == 1
        spam = base["sort"] == 2
        event(merged | (base["sort"] == 4), created + 4000, F_STATUS, CLOSED, agent_user, 14)
        event(spam, created + 7200, F_STATUS, DELETED, agent_user, 14)
        event(base["sort"] == 3, created + 600, F_STATUS, CLOSED, agent_user, 14)
        work = field_work.work_on(
            plan, number, base, ordinary, reply, solve, reopened, back, solved_again, agent_user, closer
        )
        parts += [(rows, t, F_WORK + what, *others) for rows, t, what, *others in work.events]
        rows, at, what, value, user, step = (np.concatenate([part[c] for part in parts]) for c in range(6))
        order = np.lexsort((step, at, rows))
        rows, at, what, value, user = rows[order], at[order], what[order], value[order], user[order]
        ids = base["ticket"]
        group_ids = 360_000_000 + np.arange(len(words.TEAM_CODES))
        value_text = pl.select(
            pl.when(pl.lit(pl.Series(what)) == F_STATUS)
            .then(pl.lit(pick(STATUS, np.where(what == F_STATUS, value, -1))))
            .when(pl.lit(pl.Series(what)) == F_PRIORITY)
            .then(pl.lit(pick(PRIORITY, np.where(what == F_PRIORITY, value, -1))))
            .when(pl.lit(pl.Series(what)) == F_GROUP)
            .then(pl.lit(pl.Series(group_ids[np.where(what == F_GROUP, value, 0)])).cast(pl.String))
            .when(pl.lit(pl.Series(what)) == F_ASSIGNEE)
            .then(pl.lit(pl.Series(AGENT_USERS + value)).cast(pl.String))
            .when(pl.lit(pl.Series(what)) == F_CODE)
            .then(pl.lit(pick(RESOLUTION, np.where(what == F_CODE, value, -1))))
            .otherwise(pl.lit(pick(field_work.VALUES, np.where(what >= F_WORK, value, -1))))
        ).to_series()
        day = ((at - plan.epoch) // DAY).astype(np.int32)
        history = pl.DataFrame(
            {
                "ticket_id": pl.Series(ids[rows]).cast(pl.String),
                "field_name": pick(FIELDS, what),
                "updated": stamps(at),
                "user_id": pl.Series(user).cast(pl.String),
                "value": value_text,
                "_day": day,
            }
        )
        history = pl.concat([history, self._appointments(work.appointments)])
        # The state at the end of each day on which something happened is what that night's export says.
        steps = pl.DataFrame({"row": rows, "t": at, "day": day, "what": what, "value": value}).with_columns(
            *[
                pl.when(pl.col("what") == code).then(pl.col("value")).forward_fill().over("row").alias(name)
                for code, name in (
                    (F_STATUS, "status"),
                    (F_PRIORITY, "priority"),
                    (F_ASSIGNEE, "assignee"),
                    (F_CODE, "code"),
                )
            ]
        )
        states = steps.group_by("row", "day", maintain_order=True).last()
        comments, description = self._comments(
            number,
            rng,
            base,
            created,
            reply,
            solve,
            awake,
            back,
            waits & ~on_hold,
            reopened,
            requester,
            agent_user,
            closer,
            ordinary,
        )
        result: dict[str, pl.DataFrame | Table | field_work.FieldWork] = {
            "zendesk.ticket_field_history": history,
            "zendesk.ticket_comments": comments,
        }
        result["zendesk.tickets"] = self._tickets(
            rng, customers, base, created, states, requester, submitter, team, description, ids, work.assets
        )
        result["field_work"] = work
        result["facts"] = {
            "ticket": ids,
            "row_id": base["id"],
            "created": created,
            "reply": reply,
            "solve": solve,
            "final": final,
            "agent": agent,
            "closer": np.where(handed, later_agent, agent),
            "sort": base["sort"],
            "cust": base["cust"],
            "kind": base["kind"],
            "channel": base["channel"],
            "city": base["city"],
            "english": base["english"],
            "first": base["first"],
            "bad": base["bad"],
            "product": base["product"],
            "promise": base["promise"] & ordinary,
            "kept": base["kept"],
            "mended": base["mended"],
            "solved": base["solved"],
            "cause": base["cause"],
            "id": base["id"],
            "team": team,
            "ordinary": ordinary,
            "parent": base["parent"],
            "position": position,
            "reopened": reopened,
        }
        result["zendesk.chats"] = self._chats(customers, roster, number, contacts)
        seen_cust = np.concatenate(
            [base["cust"], contacts["cust"][np.isin(contacts["channel"], [CHAT, NATIVE, WECHAT])]]
        )
        seen_channel = np.concatenate(
            [base["channel"], contacts["channel"][np.isin(contacts["channel"], [CHAT, NATIVE, WECHAT])]]
        )
        seen_mark = np.concatenate(
            [base["ticket"], contacts["id"][np.isin(contacts["channel"], [CHAT, NATIVE, WECHAT])]]
        )
        seen_t = np.concatenate([base["t"], contacts["t"][np.isin(contacts["channel"], [CHAT, NATIVE, WECHAT])]])
        result["zendesk.users"], result["met"] = self._users(
            customers, number, seen_cust, seen_channel, seen_mark, seen_t
        )
        return result

    def _appointments(self, promises: Table) -> pl.DataFrame:
        """Changes of the field that holds the promised window, as rows of the history."""
        frame = pl.DataFrame(
            {
                "visit": promises["number"],
                "from": stamps(promises["from"]),
                "until": stamps(promises["until"]),
                "wished": pick(["", "_customer", "_company"], promises["wished"]),
            }
        )
        return pl.DataFrame(
            {
                "ticket_id": pl.Series(promises["ticket"]).cast(pl.String),
                "field_name": pl.repeat(field_work.APPOINTMENT, size(promises), eager=True),
                "updated": stamps(promises["promised"]),
                "user_id": pl.Series(promises["user"]).cast(pl.String),
                "value": frame.select(pl.format("visit_{}_{}/{}{}", "visit", "from", "until", "wished")).to_series(),
                "_day": ((promises["promised"] - self.plan.epoch) // DAY).astype(np.int32),
            }
        )

    def _awake(self, rng: np.random.Generator, t: np.ndarray) -> np.ndarray:
        """The same instant, or the next morning when it falls into the night."""
        second = (t - self.plan.epoch) % DAY
        morning = t - second + 8 * 3600 + rng.integers(300, 9000, len(t))
        return np.where(second < 8 * 3600, morning, np.where(second > 21 * 3600 + 1800, morning + DAY, t))

    def _tickets(
        self,
        rng: np.random.Generator,
        customers: Customers,
        base: Table,
        created: np.ndarray,
        states: pl.DataFrame,
        requester: np.ndarray,
        submitter: np.ndarray,
        team: np.ndarray,
        description: pl.Series,
        ids: np.ndarray,
        assets: dict[str, pl.Series],
    ) -> pl.DataFrame:
        n = size(base)
        survivors: dict[int, list[tuple[int, int]]] = {}
        for parent, child, at in zip(base["parent"].tolist(), ids.tolist(), created.tolist(), strict=True):
            if parent and child >= MERGED_BASE:
                survivors.setdefault(parent, []).append((child, at))
        merged_lists = [None] * n
        where = {ticket: row for row, ticket in enumerate(ids.tolist())}
        sorts = base["sort"]
        for parent, children in survivors.items():
            kept = [str(child) for child, _ in children if sorts[where[child]] == 1]
            if parent in where and kept:
                merged_lists[where[parent]] = "[" + ", ".join(kept) + "]"  # type: ignore[call-overload]
        facts = customers.facts
        vip = facts["kind"][base["cust"]] == ENTERPRISE
        tags = np.array(["", "closed_by_merge", "spam", "test", "duplicate"])[base["sort"]]
        known = rng.random(n) < 0.6
        touch = np.select(
            [
                base["channel"] == VOICE,
                base["channel"] == HALL,
                np.isin(base["channel"], [WEB, CHAT]),
                np.isin(base["channel"], [NATIVE, WECHAT]),
            ],
            [4, np.where(rng.random(n) < 0.6, 0, 1), 2, 3],
            np.where(vip, 5, 2),
        )
        # Some report a fault to the engineer who is there anyway, some ask by the bill's own link, and some tickets do not say.
        touch = np.where((base["kind"] == REPAIR) & (ids % 6 == 0) & (base["channel"] != VOICE), 6, touch)
        by_bill = np.isin(base["topic"], [words.TOPIC_INDEX[name] for name in BILL_TOPICS]) & (base["channel"] != VOICE)
        touch = np.where(by_bill & (ids % 3 == 0), 7, touch)
        touch = np.where(ids % 25 == 0, -1, touch)
        static = pl.DataFrame(
            {
                "row": np.arange(n),
                "id": ids,
                "created": created,
                "subject_topic": pick(
                    words.TOPICS, np.where(base["sort"] >= 2, words.TOPIC_INDEX["other"], base["topic"])
                ),
                "english": base["english"],
                "description": description,
                "type": pick(["question", "task", "incident", "problem", "task"], base["kind"]),
                "requester": requester,
                "submitter": submitter,
                "firm": vip,
                "cust": base["cust"],
                "team": team,
                "via_channel": pick(CHANNELS, base["channel"]),
                "merge": base["sort"] == 1,
                "dup": base["sort"] == 4,
                "parent": base["parent"],
                "merged": pl.Series(merged_lists, dtype=pl.String),
                "tag": pl.Series(tags),
                "kind": pick(KINDS, base["kind"]),
                "product": pick(words.PRODUCTS, np.where(rng.random(n) < 0.95, base["product"], -1)),
                **assets,
                "unit": pick(words.CITY_CODES, base["city"]),
                "account": customers.frame()["account_no"]
                .gather(base["cust"])
                .zip_with(pl.Series(known), pl.Series([None] * n, dtype=pl.String)),
                "touch": pick(TOUCH_POINTS, touch),
                "due": np.where(
                    np.isin(base["kind"], [REPAIR, COMPLAINT]),
                    created + np.where(base["kind"] == REPAIR, 48, 72) * 3600,
                    0,
                ),
            }
        )
        frame = states.join(static, on="row", how="inner", maintain_order="left").with_columns(
            pl.col("subject_topic").alias("topic")
        )
        stamp = "%Y-%m-%dT%H:%M:%SZ"
        return frame.select(
            pl.col("id").cast(pl.String),
            pl.lit(None, dtype=pl.String).alias("external_id"),
            pl.from_epoch("created", time_unit="s").dt.strftime(stamp).alias("created_at"),
            pl.from_epoch("t", time_unit="s").dt.strftime(stamp).alias("updated_at"),
            "type",
            pl.when(pl.col("english") == 1)
            .then(pl.col("topic").str.replace_all("_", " ").str.to_titlecase())
            .otherwise(pl.col("topic").replace_strict(words.TOPIC_ZH, return_dtype=pl.String))
            .alias("subject"),
            "description",
            pl.lit(pl.Series(PRIORITY)).gather(pl.col("priority")).alias("priority"),
            pl.lit(pl.Series(STATUS)).gather(pl.col("status")).alias("status"),
            pl.lit("support@xingdu.example.com").alias("recipient"),
            pl.col("requester").cast(pl.String).alias("requester_id"),
            pl.col("submitter").cast(pl.String).alias("submitter_id"),
            (pl.col("assignee") + AGENT_USERS).cast(pl.String).alias("assignee_id"),
            pl.when(pl.col("firm")).then((8_000_000_000 + pl.col("cust")).cast(pl.String)).alias("organization_id"),
            (360_000_000 + pl.col("team")).cast(pl.String).alias("group_id"),
            pl.when(pl.col("dup")).then(pl.col("parent").cast(pl.String)).alias("problem_id"),
            pl.lit("FALSE").alias("has_incidents"),
            pl.lit("TRUE").alias("is_public"),
            pl.when(pl.col("due") > 0).then(pl.from_epoch("due", time_unit="s").dt.strftime(stamp)).alias("due_at"),
            "via_channel",
            pl.when(pl.col("merge")).then(pl.col("parent").cast(pl.String)).alias("via_source_from_id"),
            pl.when(pl.col("merge")).then(pl.lit("merge")).alias("via_source_rel"),
            pl.lit("360003529474").alias("brand_id"),
            pl.lit("360002048693").alias("ticket_form_id"),
            pl.col("merged").alias("merged_ticket_ids"),
            pl.when(pl.col("firm"))
            .then((pl.col("tag") + pl.lit(" vip")).str.strip_chars())
            .otherwise(pl.col("tag"))
            .alias("tags"),
            pl.col("kind").alias("custom_contact_kind"),
            pl.col("topic").alias("custom_topic"),
            pl.lit(None, dtype=pl.String).alias("custom_subtopic"),
            pl.col("product").alias("custom_product"),
            pl.col("asset_no").alias("custom_asset_no"),
            pl.col("asset_kind").alias("custom_asset_kind"),
            pl.col("fault_code").alias("custom_fault_code"),
            pl.lit(pl.Series(RESOLUTION)).gather(pl.col("code")).alias("custom_resolution_code"),
            pl.col("unit").alias("custom_unit_code"),
            pl.col("account").alias("custom_account_no"),
            pl.col("touch").alias("custom_touch_point"),
            pl.when(pl.col("english") == 1).then(pl.lit("en")).otherwise(pl.lit("zh")).alias("custom_language"),
            pl.col("day").cast(pl.Int32).alias("_day"),
        )

    def descriptions(self, rng: np.random.Generator, base: Table) -> pl.Series:
        """What the customer wrote first: opening, the trouble in words that (mostly) carry its cause, a demand."""
        n = size(base)
        language = base["english"]
        u = [rng.random(n) for _ in range(5)]
        told = (base["cause"] >= 0) & (u[0] < np.where(base["kind"] == COMPLAINT, 0.95, 0.8))
        body = np.where(
            told,
            self.book.choose(words.CAUSE_CODES, base["cause"].clip(0), language, u[1]),
            self.book.choose(words.TOPICS, base["topic"], language, u[1]),
        )
        opening = self.book.choose(["opening"], np.zeros(n, dtype=np.int64), language, u[2])
        closing = np.where(
            base["kind"] == COMPLAINT,
            self.book.choose(["demand"], np.zeros(n, dtype=np.int64), language, u[3]),
            self.book.choose(["polite"], np.zeros(n, dtype=np.int64), language, u[3]),
        )
        stop = pick(["。", ". "], language)
        second = pick(
            ["", *self.book.words],
            np.where(told & (u[4] < 0.3), 1 + self.book.choose(words.TOPICS, base["topic"], language, u[4] / 0.3), 0),
        )
        gap = pick(["", "，", ". "], np.where(told & (u[4] < 0.3), 1 + language, 0))
        get = self.vocabulary.gather
        return get(pl.Series(opening)) + get(pl.Series(body)) + gap + second + stop + get(pl.Series(closing))

    def _comments(
        self,
        number: int,
        rng: np.random.Generator,
        base: Table,
        created: np.ndarray,
        reply: np.ndarray,
        solve: np.ndarray,
        awake: np.ndarray,
        back: np.ndarray,
        answered: np.ndarray,
        reopened: np.ndarray,
        requester: np.ndarray,
        agent: np.ndarray,
        closer: np.ndarray,
        ordinary: np.ndarray,
    ) -> tuple[pl.DataFrame, pl.Series]:
        n = size(base)
        language = base["english"]
        description = self.descriptions(rng, base)
        zero = np.zeros(n, dtype=np.int64)
        get = self.vocabulary.gather

        def words_of(name: str) -> pl.Series:
            return get(pl.Series(self.book.choose([name], zero, language, rng.random(n))))

        voice = base["channel"] == VOICE
        first_reply = words_of("reply")
        promise = words_of("promise")
        first_reply = pl.select(
            pl.when(pl.lit(pl.Series(base["promise"])))
            .then(pl.lit(first_reply) + pl.lit(promise))
            .otherwise(pl.lit(first_reply))
        ).to_series()
        acknowledged = ordinary & np.isin(base["channel"], [EMAIL, WEB])
        bots = ordinary & np.isin(base["channel"], [CHAT, NATIVE, WECHAT])
        closes = ordinary & (solve - reply > 1800)
        noted = ordinary & (rng.random(n) < 0.3)
        ack = pick(list(words.ACKNOWLEDGEMENT), language)
        submitter = np.where(voice | (base["channel"] == HALL), agent, requester)
        pieces = [
            (np.ones(n, dtype=bool), created, submitter, True, description, 0),
            (acknowledged, created + 3, np.full(n, SYSTEM), True, ack, 1),
            (bots, created + 4, np.full(n, BOT), True, ack, 2),
            (ordinary, reply, agent, True, first_reply, 3),
            (noted, reply + 45, agent, False, words_of("note"), 4),
            (answered, awake, requester, True, words_of("follow"), 5),
            (closes, solve, closer, True, words_of("reply"), 6),
            (reopened, back, requester, True, words_of("follow"), 7),
        ]
        frames = []
        for mask, at, who, public, body, slot in pieces:
            rows = np.flatnonzero(mask)
            picked = pl.Series(rows)
            frames.append(
                pl.DataFrame(
                    {
                        "id": pl.Series(base["ticket"][rows] * 10 + slot).cast(pl.String),
                        "ticket_id": pl.Series(base["ticket"][rows]).cast(pl.String),
                        "user_id": pl.Series(who[rows]).cast(pl.String),
                        "created": stamps(at[rows]),
                        "public": ["TRUE" if public else "FALSE"] * len(rows),
                        "body": body.gather(picked),
                        "voice_comment": pick(["FALSE", "TRUE"], (voice[rows] & (slot == 0)).astype(np.int64)),
                        "_day": ((at[rows] - self.plan.epoch) // DAY).astype(np.int32),
                        "_t": at[rows],
                    }
                )
            )
        comments = pl.concat(frames).sort("_t", "id").drop("_t")
        return comments, description

    # -- chats ------------------------------------------------------------------------------------------------------

    def _chats(self, customers: Customers, roster: Roster, number: int, contacts: Table) -> pl.DataFrame:
        plan = self.plan
        rng = plan.rng("chats", number)
        rows = np.flatnonzero(np.isin(contacts["channel"], [CHAT, NATIVE, WECHAT]))
        chosen = take(contacts, rows)
        chosen["human"] = np.ones(size(chosen), dtype=bool)
        count = int(size(chosen) * 0.75)
        extra = take(
            chosen, rng.integers(0, max(size(chosen), 1), count) if size(chosen) else np.zeros(0, dtype=np.int64)
        )
        extra["t"] = (
            plan.epoch
            + rng.integers(*plan.month_days(number), size(extra)) * DAY
            + (np.clip(rng.normal(14.5, 4, size(extra)), 0, 23.9) * 3600).astype(np.int64)
        )
        extra["human"] = np.zeros(size(extra), dtype=bool)
        extra["ticket"] = np.zeros(size(extra), dtype=np.int64)
        table = stack([chosen, extra])
        table = take(table, np.argsort(table["t"], kind="stable"))
        n = size(table)
        second = (table["t"] - plan.epoch) % DAY
        open_now = (second > 8 * 3600) & (second < 22 * 3600)
        human = table["human"] & open_now & (rng.random(n) < 0.955)
        wait = np.clip(rng.lognormal(3.9, 0.8, n) * np.where(table["bad"], 1.9, 1.0), 8, 3600).astype(np.int64)
        visitor, agent_count, bot = (
            rng.integers(2, 12, n),
            np.where(human, rng.integers(2, 11, n), 0),
            np.where((table["channel"] == WECHAT) | ~human | (rng.random(n) < 0.6), rng.integers(1, 5, n), 0),
        )
        length = np.where(human, wait + rng.integers(120, 1500, n), rng.integers(20, 260, n))
        agent, _ = self.agents_of(roster, rng, table["city"] // 4, (table["t"] - plan.epoch) // DAY)
        user = self.requesters(customers, table["cust"], table["channel"], table["id"])
        texts = customers.frame().select("name", "mobile", "email")[table["cust"]]
        rated = human & (rng.random(n) < 0.2)
        return pl.DataFrame(
            {
                "id": (
                    str(2500 + number)
                    + "."
                    + pl.Series(np.arange(n) + 1).cast(pl.String)
                    + "."
                    + pl.Series(table["t"] % 1_000_003).cast(pl.String)
                )
                if n
                else pl.Series([], dtype=pl.String),
                "ticket_id": pl.Series(table["ticket"]).cast(pl.String).set(pl.Series(table["ticket"] == 0), None),
                "visitor_id": pl.Series(user).cast(pl.String),
                "visitor_name": texts["name"],
                "visitor_email": texts["email"]
                .str.to_uppercase()
                .zip_with(pl.Series(table["cust"] % 4 == 0), texts["email"]),
                "visitor_phone": texts["mobile"].zip_with(
                    pl.Series(table["channel"] == NATIVE), pl.Series([None] * n, dtype=pl.String)
                ),
                "channel": pick(
                    ["wechat", "app", "web_chat"],
                    np.select([table["channel"] == WECHAT, table["channel"] == NATIVE], [0, 1], 2),
                ),
                "department_name": pick(words.CITY_CODES, table["city"]),
                "timestamp": stamps(table["t"]),
                "end_timestamp": stamps(table["t"] + length),
                "response_time_first": pl.Series(wait).cast(pl.String).set(pl.Series(~human), None),
                "count_visitor": pl.Series(visitor).cast(pl.String),
                "count_agent": pl.Series(agent_count).cast(pl.String),
                "count_bot": pl.Series(bot).cast(pl.String),
                "agent_ids": pl.Series(AGENT_USERS + agent).cast(pl.String).set(pl.Series(~human), None),
                "missed": pick(["FALSE", "TRUE"], (table["human"] & ~human).astype(np.int64)),
                "rating": pick(
                    ["good", "bad"], np.where(rated, np.where(table["resolved"] & (rng.random(n) < 0.85), 0, 1), -1)
                ),
                "tags": pick(["", "bot_deflected"], (~table["human"]).astype(np.int64)),
                "_day": ((table["t"] - plan.epoch) // DAY).astype(np.int32),
            }
        )

    # -- users ------------------------------------------------------------------------------------------------------

    def _users(
        self, customers: Customers, number: int, cust: np.ndarray, channel: np.ndarray, mark: np.ndarray, t: np.ndarray
    ) -> tuple[pl.DataFrame, Table]:
        """Rows of people whom the desk meets for the first time."""
        plan, facts = self.plan, customers.facts
        grow = customers.count - len(self.met)
        if grow:
            self.met = np.concatenate([self.met, np.zeros(grow, dtype=bool)])
            self.met_twice = np.concatenate([self.met_twice, np.zeros(grow, dtype=bool)])
            self.met_contacts = np.concatenate([self.met_contacts, np.zeros((grow, 5), dtype=bool)])
        order = np.argsort(t, kind="stable")
        cust, channel, mark, t = cust[order], channel[order], mark[order], t[order]
        firm = facts["kind"][cust] == ENTERPRISE
        twice = facts["desk_twice"][cust] & np.isin(channel, [EMAIL, WEB]) & facts["has_email"][cust]
        slot = np.where(firm, 10 + mark % np.maximum(facts["contacts_known"][cust], 1), np.where(twice, 1, 0))
        _unique, first = np.unique(cust * 100 + slot, return_index=True)
        who, slot, at = cust[first], slot[first], t[first]
        number_in = (slot - 10).clip(0)
        old = np.where(
            slot >= 10, self.met_contacts[who, number_in], np.where(slot == 1, self.met_twice[who], self.met[who])
        )
        fresh = np.flatnonzero(~old)
        who, slot, at, number_in = who[fresh], slot[fresh], at[fresh], number_in[fresh]
        order = np.argsort(at, kind="stable")
        who, slot, at, number_in = who[order], slot[order], at[order], number_in[order]
        self.met_contacts[who[slot >= 10], number_in[slot >= 10]] = True
        self.met_twice[who[slot == 1]] = True
        self.met[who[slot == 0]] = True
        n = len(who)
        texts = customers.frame()[who]
        mix = (who * 4 + number_in) * 2_654_435_761 % 4_294_967_291
        s, g, h = mix % len(words.SURNAMES), mix // 71 % len(words.GIVEN), mix // 7001 % len(words.GIVEN)
        contact_name = (
            pick([x[0] for x in words.SURNAMES], s)
            + pick([x[0] for x in words.GIVEN], g)
            + pick([x[0] for x in words.GIVEN], h)
        )
        contact_mail = (
            pick([x[1].lower() for x in words.SURNAMES], s)
            + "."
            + pick([x[1].lower() for x in words.GIVEN], g)
            + pl.Series(number_in).cast(pl.String)
            + "@"
            + texts["web_domain"].fill_null("example.com")
        )
        contact_mobile = "166" + pl.Series(mix % 90_000_000 + 10_000_000).cast(pl.String)
        style = facts["style"][who]
        is_contact, is_second = slot >= 10, slot == 1
        user = (
            np.where(
                is_contact,
                9_200_000_000 + who * 10 + number_in,
                texts["user_id"].to_numpy() + np.where(is_second, 100_000_000, 0),
            )
            if n
            else np.zeros(0, dtype=np.int64)
        )
        frame = texts.with_columns(
            contact=pl.Series(is_contact),
            second=pl.Series(is_second),
            style=pl.Series(style),
            uid=pl.Series(user),
            cname=contact_name,
            cmail=contact_mail,
            cmobile=contact_mobile,
            at=pl.Series(at),
            external=pl.Series(facts["external_known"][who] & (slot == 0)),
            mixed=pl.Series(who % 5 == 0),
            latin=pl.Series(who % 9 == 0),
            mail_too=pl.Series((who * 31 % 10) < 7),
            front=pl.Series(mix % 5 < 3),
        ).select(
            pl.col("uid").cast(pl.String).alias("id"),
            pl.when(pl.col("external")).then(pl.col("crm_no")).alias("external_id"),
            pl.from_epoch("at", time_unit="s").dt.strftime("%Y-%m-%dT%H:%M:%SZ").alias("created_at"),
            pl.from_epoch("at", time_unit="s").dt.strftime("%Y-%m-%dT%H:%M:%SZ").alias("updated_at"),
            pl.when(pl.col("contact"))
            .then(pl.col("cname"))
            .when(pl.col("latin"))
            .then(pl.col("name_other"))
            .otherwise(pl.col("name"))
            .alias("name"),
            pl.when(pl.col("contact"))
            .then(pl.col("cmail"))
            .when(pl.col("second") | pl.col("mail_too"))
            .then(pl.when(pl.col("mixed")).then(pl.col("email").str.to_uppercase()).otherwise(pl.col("email")))
            .alias("email"),
            pl.when(pl.col("contact") & pl.col("front"))
            .then(pl.col("landline"))
            .when(pl.col("contact"))
            .then(pl.col("cmobile"))
            .when(~pl.col("second"))
            .then(phone_style(pl.col("mobile"), pl.col("style")))
            .alias("phone"),
            pl.lit("end-user").alias("role"),
            pl.when(pl.col("contact")).then((8_000_000_000 + pl.col("cust")).cast(pl.String)).alias("organization_id"),
            pl.lit(None, dtype=pl.String).alias("default_group_id"),
            pl.when(pl.col("english") == 1).then(pl.lit("en-US")).otherwise(pl.lit("zh-CN")).alias("locale"),
            pl.lit("Beijing").alias("time_zone"),
            pl.lit("TRUE").alias("active"),
            pl.lit("FALSE").alias("suspended"),
            pl.when(pl.col("kind") == HOUSEHOLD).then(pl.lit("household")).otherwise(pl.lit("")).alias("tags"),
            pl.lit(None, dtype=pl.String).alias("notes"),
            ((pl.col("at") - plan.epoch) // DAY).cast(pl.Int32).alias("_day"),
        )
        return frame, {"cust": who, "slot": slot, "user": user, "t": at}

    def agent_users(self, careers: Table, month: int) -> pl.DataFrame:
        """Agents as users: those new in a month, and those who left in it.

        Who left becomes an end user, yet what they wrote was an agent's.
        """
        plan = self.plan
        first, _ = plan.month_days(month)
        joined = (careers["from_month"] <= 0) if month == 0 else (careers["from_month"] == month)
        left = (careers["to_month"] == month) & (month > 0)
        names = agent_names(plan, careers["number"])
        frames = []
        for mask, gone in ((joined, False), (left, True)):
            rows = np.flatnonzero(mask)
            if not len(rows):
                continue
            at = plan.epoch + first * DAY + 3600 * 7 + rows % 3000
            start = (
                plan.epoch
                + np.array([plan.month_first_day(int(m)) for m in careers["from_month"][rows]]) * DAY
                + 3600 * 7
            )
            team = team_of(careers["queue"][rows], careers["position"][rows])
            number = pl.Series(careers["number"][rows])
            frames.append(
                pl.DataFrame(
                    {
                        "id": (AGENT_USERS + number).cast(pl.String),
                        "external_id": "A" + number.cast(pl.String).str.zfill(5),
                        "created_at": stamps(start),
                        "updated_at": stamps(at),
                        "name": names.gather(pl.Series(rows)),
                        "email": "a" + number.cast(pl.String).str.zfill(5) + "@xingdu.example.com",
                        "phone": pl.Series([None] * len(rows), dtype=pl.String),
                        "role": ["end-user" if gone else "agent"] * len(rows),
                        "organization_id": pl.Series([None] * len(rows), dtype=pl.String),
                        "default_group_id": pl.Series(360_000_000 + team).cast(pl.String),
                        "locale": ["zh-CN"] * len(rows),
                        "time_zone": ["Beijing"] * len(rows),
                        "active": ["FALSE" if gone else "TRUE"] * len(rows),
                        "suspended": ["FALSE"] * len(rows),
                        "tags": [""] * len(rows),
                        "notes": pl.Series([None] * len(rows), dtype=pl.String),
                        "_day": np.full(len(rows), first, dtype=np.int32),
                    }
                )
            )
        if month == 0:
            began = stamps(np.array([plan.epoch]))
            blank = pl.Series([None], dtype=pl.String)
            frames.append(
                pl.DataFrame(
                    {
                        "id": [str(BOT)],
                        "external_id": blank,
                        "created_at": began,
                        "updated_at": began,
                        "name": ["星小渡 Bot"],
                        "email": ["bot@xingdu.example.com"],
                        "phone": blank,
                        "role": ["agent"],
                        "organization_id": blank,
                        "default_group_id": blank,
                        "locale": ["zh-CN"],
                        "time_zone": ["Beijing"],
                        "active": ["TRUE"],
                        "suspended": ["FALSE"],
                        "tags": ["bot"],
                        "notes": blank,
                        "_day": np.array([first], dtype=np.int32),
                    }
                )
            )
        return pl.concat(frames) if frames else pl.DataFrame()

    def organizations(self, customers: Customers, month: int, joined: tuple[int, int]) -> pl.DataFrame:
        plan = self.plan
        first, _ = plan.month_days(month)
        rows = np.arange(*joined)
        rows = rows[customers.facts["kind"][rows] == ENTERPRISE]
        day = np.maximum(customers.facts["since"][rows], first)
        texts = customers.frame()[rows]
        at = stamps(plan.epoch + day * DAY + 36_000)
        n = len(rows)
        return pl.DataFrame(
            {
                "id": pl.Series(8_000_000_000 + rows).cast(pl.String),
                "external_id": texts["crm_no"].zip_with(
                    pl.Series(rows % 5 < 4), pl.Series([None] * n, dtype=pl.String)
                ),
                "name": texts["name"],
                "domain_names": texts["web_domain"],
                "details": pl.Series([None] * n, dtype=pl.String),
                "notes": pl.Series([None] * n, dtype=pl.String),
                "group_id": pl.Series([str(360_000_000 + 24)] * n, dtype=pl.String),
                "shared_tickets": pl.Series(["FALSE"] * n, dtype=pl.String),
                "created_at": at,
                "updated_at": at,
                "_day": day.astype(np.int32),
            }
        )

    def groups(self) -> pl.DataFrame:
        n = len(words.TEAM_CODES)
        at = stamps(np.full(n, self.plan.epoch - 400 * DAY))
        names = [f"{zh}一班" for zh in words.CITY_ZH] + ["总部政企班", "总部投诉班"]
        return pl.DataFrame(
            {
                "id": [str(360_000_000 + k) for k in range(n)],
                "name": names,
                "description": words.TEAM_CODES,
                "deleted": ["FALSE"] * n,
                "created_at": at,
                "updated_at": at,
                "_day": np.zeros(n, dtype=np.int32),
            }
        )
