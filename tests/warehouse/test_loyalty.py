"""Loyalty, early warnings, silent complaints and stated retention at their edges, each case by hand, through every model and the snapshot.

The company has three product lines; its data end on 2025-12-31 with the fourth quarter.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import polars as pl
import pytest

from dashboards.data.metrics import Filters, metric_values
from dashboards.data.snapshot import open_snapshot
from orchestration.serving import build
from tests.warehouse.shop_project import ShopProject, make_shop_project, opened

pytestmark = pytest.mark.slow

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
END = date(2025, 12, 31)
COMPLAINED = datetime(2025, 3, 2, 2, tzinfo=UTC)
"""10 o'clock in Shanghai, when every complaint of a case that names no other time was made."""
ANSWER, FOLLOW_UP = timedelta(hours=72), timedelta(days=14)
QUESTIONS = [
    ("N1", "nps", "", 0, 10), ("N2", "other", "repurchase", 1, 5), ("N3", "other", "trust", 1, 5), ("S1", "csat", "", 1, 5), ("C1", "ces", "", 1, 5),
    ("S4", "other", "staff", 1, 5), ("P1", "rating", "price", 1, 5),
]  # fmt: skip


@dataclass(frozen=True)
class Contract:
    start: str
    end: str = ""
    months: int = 0
    product: str = "MOB"
    fee: str = "100,00"


@dataclass(frozen=True)
class Said:
    """One response: day (noon in Shanghai), typed answers by question, comment."""

    on: str
    typed: dict[str, str]
    comment: str = ""


@dataclass(frozen=True)
class Complaint:
    """One ticket and what was done about it; times after its creation."""

    replied: timedelta | None = None
    callback: timedelta | None = None
    result: str = "solved"
    about: bool = True
    topic: str = "other"
    kind: str = "complaint"
    excluded: str = ""
    at: datetime = COMPLAINED
    logged: bool = True
    weak: str = ""
    """Points of 20 for the attitude in a quality review on the day after."""
    fatal: bool = False


@dataclass(frozen=True)
class Customer:
    contracts: tuple[Contract, ...] = (Contract("2019-01-01"),)
    said: tuple[Said, ...] = ()
    charges: tuple[tuple[str, str], ...] = ()
    """Due and paid."""
    complaints: tuple[Complaint, ...] = ()
    since: str = "2019-01-01"


HIGH, LOW = {"N1": "9", "N2": "4", "N3": "5"}, {"N1": "5", "N2": "3", "N3": "2"}
FIRM: dict[str, Customer] = {
    "true": Customer(
        (Contract("2019-01-01", months=24), Contract("2025-02-01", months=24, product="BB")), (Said("2025-11-10", HIGH),),
        (("2025-01-15", "2025-01-14"), ("2025-04-15", "2025-04-15"), ("2025-07-15", "2025-07-16"), ("2025-10-15", "2025-10-10")),
    ),
    "latent": Customer((Contract("2025-09-01"),), (Said("2025-12-01", {"N1": "10", "N2": "5", "N3": "5"}),), since="2025-09-01"),
    "spurious": Customer(
        (Contract("2018-01-01", months=12), Contract("2018-01-01", months=12, product="FIX"), Contract("2025-06-01", months=12, product="BB")),
        (Said("2025-10-20", LOW),),
    ),
    "habit": Customer((Contract("2014-01-01"),), (Said("2025-10-20", {"N1": "3", "N2": "1", "N3": "1"}),)),
    "none": Customer((Contract("2025-03-01"),), (Said("2025-04-02", {"S1": "5"}), Said("2025-11-02", LOW)), since="2025-03-01"),
    "unknown": Customer(said=(Said("2025-11-02", {"N1": "10"}),)),
    "year_old": Customer(said=(Said("2024-12-31", HIGH),)),
    "too_old": Customer(said=(Said("2024-12-30", HIGH),)),
    "leaver": Customer((Contract("2023-01-01", "2025-08-15"),), (Said("2025-02-01", {"N2": "5"}),)),
    "early_leaver": Customer((Contract("2023-01-01", "2025-05-01"),), (Said("2025-03-01", {"N2": "2"}),)),
    "left_on_the_day": Customer((Contract("2023-01-01", "2025-05-30"),), (Said("2025-03-01", {"N2": "3"}),)),
    "potential": Customer((), since="2025-05-01"),
    "broken_term": Customer((Contract("2024-02-01", "2025-02-10", 12), Contract("2019-01-01", product="BB"))),
}  # fmt: skip

