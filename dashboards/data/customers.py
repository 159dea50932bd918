"""The history file of one customer: everything that happened, and what the next agent should know first.

Belongs here: reading the facts of one customer key from a snapshot, in order, and the sentences that follow from them by rule.
Does not belong here: names and telephone numbers (no snapshot has them) and how a file looks (pages, the command line).

A part whose table a snapshot does not have (no source supplies it, or an earlier program built it) is named as missing; it is
never taken for "nothing happened".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from dashboards.data.snapshot import Snapshot
from dashboards.i18n import Translator

SHORTEST_PREFIX = 6
"""Characters of a key that must be given; fewer would find strangers."""

RECENT_DAYS = 90
YEAR_DAYS = 365


class CustomerError(ValueError):
    """No such customer, or more than one; the message says what was looked for and what to do.

    Attributes:
        problem: unknown_id, unknown_key, malformed, several or unknown_part; its words are `customer.problem.<problem>`.
    """

    def __init__(self, message: str, problem: str) -> None:
        super().__init__(message)
        self.problem = problem


@dataclass(frozen=True)
class Part:
    """One kind of entry of the history.

    Attributes:
        name: the part's code; its words are `customer.part.<name>`.
        tables: tables of the snapshot that it reads.
        sql: one row an entry of the customer `$key`: happened_at (UTC; midnight where only the day is known), is_day, entry_kind, source,
            record_id, channel, org_unit_id, product_line, subject and state (codes with their dimension), amount, currency, score,
            seconds, is_open.
    """

    name: str
    tables: tuple[str, ...]
    sql: str


def _entry(
    part: str, table: str, at: str, *, where: str = "", is_day: bool = False, joins: str = "", **columns: str
) -> str:
    """A query of `Part.sql` in which only what differs has to be named."""
    given = {
        "source": "f.source", "record_id": "null", "channel": "null", "org_unit_id": "f.org_unit_id", "product_line": "null",
        "subject_dimension": "null", "subject": "null", "state_dimension": "null", "state": "null", "amount": "null", "currency": "null",
        "score": "null", "seconds": "null", "is_open": "false", "entry_kind": f"'{part}'",
    } | columns  # fmt: skip
    types = {"amount": "decimal(18, 2)", "score": "double", "seconds": "bigint", "is_open": "boolean"}
    listed = ", ".join(f"cast({text} as {types.get(name, 'varchar')}) as {name}" for name, text in given.items())
    condition = f" and {where}" if where else ""
    return (
        f"select '{part}' as part, cast({at} as timestamp) as happened_at, {str(is_day).lower()} as is_day, {listed}"
        f" from {table} as f {joins} where f.customer_key = $key and {at} is not null{condition}"
    )


PARTS = (
    Part("tickets", ("fct_tickets",), _entry(
        "tickets", "fct_tickets", "f.created_at", where="f.exclusion_kind is null", record_id="f.ticket_id", channel="f.channel",
        product_line="f.product_line", entry_kind="f.ticket_kind", subject_dimension="'topic'", subject="f.topic",
        state_dimension="'ticket_status'", state="f.lifecycle_status", seconds="f.full_resolution_seconds", is_open="not f.is_solved",
    )),
    Part("calls", ("fct_calls",), _entry(
        "calls", "fct_calls", "f.started_at", where="f.is_in_base", record_id="f.call_id", channel="f.channel", product_line="f.product_line",
        entry_kind="'call'", subject_dimension="'queue'", subject="f.queue", state_dimension="'disposition'", state="f.disposition",
        seconds="f.wait_seconds",
    )),
    Part("messages", ("fct_messages",), _entry(
        "messages", "fct_messages", "f.started_at", record_id="f.message_session_id", channel="f.channel", entry_kind="'message'",
        state_dimension="'handled_by'", state="f.handled_by", seconds="f.first_human_reply_seconds",
    )),
    Part("surveys", ("fct_survey_responses", "fct_survey_answers"), _entry(
        "surveys", "fct_survey_responses", "f.responded_at", record_id="f.response_id", channel="f.channel", product_line="f.product_line",
        subject_dimension="'survey_kind'", subject="f.survey_kind", entry_kind="'survey'", score="a.score",
        state_dimension="case when a.role is not null then 'measure' end", state="a.role",
        joins="left join (select source, response_id, arg_min(answer_value, rank) as score, arg_min(role, rank) as role from"
        " (select source, response_id, answer_value, case when is_csat then 1 when is_nps then 2 else 3 end as rank,"
        " case when is_csat then 'csat' when is_nps then 'nps' else 'ces' end as role from fct_survey_answers"
        " where customer_key = $key and (is_csat or is_nps or is_ces)) group by source, response_id) as a"
        " on f.source = a.source and f.response_id = a.response_id",
    )),
    Part("money", ("fct_transactions",), " union all ".join((
        _entry(
            "money", "(select any_value(source) as source, customer_key, date_trunc('month', occurred_on) as billed_month, currency,"
            " sum(amount) as amount, max(org_unit_id) as org_unit_id from fct_transactions where customer_key = $key and"
            " transaction_kind = 'charge' group by customer_key, billed_month, currency)", "f.billed_month", is_day=True, entry_kind="'charges'",
            amount="f.amount", currency="f.currency",
        ),
        _entry(
            "money", "fct_transactions", "f.occurred_at", where="f.transaction_kind in ('order', 'return', 'loan')", record_id="f.transaction_id",
            product_line="f.product_line", entry_kind="f.transaction_kind", amount="f.amount", currency="f.currency",
        ),
    ))),
    Part("contracts", ("fct_subscriptions",), " union all ".join((
        _entry(
            "contracts", "fct_subscriptions", "f.started_on", is_day=True, record_id="f.subscription_id", product_line="f.product_line",
            entry_kind="'contract_started'", amount="f.monthly_fee", currency="f.currency",
        ),
        _entry(
            "contracts", "fct_subscriptions", "f.ended_on", is_day=True, record_id="f.subscription_id", product_line="f.product_line",
            entry_kind="'contract_ended'", state_dimension="'end_reason'", state="f.end_reason", amount="f.monthly_fee", currency="f.currency",
        ),
    ))),
    Part("actions", ("fct_customer_actions",), _entry(
        "actions", "fct_customer_actions", "f.occurred_at", where="not f.is_control", record_id="f.action_id", entry_kind="f.action_kind",
        state_dimension="'result'", state="f.result", amount="f.cost_amount",
    )),
    Part("promises", ("fct_ticket_slas",), _entry(
        "promises", "fct_ticket_slas", "f.due_at", where="(f.is_breached or f.is_running) and f.is_in_base", record_id="f.ticket_id",
        channel="f.channel", product_line="f.product_line", entry_kind="'promise'", subject_dimension="'sla_metric'", subject="f.sla_metric",
        state_dimension="'promise_state'", state="f.sla_state", is_open="f.is_running",
    )),
    Part("tiers", ("fct_customer_tiers",), _entry(
        "tiers", "fct_customer_tiers", "f.valid_from", where="f.is_default_scheme", is_day=True, source="null", entry_kind="'tier'",
        subject_dimension="'customer_tier'", subject="f.grade", state_dimension="'tier_reason'", state="f.tier_reason", amount="f.value_amount",
    )),
    Part("warnings", ("fct_early_warnings",), _entry(
        "warnings", "fct_early_warnings", "f.seen_at", source="f.evidence_source", record_id="f.evidence_id", entry_kind="'warning'",
        subject_dimension="'signal'", subject="f.signal",
    )),
    Part("departures", ("fct_churn_events",), _entry(
        "departures", "fct_churn_events", "f.left_on", is_day=True, record_id="f.subscription_id", product_line="f.product_line",
        entry_kind="'departure'", state_dimension="'churn_type'", state="f.churn_type", amount="f.monthly_fee",
    )),
)  # fmt: skip
"""What a history is made of, as far as the snapshot has it."""


@dataclass(frozen=True)
class CustomerFile:
    """The history file of one customer.

    Attributes:
        customer_key: pseudonymous key.
        profile: kind, region, unit, language, customer since, sources that know the customer.
        as_of: last day of the data.
        summary: facts for the next agent, by name; None = the snapshot cannot say.
        entries: what happened, newest first (`Part.sql` names the fields).
        total: entries in all, before `limit`.
        missing: parts that the snapshot has no table for.
    """

    customer_key: str
    profile: dict[str, Any]
    as_of: date
    summary: dict[str, Any]
    entries: list[dict[str, Any]]
    total: int
    missing: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Everything, for a machine."""
        return asdict(self)


