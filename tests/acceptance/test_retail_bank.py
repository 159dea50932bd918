"""The retail bank: keys, joins, identity and sums, against what polars joins from the ten files."""

from __future__ import annotations

from collections import Counter
from datetime import date

import polars as pl
import pytest

from tests.acceptance.conftest import RealHome, file_rows

pytestmark = pytest.mark.real_data

BANK = "where source = 'retail_bank'"


@pytest.fixture(scope="module")
def files(real_home: RealHome) -> dict[str, pl.DataFrame]:
    """Every file, all text, blanks null."""
    folder = real_home.data / "retail_bank"
    return {path.stem: pl.read_csv(path, infer_schema=False) for path in sorted(folder.glob("*.csv"))}


@pytest.fixture(scope="module")
def complaints(files: dict[str, pl.DataFrame]) -> pl.DataFrame:
    return files["crm_events"].with_columns(
        received=pl.col("date_received").str.to_date("%d-%m-%Y"),
        sent=pl.col("date_sent_to_company").str.to_date("%d-%m-%Y"),
        client="C" + pl.col("client_id").str.zfill(8),
    )


@pytest.fixture(scope="module")
def calls(files: dict[str, pl.DataFrame]) -> pl.DataFrame:
    return files["CRMCallCenterLogs"]


def test_counts(real_home: RealHome, files: dict[str, pl.DataFrame]) -> None:
    counts = {
        "completedclient": ("raw.raw_retail_bank.clients", 5_369), "completedacct": ("raw.raw_retail_bank.accounts", 4_500),
        "completeddisposition": ("raw.raw_retail_bank.dispositions", 5_369), "completedorder": ("raw.raw_retail_bank.standing_orders", 6_471),
        "completedcard": ("raw.raw_retail_bank.cards", 892), "completedloan": ("raw.raw_retail_bank.loans", 682),
        "completeddistrict": ("raw.raw_retail_bank.districts", 77), "crm_events": ("raw.raw_retail_bank.complaints", 23_419),
        "CRMCallCenterLogs": ("raw.raw_retail_bank.calls", 3_999), "crm_reviews": ("raw.raw_retail_bank.reviews", 504),
    }  # fmt: skip
    assert set(counts) == set(files)
    for name, (table, count) in counts.items():
        assert files[name].height == count
        assert real_home.one(f"select count(*) from {table}") == count
    assert real_home.rows("select * from fct_quarantined_rows where source = 'retail_bank'") == []
    assert real_home.rows("select * from fct_row_flags where source = 'retail_bank'") == []
    for mart, count in (
        ("fct_tickets", 23_419), ("fct_ticket_events", 46_838), ("fct_calls", 3_999), ("fct_transactions", 7_153),
        ("fct_subscriptions", 5_392), ("fct_survey_responses", 504), ("fct_survey_answers", 504),
    ):  # fmt: skip
        assert real_home.one(f"select count(*) from {mart} {BANK}") == count, mart


def test_clients(real_home: RealHome, files: dict[str, pl.DataFrame]) -> None:
    clients = files["completedclient"]
    expected = {
        (client, f"{first} {middle} {last}", date(int(year), int(month), int(day)), f"district-{district}")
        for client, first, middle, last, year, month, day, district in clients.select(
            "client_id", "first", "middle", "last", "year", "month", "day", "district_id"
        ).rows()
    }
    found = real_home.rows(
        f"select customer_id, customer_name, birth_date, org_unit_id from warehouse.intermediate.int_customers {BANK} and _status = 'used'"
    )
    assert set(found) == expected


def test_identity(real_home: RealHome, files: dict[str, pl.DataFrame]) -> None:
    """No two clients share a telephone, an address or a social security number, so every client is a customer of their own."""
    clients = files["completedclient"]
    assert all(clients[column].n_unique() == clients.height for column in ("client_id", "phone", "email", "social"))
    links = real_home.rows(f"select customer_id, customer_key, link_method from dim_customer_links {BANK}")
    assert {row[0] for row in links} == set(clients["client_id"])
    assert len({row[1] for row in links}) == clients.height
    assert {row[2] for row in links} == {"alone"}
    assert real_home.rows(f"select * from dim_customer_merges {BANK}") == []
    kinds = real_home.rows(
        f"select identifier_kind, count(*) from warehouse.intermediate.int_customer_identifiers {BANK} and _status = 'used' group by all"
    )
    assert dict(kinds) == {"phone": 5_369, "email": 5_369, "national_id": 5_369}