# What is seen on which day: signal, kind of evidence, item, value, pieces.
WARNINGS: dict[str, tuple[Customer, set[tuple[object, ...]]]] = {
    "csat_2": (Customer(said=(Said("2025-03-02", {"S1": "2"}),)), {("2025-03-02", "unhappy_service", "answer", "S1", 0.25, 1)}),
    "csat_3": (Customer(said=(Said("2025-03-02", {"S1": "3"}),)), set()),
    "trust_2": (Customer(said=(Said("2025-03-02", {"N3": "2"}),)), {("2025-03-02", "low_trust", "answer", "N3", 0.25, 1)}),
    "stay_1": (Customer(said=(Said("2025-03-02", {"N2": "1"}),)), {("2025-03-02", "no_benefit", "answer", "N2", 0.0, 1)}),
    "staff_1": (Customer(said=(Said("2025-03-02", {"S4": "1"}),)), {("2025-03-02", "no_kindness", "answer", "S4", 0.0, 1)}),
    "price_of_any_role": (Customer(said=(Said("2025-03-02", {"P1": "2"}),)), {("2025-03-02", "too_expensive", "answer", "P1", 0.25, 1)}),
    "blank": (Customer(said=(Said("2025-03-02", {"S1": "99", "N3": "11"}),)), set()),
    "twice_a_day": (Customer(said=(Said("2025-03-02", {"S1": "1"}), Said("2025-03-02", {"S1": "2"}))), {("2025-03-02", "unhappy_service", "answer", "S1", 0.0, 2)}),
    "the_strongest": (Customer(said=(Said("2025-03-02", {"S1": "2", "C1": "5"}),)), {("2025-03-02", "unhappy_service", "answer", "S1", 0.25, 2)}),
    "two_days": (
        Customer(said=(Said("2025-03-02", {"S1": "2"}), Said("2025-03-03", {"S1": "2"}))),
        {("2025-03-02", "unhappy_service", "answer", "S1", 0.25, 1), ("2025-03-03", "unhappy_service", "answer", "S1", 0.25, 1)},
    ),
    "two_signals": (
        Customer(said=(Said("2025-03-02", {"S1": "1", "N3": "1"}),)),
        {("2025-03-02", "unhappy_service", "answer", "S1", 0.0, 1), ("2025-03-02", "low_trust", "answer", "N3", 0.0, 1)},
    ),
    "blame": (
        Customer(said=(Said("2025-03-02", {"S1": "2"}, "态度冷淡"),)),
        {("2025-03-02", "unhappy_service", "answer", "S1", 0.25, 1), ("2025-03-02", "no_kindness", "comment", "attitude", 0.25, 1)},
    ),
    "praise": (Customer(said=(Said("2025-03-02", {"S1": "5"}, "态度很好"),)), set()),
    "dear": (
        Customer(complaints=(Complaint(HOUR, HOUR, topic="bill_dispute"),)),
        {("2025-03-02", "too_expensive", "ticket", "bill_dispute", None, 1)},
    ),
    "a_question": (Customer(complaints=(Complaint(HOUR, HOUR, topic="bill_dispute", kind="enquiry"),)), set()),
    "spam": (Customer(complaints=(Complaint(topic="bill_dispute", excluded="spam"),)), set()),
    "weak_at_ten": (Customer(complaints=(Complaint(HOUR, HOUR, weak="10"),)), {("2025-03-03", "no_kindness", "review", "attitude", 0.5, 1)}),
    "fatal": (Customer(complaints=(Complaint(HOUR, HOUR, weak="20", fatal=True),)), {("2025-03-03", "no_kindness", "review", "fatal", None, 1)}),
    "weak_at_eleven": (Customer(complaints=(Complaint(HOUR, HOUR, weak="11"),)), set()),
    "silence": (Customer(complaints=(Complaint(HOUR),)), {("2025-03-16", "unanswered_complaint", "silence", "no_follow_up", None, 1)}),
}  # fmt: skip