def _tables(snapshot: Snapshot) -> frozenset[str]:
    return snapshot.once(
        "tables of main",
        lambda: frozenset(
            row["table_name"]
            for row in snapshot.rows("select table_name from information_schema.tables where table_schema = 'main'")
        ),
    )


def _rows(snapshot: Snapshot, sql: str, **parameters: object) -> list[dict[str, Any]]:
    return snapshot.rows(sql, {name: value for name, value in parameters.items() if f"${name}" in sql})


def find_customer(snapshot: Snapshot, wanted: str) -> str:
    """The customer key meant by a key, by its beginning (`SHORTEST_PREFIX` characters or more), or by `source:id in that source`.

    Raises:
        CustomerError: nobody or several are meant.
        NotAllowed: the viewer has no right to personal data.
    """
    snapshot.viewer.require_personal()
    text = wanted.strip()
    source, colon, customer_id = text.partition(":")
    if colon:
        found = [
            row["customer_key"]
            for row in _rows(
                snapshot,
                "select customer_key from dim_customer_links where source = $source and customer_id = $id",
                source=source,
                id=customer_id,
            )
        ]
        if not found:
            raise CustomerError(
                f"{source} has no customer {customer_id!r}. Write the id as that source has it (crm:K0000114).",
                "unknown_id",
            )
    else:
        if len(text) < SHORTEST_PREFIX or not all(character in "0123456789abcdef" for character in text):
            raise CustomerError(
                f"{wanted!r} is neither a customer key (or its first {SHORTEST_PREFIX} characters or more) nor source:id, as in crm:K0000114.",
                "malformed",
            )
        found = [
            row["customer_key"]
            for row in _rows(
                snapshot,
                "select customer_key from dim_customers where starts_with(customer_key, $key) order by 1 limit 6",
                key=text,
            )
        ]
        if not found:
            raise CustomerError(
                f"no customer has a key that begins with {text}. Merged customers go under the oldest key of their group.",
                "unknown_key",
            )
    if len(set(found)) > 1:
        raise CustomerError(
            f"{wanted!r} fits {len(found)} customers ({', '.join(sorted(found)[:5])}); give more of the key.",
            "several",
        )
    return str(found[0])