def test_complaints_lead_to_clients(
    real_home: RealHome, files: dict[str, pl.DataFrame], complaints: pl.DataFrame
) -> None:
    """Client 1925 of the complaints is C00001925 of the client file."""
    assert (
        complaints.join(files["completedclient"], left_on="client", right_on="client_id", how="semi").height
        == complaints.height
    )
    assert complaints.join(files["completedclient"], on="client_id", how="semi").height == 0
    keys = dict(real_home.rows(f"select customer_id, customer_key from dim_customer_links {BANK}"))
    units = dict(files["completedclient"].select("client_id", "district_id").rows())
    expected = {
        (complaint, client, keys[client], f"district-{units[client]}")
        for complaint, client in complaints.select("complaint_id", "client").rows()
    }
    found = real_home.rows(f"select ticket_id, customer_id, customer_key, org_unit_id from fct_tickets {BANK}")
    assert set(found) == expected
    assert (
        real_home.one(
            f"select count(*) from fct_tickets {BANK} and (is_orphan_customer or is_orphan_unit or not is_complaint)"
        )
        == 0
    )


def test_complaint_dates_are_day_first(real_home: RealHome, complaints: pl.DataFrame) -> None:
    found = dict(real_home.rows(f"select ticket_id, created_on from fct_tickets {BANK}"))
    assert found == dict(complaints.select("complaint_id", "received").rows())


def test_complaints_sent_on_before_they_were_received_are_kept_as_they_are(
    real_home: RealHome, complaints: pl.DataFrame
) -> None:
    early = complaints.filter(pl.col("sent") < pl.col("received"))
    assert early.height == 192 and early.select((pl.col("received") - pl.col("sent")).dt.total_days()).n_unique() == 1
    local = "cast(timezone('America/New_York', timezone('UTC', {}.occurred_at)) as date)"
    found = real_home.rows(
        f"select sent.ticket_id, {local.format('received')}, {local.format('sent')} from fct_ticket_events as sent"
        " inner join fct_ticket_events as received on sent.source = received.source and sent.ticket_id = received.ticket_id"
        " where sent.source = 'retail_bank' and sent.event_kind = 'group' and received.event_kind = 'created'"
    )
    assert set(found) == set(complaints.select("complaint_id", "received", "sent").rows())
    assert {ticket for ticket, received, sent in found if sent < received} == set(early["complaint_id"])


def test_complaint_codes(real_home: RealHome, complaints: pl.DataFrame) -> None:
    channels = {
        "Web": "web",
        "Referral": "referral",
        "Phone": "phone",
        "Postal mail": "letter",
        "Fax": "fax",
        "Email": "email",
    }
    expected = Counter(channels[via] for via in complaints["submitted_via"])
    assert dict(real_home.rows(f"select channel, count(*) from fct_tickets {BANK} group by all")) == expected
    responses = Counter(complaints["company_response_to_consumer"])
    open_, unknown = responses["In progress"], responses["Untimely response"]
    assert dict(real_home.rows(f"select ticket_status, count(*) from fct_tickets {BANK} group by all")) == {
        "open": open_, "unknown": unknown, "closed": complaints.height - open_ - unknown,
    }  # fmt: skip
    assert dict(real_home.rows(f"select topic, count(*) from fct_tickets {BANK} group by all")) == Counter(
        complaints["issue"]
    )
    assert (
        real_home.one(f"select count(*) from fct_tickets {BANK} and not reported_sla_met")
        == complaints.filter(pl.col("timely_response") == "No").height
    )


def test_calls_without_number_outcome_complaint_or_client_are_kept(real_home: RealHome, calls: pl.DataFrame) -> None:
    without_outcome = calls.filter(pl.col("outcome").is_null())
    assert without_outcome.height == calls["call_id"].null_count() == calls["vru_line"].null_count() == 984
    assert calls.filter(pl.col("Complaint_ID").is_null(), pl.col("rand_client").is_null()).height == 1_495
    found = real_home.rows(f"select call_id, disposition, ticket_id, customer_id from fct_calls {BANK}")
    assert len({row[0] for row in found}) == calls.height
    assert sum(row[1] == "unknown" and row[0].startswith("line-") for row in found) == 984
    assert sum(row[2] is None and row[3] is None for row in found) == 1_495
    assert real_home.one(f"select count(*) from fct_calls {BANK} and is_offered and disposition = 'unknown'") == 0