# Kind of silence, state of the customer, outcome after 30 and 90 days; None = not silent.
LATE = ANSWER + timedelta(seconds=1)
SILENT: dict[str, tuple[Customer, tuple[object, ...] | None]] = {
    "answered_and_called": (Customer(complaints=(Complaint(HOUR, HOUR),)), None),
    "answered_at_the_edge": (Customer(complaints=(Complaint(ANSWER, 4 * DAY),)), None),
    "answered_too_late": (Customer(complaints=(Complaint(LATE, 4 * DAY),)), ("no_answer", "customer", "nothing", "nothing")),
    "never_answered": (Customer(complaints=(Complaint(None, None),)), ("no_answer", "customer", "nothing", "nothing")),
    "called_instead": (Customer(complaints=(Complaint(None, HOUR),)), None),
    "no_events_told": (Customer(complaints=(Complaint(logged=False),)), ("no_follow_up", "customer", "nothing", "nothing")),
    "followed_at_the_edge": (Customer(complaints=(Complaint(HOUR, FOLLOW_UP),)), None),
    "followed_too_late": (Customer(complaints=(Complaint(HOUR, FOLLOW_UP + timedelta(seconds=1)),)), ("no_follow_up", "customer", "nothing", "nothing")),
    "not_reached": (Customer(complaints=(Complaint(HOUR, HOUR, "unreached"),)), ("no_follow_up", "customer", "nothing", "nothing")),
    "called_about_nothing_named": (Customer(complaints=(Complaint(HOUR, HOUR, about=False),)), None),
    "before_callbacks_are_told": (Customer(complaints=(Complaint(HOUR, at=datetime(2024, 12, 1, tzinfo=UTC)),)), None),
    "left_soon": (Customer((Contract("2019-01-01", "2025-04-15"),), complaints=(Complaint(HOUR),)), ("no_follow_up", "customer", "left", "left")),
    "left_a_day_later": (Customer((Contract("2019-01-01", "2025-04-16"),), complaints=(Complaint(HOUR),)), ("no_follow_up", "customer", "nothing", "left")),
    "left_after_90": (Customer((Contract("2019-01-01", "2025-06-15"),), complaints=(Complaint(HOUR),)), ("no_follow_up", "customer", "nothing", "nothing")),
    "left_before": (Customer((Contract("2019-01-01", "2025-03-10"),), complaints=(Complaint(HOUR),)), ("no_follow_up", "left_before", None, None)),
    "changed_plan": (
        Customer((Contract("2019-01-01", "2025-04-15"), Contract("2025-05-10")), complaints=(Complaint(HOUR),)),
        ("no_follow_up", "customer", "nothing", "nothing"),
    ),
    "never_a_customer": (Customer((), complaints=(Complaint(HOUR),)), ("no_follow_up", "no_contract", None, None)),
    "contacted_again": (
        Customer(complaints=(Complaint(HOUR), Complaint(HOUR, HOUR, kind="enquiry", at=COMPLAINED + FOLLOW_UP + 40 * DAY))),
        ("no_follow_up", "customer", "nothing", "contacted_again"),
    ),
    "not_over": (Customer(complaints=(Complaint(HOUR, at=datetime(2025, 10, 1, tzinfo=UTC)),)), ("no_follow_up", "customer", "nothing", None)),
    "not_decided": (Customer(complaints=(Complaint(HOUR, at=datetime(2025, 12, 20, tzinfo=UTC)),)), None),
}  # fmt: skip


def _everybody() -> dict[str, Customer]:
    made = dict(FIRM)
    made |= {f"w_{name}": customer for name, (customer, _) in WARNINGS.items()}
    made |= {f"s_{name}": customer for name, (customer, _) in SILENT.items()}
    # The last day of the data, in every system.
    last = datetime(2025, 12, 31, 10, tzinfo=UTC)
    made["last"] = Customer(
        complaints=(Complaint(timedelta(minutes=1), timedelta(minutes=2), kind="enquiry", at=last),)
    )
    made["first"] = Customer(complaints=(Complaint(timedelta(minutes=1), timedelta(minutes=2), kind="enquiry", at=datetime(2025, 1, 1, 6, tzinfo=UTC)),))  # fmt: skip
    return made


def _csv(header: str, rows: list[list[str]], delimiter: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", delimiter=delimiter).writerows([header.split(","), *rows])
    return text.getvalue()


def _new_york(at: datetime) -> str:
    return at.astimezone(ZoneInfo("America/New_York")).strftime("%m/%d/%Y %I:%M:%S %p")


def _shanghai(at: datetime) -> str:
    return at.astimezone(ZoneInfo("Asia/Shanghai")).strftime("%Y/%m/%d %H:%M:%S")


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%SZ}"