def _summary(snapshot: Snapshot, key: str, as_of: date) -> dict[str, Any]:
    """Facts for the next agent. A fact whose table is not there is None; counts of what is there begin at 0."""
    there = _tables(snapshot)
    recent, year = as_of - timedelta(days=RECENT_DAYS - 1), as_of - timedelta(days=YEAR_DAYS - 1)
    facts: dict[str, Any] = {}
    queries = {
        "fct_contacts": "select count(*) filter (where started_on >= $recent) as contacts_recent, count(*) filter (where started_on >= $year) as"
        " contacts_year, max(started_at) as last_contact_at, arg_max(channel, started_at) as last_contact_channel,"
        " arg_max(topic, started_at) as last_contact_topic from fct_contacts where customer_key = $key and started_on <= $until",
        "fct_tickets": "select count(*) filter (where not is_solved) as open_tickets, min(created_at) filter (where not is_solved) as"
        " oldest_open_ticket_at, count(*) filter (where is_complaint and created_on >= $year) as complaints_year,"
        " max(created_at) filter (where is_complaint) as last_complaint_at, arg_max(is_solved, created_at) filter (where is_complaint) as"
        " is_last_complaint_solved, sum(reopen_count) filter (where created_on >= $year) as reopenings_year"
        " from fct_tickets where customer_key = $key and exclusion_kind is null",
        "fct_ticket_slas": "select count(*) filter (where is_running) as promises_running, min(due_at) filter (where is_running) as next_promise_due_at,"
        " count(*) filter (where is_breached and applied_on >= $year) as promises_broken_year from fct_ticket_slas"
        " where customer_key = $key and is_in_base",
        "fct_survey_answers": "select arg_max(answer_value, responded_at) filter (where is_csat) as last_csat, arg_max(scale_max, responded_at) filter"
        " (where is_csat) as last_csat_of, max(responded_at) filter (where is_csat) as last_csat_at, arg_max(is_csat_dissatisfied, responded_at)"
        " filter (where is_csat) as is_last_csat_unhappy, arg_max(answer_value, responded_at) filter (where is_nps) as last_nps,"
        " max(responded_at) filter (where is_nps) as last_nps_at from fct_survey_answers where customer_key = $key",
        "fct_subscriptions": "select count(*) filter (where ended_on is null or ended_on > $until) as contracts_running, sum(monthly_fee) filter"
        " (where ended_on is null or ended_on > $until) as monthly_fee, any_value(currency) as currency, list_sort(list_distinct(list(product_line)"
        " filter (where ended_on is null or ended_on > $until))) as products, max(ended_on) filter (where ended_on <= $until) as last_ended_on"
        " from fct_subscriptions where customer_key = $key and started_on <= $until",
        "fct_transactions": "select sum(amount) filter (where is_billed and occurred_on >= $year) as billed_year, any_value(currency) as billed_currency, sum(amount) filter"
        " (where transaction_kind = 'charge' and paid_on is null and due_on < $until) as overdue_amount, min(due_on) filter"
        " (where transaction_kind = 'charge' and paid_on is null and due_on < $until) as overdue_since from fct_transactions where customer_key = $key",
        "fct_customer_tiers": "select arg_max(grade, valid_from) as tier, max(valid_from) as tier_since from fct_customer_tiers"
        " where customer_key = $key and is_default_scheme and is_current",
        "fct_early_warnings": "select list_sort(list_distinct(list(signal))) as warnings_recent from fct_early_warnings"
        " where customer_key = $key and seen_on >= $recent",
        "fct_customer_risk": "select any_value(churn_probability) as churn_probability, any_value(risk_band) as risk_band, any_value(reason_1) as"
        " risk_reason, any_value(value_at_risk) as value_at_risk from fct_customer_risk where customer_key = $key",
        "fct_silent_complaints": "select count(*) as silent_complaints_year from fct_silent_complaints where customer_key = $key and silent_on >= $year",
    }  # fmt: skip
    for table, sql in queries.items():
        if table in there:
            (row,) = _rows(snapshot, sql, key=key, recent=recent, year=year, until=as_of)
            facts |= row
    return facts