def test_outcomes_and_phantoms(real_home: RealHome, calls: pl.DataFrame) -> None:
    outcomes = Counter(calls["outcome"])
    assert outcomes["PHANTOM"] == 19
    found = real_home.rows(
        f"select count(*) filter (where is_answered), count(*) filter (where is_abandoned), count(*) filter (where not is_in_base) from fct_calls {BANK}"
    )
    assert found == [(outcomes["AGENT"], outcomes["HANG"], outcomes["PHANTOM"])]
    assert (
        real_home.one(f"select count(*) from fct_calls {BANK} and not is_in_base and exclusion_kind = 'phantom'") == 19
    )


def test_length_of_service(real_home: RealHome, calls: pl.DataFrame) -> None:
    """`ser_time` is hours, minutes and seconds; only an agent's call has talk time."""
    parts = pl.col("ser_time").str.split(":")
    length = (
        parts.list.get(0).cast(pl.Int64) * 3600
        + parts.list.get(1).cast(pl.Int64) * 60
        + parts.list.get(2).cast(pl.Int64)
    )
    answered = calls.filter(pl.col("outcome") == "AGENT").select(
        id=pl.col("vru_line") + "-" + pl.col("call_id"), length=length
    )
    assert dict(
        real_home.rows(f"select call_id, talk_seconds from fct_calls {BANK} and talk_seconds is not null")
    ) == dict(answered.rows())