def _german(day: str) -> str:
    return f"{date.fromisoformat(day):%d.%m.%Y}" if day else ""


@dataclass
class Files:
    """Rows of the files that the company's systems send."""

    rows: dict[str, list[list[str]]] = field(default_factory=dict)

    def add(self, name: str, *row: str) -> None:
        self.rows.setdefault(name, []).append(list(row))


def _files() -> Files:
    files = Files()
    number = 0
    for name, customer in _everybody().items():
        mail = f"{name}@example.com"
        files.add("parties", f"B-{name}", "P", name, mail, _german(customer.since), "01.01.2025 08:00:00")
        files.add("crm", f"K-{name}", "个人", name)
        files.add("identifiers", f"K-{name}", "email", mail, "2025/01/01 08:00:00")
        files.add("customers", f"S-{name}", name, "person", mail)
        for position, contract in enumerate(customer.contracts):
            files.add("subscriptions", f"{name}-{position}", f"A-{name}", f"B-{name}", contract.product, _german(contract.start), _german(contract.end),
                      "", str(contract.months), contract.fee, "CNY")  # fmt: skip
        for position, said in enumerate(customer.said):
            at = datetime.fromisoformat(said.on).replace(hour=4 + position, tzinfo=UTC)
            files.add("responses", f"R-{name}-{position}", "Q", "other", "relationship", "", f"K-{name}", "sms", "", "mobile", "zh", _new_york(at), said.comment)  # fmt: skip
            for question, value in said.typed.items():
                files.add("answers", f"R-{name}-{position}", "Q", question, value, _new_york(at))
        for position, (due, paid) in enumerate(customer.charges):
            files.add("charges", f"{name}-c{position}", f"A-{name}", f"B-{name}", due, paid)
        for complaint in customer.complaints:
            number += 1
            ticket, at = str(number), complaint.at
            files.add("tickets", ticket, f"S-{name}", complaint.kind, "open", _utc(at), _utc(at), "no", complaint.excluded, complaint.topic)  # fmt: skip
            if complaint.logged:
                files.add("log", f"{ticket}|{_utc(at)}|customer:|status|new")
            if complaint.replied is not None:
                files.add("log", f"{ticket}|{_utc(at + complaint.replied)}|agent:A1|public_reply|")
            if complaint.callback is not None:
                done = _shanghai(at + complaint.callback)
                about = ["ticket", ticket] if complaint.about else ["relationship", ""]
                files.add("commitments", f"W-{ticket}", "CALLBACK", "complaint", *about, f"K-{name}", _shanghai(at), done, complaint.result, done)  # fmt: skip
            if complaint.weak:
                files.add("reviews", f"V-{ticket}", "attitude", "A1", "ticket", ticket, "A2", complaint.weak, "20", "yes" if complaint.fatal else "no", _utc(at + DAY))  # fmt: skip
                files.add("reviews", f"V-{ticket}", "tone", "A1", "ticket", ticket, "A2", "20", "20", "yes" if complaint.fatal else "no", _utc(at + DAY))  # fmt: skip
    return files


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ShopProject:
    project = make_shop_project(tmp_path_factory.mktemp("loyalty"), "surveys", "crm", "billing", "shop")
    project.replace_seed("churn_observation", "billing,2025-01-01")
    rows = _files().rows

    def send(source: str, name: str, header: str, key: str, delimiter: str = ",") -> None:
        project.deliver(name, _csv(header, rows[key], delimiter), source=source)

    send("billing", "parties_20251231.csv", "party_no,party_type,name,email,since,updated_at", "parties", ";")
    send("billing", "subscriptions_20251231.csv", "subscription_no,account_no,party_no,product,start_date,end_date,end_reason,contract_months,monthly_fee,currency", "subscriptions", ";")  # fmt: skip
    pl.DataFrame(rows["charges"], schema=["charge_no", "account_no", "party_no", "due_date", "paid_date"], orient="row").with_columns(
        pl.lit("MOB").alias("product"), pl.lit("MONTHLY").alias("charge_type"), pl.lit("100.00").alias("amount"), pl.lit("CNY").alias("currency"),
        pl.col("due_date").add(" 00:00:00").alias("charged_at"), pl.lit("2025-12-31 00:00:00").alias("updated_at"),
    ).write_parquet(project.home / "inbox" / "billing" / "charges_20251231.parquet")  # fmt: skip
    send("crm", "客户资料_20251231.csv", "客户编号,客户类型,客户名称", "crm")
    send("crm", "identifiers_20251231.csv", "customer_no,id_type,id_value,updated_at", "identifiers")
    send("crm", "commitments_20251231.csv", "commitment_id,kind,purpose,about_type,about_id,customer_no,made_at,done_at,result,updated_at", "commitments")  # fmt: skip
    project.deliver(
        "questions_20251231.csv",
        _csv("survey_id,question_id,role,construct,item_no,text_en,text_zh,scale_min,scale_max,reversed,blank_codes",
             [["Q", question, role, construct, "1", "?", "?", str(low), str(high), "Y" if role == "ces" else "N", "11;99"] for question, role, construct, low, high in QUESTIONS]),
        source="surveys",
    )  # fmt: skip
    send("surveys", "responses_20251231.csv", "response_id,survey_id,survey_type,contact_type,contact_id,recipient_id,mode,unit_code,product,language,submitted_at,comment", "responses")  # fmt: skip
    send("surveys", "answers_20251231.csv", "response_id,survey_id,question_id,value,submitted_at", "answers")
    send("shop", "customers_20251231.csv", "id,name,kind,email", "customers")
    send("shop", "tickets_20251231.csv", "id,customer,kind,status,created,updated,deleted,excluded,topic", "tickets")
    send("shop", "reviews_20251231.csv", "review,item,agent,kind,contact,reviewer,score,most,fatal,reviewed", "reviews")
    project.deliver("ticketlog_20251231.txt", "\n".join(line for (line,) in rows["log"]) + "\n")
    project.load("load-1")
    project.build(full=True)
    return project