def customer_entries(
    snapshot: Snapshot,
    key: str,
    *,
    limit: int = 50,
    since: date | None = None,
    parts: Sequence[str] | None = None,
    only_open: bool = False,
) -> tuple[list[dict[str, Any]], int]:
    """What happened to a customer, newest first (`Part.sql` names the fields), and how many entries there are in all.

    Args:
        key: a customer key (`find_customer`).
        limit: entries at most, the newest.
        since: no entries before this day.
        parts: names of `PARTS` to show; default: all.
        only_open: entries that are still open, no others.
    """
    readable = [part for part in _chosen(parts) if _tables(snapshot).issuperset(part.tables)]
    if not readable:
        return [], 0
    union = " union all ".join(f"({part.sql})" for part in readable)
    counted = (
        f"select *, count(*) over () as total from ({union}) where happened_at >= $since and (is_open or not $only_open)"
        " order by happened_at desc, part, record_id limit $limit"
    )
    start = datetime.combine(since, datetime.min.time()) if since else datetime.min
    entries = _rows(snapshot, counted, key=key, since=start, limit=limit, only_open=only_open)
    total = entries[0]["total"] if entries else 0
    for entry in entries:
        del entry["total"]
    return entries, total


def _chosen(parts: Sequence[str] | None) -> list[Part]:
    return [part for part in PARTS if not parts or part.name in parts]