def test_days_of_calls_and_the_byte_order_mark(real_home: RealHome, calls: pl.DataFrame) -> None:
    assert (real_home.data / "retail_bank" / "CRMCallCenterLogs.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    days = Counter(date.fromisoformat(day) for day in calls["Date_received"])
    assert dict(real_home.rows(f"select started_on, count(*) from fct_calls {BANK} group by all")) == days
    assert real_home.rows("select warnings from fct_loads where source = 'retail_bank' and table_name = 'calls'") == [
        ("[]",)
    ]


def test_calls_lead_to_complaints_and_clients(
    real_home: RealHome, files: dict[str, pl.DataFrame], calls: pl.DataFrame, complaints: pl.DataFrame
) -> None:
    linked = calls.join(complaints, left_on="Complaint_ID", right_on="complaint_id", how="inner")
    assert linked.height == linked.filter(pl.col("client") == pl.col("rand_client")).height == 2_504
    joined = real_home.one(
        "select count(*) from fct_calls as calls inner join fct_tickets as tickets on calls.source = tickets.source and calls.ticket_id = tickets.ticket_id"
        " and calls.customer_id = tickets.customer_id and calls.customer_key = tickets.customer_key where calls.source = 'retail_bank'"
    )
    assert joined == linked.height


def test_calls_without_a_client_are_known_by_their_telephone(
    real_home: RealHome, files: dict[str, pl.DataFrame], calls: pl.DataFrame
) -> None:
    """The number of a caller who gave no client number belongs to one client, if to any."""
    by_phone = dict(files["completedclient"].select("phone", "client_id").rows())
    expected = Counter(
        client or by_phone.get(phone) for client, phone in calls.select("rand_client", "phonefinal").rows()
    )
    names = {
        key: client
        for client, key in real_home.rows(f"select customer_id, customer_key from dim_customer_links {BANK}")
    }
    found = Counter(names.get(key) for (key,) in real_home.rows(f"select customer_key from fct_calls {BANK}"))
    assert found == expected
    assert calls.height - expected[None] == 2_504 + 1_437


def test_account_holders(real_home: RealHome, files: dict[str, pl.DataFrame]) -> None:
    """An account has one owner and perhaps a user; a contract belongs to the owner."""
    dispositions = files["completeddisposition"].join(files["completedacct"], on="account_id")
    expected = {
        (account, client, kind.lower(), f"district-{district}")
        for account, client, kind, district in dispositions.select(
            "account_id", "client_id", "type", "district_id"
        ).rows()
    }
    found = real_home.rows(
        f"select account_id, customer_id, party_role, org_unit_id from warehouse.intermediate.int_account_parties {BANK} and _status = 'used'"
    )
    assert set(found) == expected
    assert Counter(row[2] for row in found) == {"owner": 4_500, "user": 869}


def test_contracts_belong_to_owners(real_home: RealHome, files: dict[str, pl.DataFrame]) -> None:
    owners = dict(
        files["completeddisposition"].filter(pl.col("type") == "Owner").select("account_id", "client_id").rows()
    )
    expected = {
        (account, account, owners[account], "account", date.fromisoformat(day))
        for account, day in files["completedacct"].select("account_id", "parseddate").rows()
    }
    cards = files["completedcard"].join(files["completeddisposition"], on="disp_id")
    expected |= {
        (card, account, client, "card", date.fromisoformat(day))
        for card, account, client, day in cards.select("card_id", "account_id", "client_id", "fulldate").rows()
    }
    assert (
        set(
            real_home.rows(
                f"select subscription_id, account_id, customer_id, product_line, started_on from fct_subscriptions {BANK}"
            )
        )
        == expected
    )
    assert (
        real_home.one(f"select count(*) from fct_subscriptions {BANK} and (not is_running or is_orphan_customer)") == 0
    )


def test_loans(real_home: RealHome, files: dict[str, pl.DataFrame]) -> None:
    owners = dict(
        files["completeddisposition"].filter(pl.col("type") == "Owner").select("account_id", "client_id").rows()
    )
    expected = {
        (loan, owners[account], int(amount), date.fromisoformat(day))
        for loan, account, amount, day in files["completedloan"]
        .select("loan_id", "account_id", "amount", "fulldate")
        .rows()
    }
    found = real_home.rows(
        f"select transaction_id, customer_id, cast(amount as integer), occurred_on from fct_transactions {BANK} and transaction_kind = 'loan'"
    )
    assert set(found) == expected


def test_standing_orders_have_no_day_and_are_no_turnover(real_home: RealHome, files: dict[str, pl.DataFrame]) -> None:
    orders = files["completedorder"].with_columns(pl.col("amount").cast(pl.Decimal(18, 2)))
    found = real_home.rows(
        f"select count(*), count(occurred_at), count(occurred_on), sum(amount), count(*) filter (where is_billed), count(customer_key) from fct_transactions {BANK} and transaction_kind = 'standing_order'"
    )
    assert found == [(orders.height, 0, 0, orders["amount"].sum(), 0, orders.height)]
    assert all(
        not row["value"]
        for row in real_home.metric("billed_amount", "--by", "source")
        if row["source"] == "retail_bank"
    )


def test_districts_divisions_regions(real_home: RealHome, files: dict[str, pl.DataFrame]) -> None:
    districts = files["completeddistrict"]
    expected = {
        (
            f"district-{district}",
            f"/retail-bank/region-{region}/division-{region}-{division}/district-{district}/",
            f"{city}, {state}",
        )
        for district, region, division, city, state in districts.select(
            "district_id", "region", "division", "city", "state_abbrev"
        ).rows()
    }
    assert (
        set(real_home.rows("select org_unit_id, path, unit_name from dim_org_units where unit_level = 'city'"))
        == expected
    )
    levels = dict(real_home.rows("select unit_level, count(*) from dim_org_units group by all"))
    assert levels == {
        "headquarters": 1, "region": districts["region"].n_unique(), "province": districts.select("region", "division").n_unique(), "city": districts.height,
    }  # fmt: skip
    assert districts["city"].n_unique() == 75 and len({row[2] for row in expected}) == 77


def test_a_division_in_two_regions_is_two_units(real_home: RealHome, files: dict[str, pl.DataFrame]) -> None:
    """The district file puts Chicago and Indianapolis into the Northeast, its other lines of that division and the client file say Midwest."""
    of_division = files["completeddistrict"].filter(pl.col("division") == "East North Central")
    assert set(of_division.filter(pl.col("region") == "Northeast")["city"]) == {"Chicago", "Indianapolis"}
    assert set(of_division["region"]) == {"Northeast", "Midwest"}
    found = real_home.rows("select parent_unit_id from dim_org_units where unit_name = 'East North Central'")
    assert sorted(found) == [("region-Midwest",), ("region-Northeast",)]


def test_reviews(real_home: RealHome) -> None:
    header, *lines = file_rows(real_home.data / "retail_bank" / "crm_reviews.csv")
    reviews = [dict(zip(header, line, strict=True)) for line in lines]
    stars = Counter(int(review["stars"]) for review in reviews)
    assert (
        dict(
            real_home.rows(
                f"select cast(answer_value as integer), count(*) from fct_survey_answers {BANK} group by all"
            )
        )
        == stars
    )
    assert real_home.one(f"select count(*) from fct_survey_answers {BANK} and is_csat_satisfied") == stars[4] + stars[5]
    assert real_home.one(f"select count(*) from fct_survey_responses {BANK} and has_comment") == sum(
        review["reviews"] != "No Review" for review in reviews
    )
    by_unit = Counter((f"district-{review['district_id']}", date.fromisoformat(review["date"])) for review in reviews)
    found = real_home.rows(f"select org_unit_id, responded_on, count(*) from fct_survey_responses {BANK} group by all")
    assert {(unit, day): count for unit, day, count in found} == by_unit