@pytest.fixture(scope="module")
def marts(project: ShopProject) -> Iterator[duckdb.DuckDBPyConnection]:
    with opened(project) as connection:
        connection.execute(
            "create temp table people as select customer_key, substr(customer_id, 3) as person from dim_customer_links where source = 'crm'"
        )
        yield connection


@pytest.fixture(scope="module")
def snapshot(project: ShopProject) -> Path:
    return build.build_snapshot(project.settings, run_id="run-1").path


def _loyalty(
    marts: duckdb.DuckDBPyConnection, columns: str, person: str, quarter: int = 4
) -> tuple[object, ...] | None:
    return marts.execute(
        f"select {columns} from fct_customer_loyalty inner join people using (customer_key) where person = ? and quarter_number = 2025 * 4 + ?",
        [person, quarter],
    ).fetchone()


def test_every_customer_is_one(marts: duckdb.DuckDBPyConnection) -> None:
    assert marts.execute("select count(*), count(distinct customer_key) from dim_customers").fetchone() == (len(_everybody()),) * 2  # fmt: skip


def test_attitude_and_behaviour(marts: duckdb.DuckDBPyConnection) -> None:
    found = _loyalty(
        marts,
        "attitude, recommend, repurchase, trust, renewal_score, products_score, tenure_score, payments_score, behaviour, loyalty_quadrant, rung, held_by",
        "true",
    )
    assert found is not None
    # 24 months from 2019-01-01 went on; two of three lines; three of four charges in time (half = 0, all = 100).
    expected = [(90 + 75 + 100) / 3, 90, 75, 100, 100, 200 / 3, 100, 50, (100 + 200 / 3 + 100 + 50) / 4]
    assert found[:9] == pytest.approx(expected, abs=1e-6)
    assert found[9:] == ("true", "loyal", "not_held")


def test_a_new_customer_has_no_renewal_and_no_payments(marts: duckdb.DuckDBPyConnection) -> None:
    found = _loyalty(
        marts, "renewal_score, payments_score, behaviour_parts, behaviour, attitude, loyalty_quadrant", "latent"
    )
    assert found is not None and found[:3] == (None, None, 2)
    assert found[3] == pytest.approx((100 / 3 + 122 / 30.4375 / 60 * 100) / 2, abs=1e-6)
    assert found[4:] == (100.0, "latent")


def test_a_broken_term_is_no_renewal(marts: duckdb.DuckDBPyConnection) -> None:
    """Its term ended on 2025-02-01, the line on the 10th: less than 30 days later. Seen from 2025-03-03 on."""
    assert _loyalty(marts, "renewal_score, product_lines", "broken_term", 1) == (0.0, 1)
    assert _loyalty(marts, "renewal_score", "true", 1) == (100.0,)