def customer_file(
    snapshot: Snapshot, key: str, *, limit: int = 50, since: date | None = None, parts: Sequence[str] | None = None
) -> CustomerFile:
    """The history file of a customer.

    Args:
        key: a customer key (`find_customer`).
        limit: entries at most, the newest; the summary counts all the same.
        since: no entries before this day.
        parts: names of `PARTS` to show; default: all.

    Raises:
        CustomerError: no such key, or an unknown part.
        NotAllowed: the viewer has no right to personal data.
    """
    snapshot.viewer.require_personal()
    unknown = sorted(set(parts or ()) - {part.name for part in PARTS})
    if unknown:
        raise CustomerError(
            f"no part is called {', '.join(unknown)}; there are {', '.join(part.name for part in PARTS)}.",
            "unknown_part",
        )
    profiles = _rows(snapshot, "select * from dim_customers where customer_key = $key", key=key)
    if not profiles:
        raise CustomerError(f"no customer has the key {key}.", "unknown_key")
    snapshot.note("customer opened", customer_key=key)
    (facts,) = snapshot.rows("select coalesce(data_until, cast(built_at as date)) as as_of from meta.snapshot")
    there = _tables(snapshot)
    entries, total = customer_entries(snapshot, key, limit=limit, since=since, parts=parts)
    profile = {
        name: profiles[0].get(name)
        for name in ("customer_kind", "region", "org_unit_id", "industry", "language", "customer_since", "member_count", "source_count", "is_gone")
    }  # fmt: skip
    return CustomerFile(
        key, profile, facts["as_of"], _summary(snapshot, key, facts["as_of"]), entries, total,
        tuple(part.name for part in _chosen(parts) if not there.issuperset(part.tables)),
    )  # fmt: skip


class Words:
    """Codes of the data in one language, from the snapshot's `meta.values`."""

    def __init__(self, snapshot: Snapshot, t: Translator) -> None:
        self._t = t
        self._known: dict[tuple[str, str], dict[str, Any]] = snapshot.once(
            "words of values",
            lambda: {
                (row["dimension"], row["value"]): row
                for row in snapshot.rows(
                    "select dimension, value, label_en, label_zh from meta.values union all by name"
                    " select 'org_unit_id' as dimension, org_unit_id as value, unit_name_en as label_en, unit_name as label_zh from dim_org_units"
                )
            },
        )

    def __call__(self, dimension: str | None, value: str | None) -> str:
        """The label of a value; the code itself where nobody gave it one."""
        if value is None:
            return self._t("customer.unknown")
        row = self._known.get((dimension or "", value))
        if row is None and value == "unknown":
            return self._t("customer.unknown")
        return value if row is None else self._t.label(row["label_en"], row["label_zh"], value)