@pytest.mark.parametrize(
    ("person", "quadrant", "held_by", "until", "days"),
    [
        ("spurious", "spurious", "contract_and_products", date(2026, 6, 1), 152),
        ("habit", "spurious", "habit", None, None),
        ("none", "none", "not_held", None, None),
        ("unknown", "unknown", "not_held", None, None),
        ("year_old", "true", "not_held", None, None),
        ("too_old", "unknown", "not_held", None, None),
        ("potential", "no_customer", "not_held", None, None),
    ],
)
def test_quadrants_and_what_holds(
    marts: duckdb.DuckDBPyConnection, person: str, quadrant: str, held_by: str, until: date | None, days: int | None
) -> None:
    found = _loyalty(marts, "loyalty_quadrant, held_by, held_until, days_until_released", person)
    assert found == (quadrant, held_by, until, days)


@pytest.mark.parametrize(
    ("person", "rungs"),
    [
        ("true", ["retained", "retained", "retained", "loyal"]),
        ("latent", [None, None, "new", "satisfied"]),
        ("none", ["new", "satisfied", "satisfied", "satisfied"]),
        ("leaver", ["retained", "retained", "left", None]),
        ("potential", [None, "potential", "potential", "potential"]),
        ("year_old", ["loyal", "loyal", "loyal", "loyal"]),
        ("too_old", ["loyal", "loyal", "loyal", "retained"]),
    ],
)
def test_the_ladder(marts: duckdb.DuckDBPyConnection, person: str, rungs: list[str | None]) -> None:
    found = [_loyalty(marts, "rung", person, quarter) for quarter in (1, 2, 3, 4)]
    assert [None if row is None else row[0] for row in found] == rungs


def test_moves_and_how_long_a_rung_lasted(marts: duckdb.DuckDBPyConnection) -> None:
    columns = "rung_before, quarters_on_rung, quarters_on_rung_before"
    assert _loyalty(marts, columns, "none", 1) == ("unknown", 1, None)
    assert _loyalty(marts, columns, "none", 2) == ("new", 1, 1)
    assert _loyalty(marts, columns, "none", 4) == ("satisfied", 3, None)
    # Where he stood before the quarters begin is not known.
    assert _loyalty(marts, columns, "true", 1) == ("unknown", None, None)
    assert _loyalty(marts, columns, "true", 4) == ("retained", 1, None)
    moves = marts.execute(
        "select quarter_end, rung_before, rung, customers from fct_loyalty_moves where rung_before in ('joined', 'new') or (rung_before, rung) = ('retained', 'loyal')"
    ).fetchall()
    assert sorted(moves) == [
        (date(2025, 3, 31), "joined", "new", 1),
        (date(2025, 6, 30), "new", "satisfied", 1),
        (date(2025, 9, 30), "joined", "new", 1),
        (date(2025, 12, 31), "new", "satisfied", 1),
        (date(2025, 12, 31), "retained", "loyal", 1),
    ]


def test_dwell_times_are_censored(marts: duckdb.DuckDBPyConnection) -> None:
    """New: two stays of one quarter, both moved. Satisfied: stays of three and one quarters, both of which still last."""
    found = marts.execute(
        "select rung, quarters, at_risk, moved, moved_up, moved_out, censored, still_there, median_quarters from fct_loyalty_dwell where rung in ('new', 'satisfied') order by all"
    ).fetchall()
    assert found == [("new", 1, 2, 2, 2, 0, 0, 0.0, 1), ("satisfied", 1, 1, 0, 0, 0, 1, 1.0, None)]


def test_what_was_said_and_done(marts: duckdb.DuckDBPyConnection) -> None:
    rows = marts.execute(
        "select person, stated_intention, is_stayed_90d, is_stayed_180d, is_stayed_365d from fct_stated_retention inner join people using (customer_key)"
    ).fetchall()
    found = {name: tuple(values) for name, *values in rows}
    assert found["leaver"] == ("will_stay", True, True, None)  # left after 195 days; a year is not over
    assert found["early_leaver"] == ("will_leave", False, False, None)
    assert found["left_on_the_day"] == ("undecided", False, False, None)  # the 90th day is within 90 days
    assert found["true"] == ("will_stay", None, None, None)
    assert found["year_old"] == ("will_stay", True, True, None)


@pytest.mark.parametrize("name", list(WARNINGS))
def test_a_warning(marts: duckdb.DuckDBPyConnection, name: str) -> None:
    found = marts.execute(
        "select strftime(seen_on, '%Y-%m-%d'), signal, evidence_kind, evidence_item, evidence_value, evidence_pieces from fct_early_warnings"
        " inner join people using (customer_key) where person = ?",
        [f"w_{name}"],
    ).fetchall()
    assert set(found) == WARNINGS[name][1] and len(found) == len(WARNINGS[name][1])


def test_what_follows_a_warning(marts: duckdb.DuckDBPyConnection) -> None:
    """`early_leaver` says on 2025-03-01 that he may go, and goes 61 days later."""
    found = {
        person: tuple(values)
        for person, *values in marts.execute(
            "select person, is_customer, is_final, is_left_in_window, days_until_left, cast(monthly_fee as double) from fct_early_warnings"
            " inner join people using (customer_key) where signal = 'no_benefit'"
        ).fetchall()
    }
    assert found == {
        "early_leaver": (True, True, True, 61, 100.0),
        "habit": (True, False, None, None, 100.0),
        "w_stay_1": (True, True, False, None, 100.0),
    }


@pytest.mark.parametrize("name", list(SILENT))
def test_a_silent_complaint(marts: duckdb.DuckDBPyConnection, name: str) -> None:
    found = marts.execute(
        "select silence_kind, customer_state, outcome_30d, outcome_90d from fct_silent_complaints inner join people using (customer_key) where person = ?",
        [f"s_{name}"],
    ).fetchall()
    assert found == ([] if SILENT[name][1] is None else [SILENT[name][1]])


def test_the_metrics_count_what_is_over(snapshot: Path) -> None:
    silent = [expected for _, expected in SILENT.values() if expected] + [
        ("no_follow_up", "customer", "nothing", "nothing")
    ]
    over = [row for row in silent if row[3] is not None]
    with closing(open_snapshot(snapshot)) as opened_snapshot:
        found = metric_values(
            opened_snapshot, ["silent_complaints", "silent_churn_rate_90d", "silent_churn_rate_30d", "silent_contacted_rate_90d", "silent_value_at_risk", "silent_value_lost"]
        )  # fmt: skip
        said = metric_values(opened_snapshot, ["stated_retention_rate", "stayed_rate_90d", "stayed_of_stayers_rate"])
        none = metric_values(opened_snapshot, ["warning_churn_rate"], Filters(where={"signal": ("too_expensive",)}))
        watch = metric_values(opened_snapshot, ["inertia_customers", "loyalty_customers", "true_loyalty_rate", "inertia_loose_rate"], Filters(start=END, end=END))  # fmt: skip
    assert found["silent_complaints"].value == len(silent)
    assert (found["silent_churn_rate_90d"].numerator, found["silent_churn_rate_90d"].denominator) == (2, len(over))
    assert found["silent_churn_rate_30d"].numerator == 1
    assert found["silent_contacted_rate_90d"].numerator == 1
    assert found["silent_value_at_risk"].value == 100.0  # not_over
    assert found["silent_value_lost"].value == 200.0
    will_stay = ["true", "latent", "year_old", "too_old", "leaver"]
    said_rows = [said for customer in _everybody().values() for said in customer.said if said.typed.get("N2", "99") != "99"]  # fmt: skip
    assert (said["stated_retention_rate"].numerator, said["stated_retention_rate"].denominator) == (len(will_stay), len(said_rows))  # fmt: skip
    # Over after 90 days: year_old, too_old, leaver, w_stay_1 stayed; early_leaver and left_on_the_day did not.
    assert (said["stayed_rate_90d"].numerator, said["stayed_rate_90d"].denominator) == (4, 6)
    assert (said["stayed_of_stayers_rate"].numerator, said["stayed_of_stayers_rate"].denominator) == (3, 3)
    assert (none["warning_churn_rate"].numerator, none["warning_churn_rate"].denominator) == (0, 2)
    assert watch["inertia_customers"].value == 2 and watch["inertia_loose_rate"].numerator == 1
    assert (watch["true_loyalty_rate"].numerator, watch["true_loyalty_rate"].denominator) == (2, 6)
    there = [c for c in _everybody().values() if any(not k.end for k in c.contracts)]
    assert watch["loyalty_customers"].value == len(there)