def sentences(file: CustomerFile, words: Words, t: Translator) -> list[str]:
    """What the next agent should know, most urgent first: each sentence states facts of `file.summary`, none is inferred."""
    s = file.summary
    said: list[str] = []

    def ago(at: datetime | date | None) -> str:
        day = at.date() if isinstance(at, datetime) else at
        return t("customer.days_ago", days=t.integer((file.as_of - day).days)) if day else ""

    if s.get("open_tickets"):
        said.append(
            t(
                "customer.says.open_tickets",
                count=t.integer(s["open_tickets"]),
                since=t.date(s["oldest_open_ticket_at"].date()),
            )
        )
    if s.get("promises_running"):
        said.append(
            t(
                "customer.says.promises_running",
                count=t.integer(s["promises_running"]),
                due=t.moment(s["next_promise_due_at"]),
            )
        )
    if s.get("promises_broken_year"):
        said.append(t("customer.says.promises_broken", count=t.integer(s["promises_broken_year"])))
    if s.get("complaints_year"):
        solved = "customer.says.complaint_solved" if s["is_last_complaint_solved"] else "customer.says.complaint_open"
        said.append(t(solved, count=t.integer(s["complaints_year"]), last=t.date(s["last_complaint_at"].date())))
    if s.get("silent_complaints_year"):
        said.append(t("customer.says.silent_complaints", count=t.integer(s["silent_complaints_year"])))
    if s.get("warnings_recent"):
        named = t("customer.and").join(words("signal", signal) for signal in s["warnings_recent"])
        said.append(t("customer.says.warnings", days=str(RECENT_DAYS), signals=named))
    if s.get("churn_probability") is not None:
        said.append(
            t(
                "customer.says.risk", probability=t.percent(s["churn_probability"]), band=words("risk_band", s["risk_band"]),
                reason=words("risk_reason", s["risk_reason"]),
            )
        )  # fmt: skip
    if s.get("overdue_amount"):
        said.append(
            t("customer.says.overdue", amount=t.number(float(s["overdue_amount"]), 2), since=t.date(s["overdue_since"]))
        )
    if s.get("last_csat") is not None:
        key = "customer.says.csat_unhappy" if s["is_last_csat_unhappy"] else "customer.says.csat"
        said.append(
            t(
                key,
                score=t.number(s["last_csat"], 0),
                top=t.number(s["last_csat_of"], 0),
                day=t.date(s["last_csat_at"].date()),
            )
        )
    if s.get("last_nps") is not None:
        said.append(t("customer.says.nps", score=t.number(s["last_nps"], 0), day=t.date(s["last_nps_at"].date())))
    if "contacts_year" in s:
        if s["last_contact_at"] is None:
            said.append(t("customer.says.no_contact"))
        else:
            said.append(
                t(
                    "customer.says.contacts", recent=t.integer(s["contacts_recent"]), days=str(RECENT_DAYS), year=t.integer(s["contacts_year"]),
                    last=t.moment(s["last_contact_at"]), ago=ago(s["last_contact_at"]), channel=words("channel", s["last_contact_channel"]),
                )
            )  # fmt: skip
    if s.get("contracts_running"):
        said.append(
            t(
                "customer.says.contracts", count=t.integer(s["contracts_running"]),
                products=t("customer.and").join(words("product_line", line) for line in s["products"]),
                fee=t.number(float(s["monthly_fee"] or 0), 2), currency=s["currency"] or "",
            )
        )  # fmt: skip
    elif "contracts_running" in s:
        ended = s["last_ended_on"]
        said.append(t("customer.says.contract_ended", day=t.date(ended)) if ended else t("customer.says.no_contract"))
    if s.get("tier"):
        said.append(t("customer.says.tier", tier=words("customer_tier", s["tier"]), since=t.date(s["tier_since"])))
    if s.get("billed_year") is not None:
        said.append(
            t(
                "customer.says.billed",
                amount=t.number(float(s["billed_year"]), 2),
                currency=s.get("billed_currency") or "",
            )
        )
    return said


def entry_words(entry: dict[str, Any], words: Words, t: Translator) -> str:
    """One entry in one line."""
    kind = entry["entry_kind"]
    known = f"customer.entry.{kind}"
    pieces = [
        t(known)
        if t.has(known)
        else words({"tickets": "ticket_kind", "actions": "action_kind"}.get(entry["part"]), kind)
    ]
    if entry["subject"] and entry["subject"] != "unknown":
        pieces.append(words(entry["subject_dimension"], entry["subject"]))
    if entry["product_line"] and entry["product_line"] != "unknown":
        pieces.append(words("product_line", entry["product_line"]))
    if entry["channel"] and entry["channel"] != "unknown":
        pieces.append(words("channel", entry["channel"]))
    if entry["score"] is not None:
        measure = f"customer.measure.{entry['state']}"
        pieces.append(f"{t(measure)} {t.number(entry['score'], 0)}")
    elif entry["state"] and entry["state"] not in ("none", "unknown"):
        pieces.append(words(entry["state_dimension"], entry["state"]))
    if entry["amount"]:
        pieces.append(f"{t.number(float(entry['amount']), 2)} {entry['currency'] or ''}".strip())
    if entry["seconds"] is not None and entry["part"] in ("calls", "messages", "tickets"):
        pieces.append(t(f"customer.seconds.{entry['part']}", duration=t.duration(entry["seconds"])))
    return " · ".join(pieces)
