"""The known truth: its schema holds, its tables fit the files, and every planted damage lies where it says."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import jsonschema
import polars as pl
import pytest

from orchestration.demo.delivery import SHAPES
from orchestration.demo.dirt import columns_of
from orchestration.demo.truth import SCHEMA_PATH
from tests.demo.conftest import Company, read_file


@pytest.fixture(scope="module")
def schema() -> dict[str, object]:
    return json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def test_truth_follows_its_schema(company: Company, schema: dict[str, object]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(company.truth)


def test_the_schema_would_notice(company: Company, schema: dict[str, object]) -> None:
    for damage in (
        {"burst": None},
        {"surprise": 1},
        {"causes": []},
        {"response": {**company.truth["response"], "true_csat_top2": 80}},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(schema).validate(company.truth | damage)


def test_truth_lies_beside_the_inbox_and_not_in_it(company: Company) -> None:
    assert company.made.truth_path == company.made.inbox.parent / "demo" / "truth.json"
    assert not list(company.made.inbox.rglob("truth*"))
    for name, table in company.truth["tables"].items():
        assert company.truth_table(name).height == table["rows"], name


def test_every_complaint_has_a_cause_and_a_ticket_that_was_sent(company: Company) -> None:
    complaints = company.truth_table("complaints")
    assert complaints["ticket_id"].n_unique() == complaints.height
    assert complaints["root_cause"].null_count() == 0
    sent = set(company.read("zendesk.tickets")["id"].drop_nulls())
    # A complaint by telephone becomes a ticket a few minutes later: the last evening's may come with the next delivery.
    missing = complaints.filter(~pl.col("ticket_id").is_in(list(sent)))
    assert missing.height <= 2
    counted = {cause["code"]: cause["complaints"] for cause in company.truth["causes"]}
    assert {code: count for code, count in counted.items() if count} == dict(
        complaints["root_cause"].value_counts().iter_rows()
    )


def test_departures_are_contracts_that_end_on_that_day(company: Company) -> None:
    departures = company.truth_table("departures")
    sums = departures["cause_value"] + departures["cause_system"] + departures["cause_employee"]
    assert ((sums - 1).abs() < 0.001).all()
    contracts = company.read("billing.subscriptions", newest=True).filter(
        pl.col("end_date").is_not_null() & ~pl.col("subscription_no").str.starts_with("S39")
    )
    joined = contracts.join(departures, on="subscription_no", how="full", coalesce=True)
    assert joined.filter(pl.col("churn_type").is_null() | pl.col("end_date").is_null()).height == 0
    assert (joined["end_date"].str.to_date("%d.%m.%Y") == joined["ended_on"]).all()


def test_identities_cover_every_customer_of_every_system(company: Company) -> None:
    identities = company.truth_table("identities")
    assert identities.select("system", "id").n_unique() == identities.height

    def known(system: str) -> set[str]:
        return set(identities.filter(pl.col("system") == system)["id"])

    crm = company.read("crm.customers", newest=True)["客户编号"]
    assert {number for number in crm if not number.startswith("K999")} <= known("crm")
    parties = company.read("billing.parties")["party_no"]
    assert {number for number in parties if not number.startswith("B9")} <= known("billing")
    users = company.read("zendesk.users").filter(pl.col("role") == "end-user")["id"]
    assert {number for number in users if number.startswith("9") and not number.startswith("97")} <= known("zendesk")
    # Some people are there twice, and no two people share an id.
    twice = identities.filter(pl.col("system") == "crm").group_by("entity_id").len().filter(pl.col("len") > 1)
    assert twice.height > 0


def test_invitations_say_who_did_not_answer_and_why(company: Company) -> None:
    truth = company.truth_table("invitations")
    # Who answers the brand survey has nothing to do with what he thinks: nobody's reasons are kept.
    sent = company.read("surveys.invitations").filter(pl.col("survey_id") != "BRAND01")
    assert set(sent["invitation_id"]) == set(truth["invitation_id"])
    responses = company.read("surveys.responses").filter(pl.col("survey_id") != "BRAND01")
    answered = set(responses["invitation_id"].drop_nulls())
    should = set(truth.filter(pl.col("outcome").str.starts_with("answered"))["invitation_id"])
    assert answered - {"V9999999999"} <= should
    bounced = set(sent.filter(pl.col("status") == "bounced")["invitation_id"])
    assert bounced == set(truth.filter(pl.col("outcome") == "not_delivered")["invitation_id"])
    # The unhappy answer more often: what is answered looks worse than what is true.
    assert company.truth["response"]["true_csat_top2"] - company.truth["response"]["answered_csat_top2"] > 0.01


def test_the_brand_survey(company: Company) -> None:
    answers = company.read("surveys.answers").filter(pl.col("survey_id") == "BRAND01").unique()
    asked, opinions = (answers.filter(pl.col("question_id") == name) for name in ("B1", "B2"))
    aware = set(asked.filter(pl.col("value") == "1")["response_id"])
    assert aware == set(opinions["response_id"])
    assert company.truth["brand"] == {
        "asked": asked.height,
        "aware": len(aware),
        "favourable": opinions.filter(pl.col("value").cast(pl.Int64) >= 4).height,
    }
    assert asked.height > len(aware) > 0


def test_satisfaction_follows_its_drivers(company: Company) -> None:
    observed = company.truth["satisfaction"]["observed_after_calls"]["weights"]
    stated = company.truth["satisfaction"]["weights"]
    for name in ("resolved_first_contact", "wait_minutes", "agent_skill", "customer_mood"):
        assert observed[name] / stated[name] == pytest.approx(0.88, abs=0.22), name


def test_agents_marked_the_calls_that_the_truth_names(clean_company: Company) -> None:
    truth = clean_company.truth_table("marked_calls")
    records = clean_company.read("asterisk.cdr").with_columns(
        pl.col("userfield").str.extract(r"(?:^|;)mk=([^;]*)").alias("mark"),
        pl.col("userfield").str.extract(r"(?:^|;)sv=([^;]*)").alias("solved"),
    )
    marked = records.filter(pl.col("mark").is_not_null())
    assert dict(marked.select("uniqueid", "mark").rows()) == dict(truth.select("call_id", "mark").rows())
    assert set(truth["mark"]) == {"nuisance", "misdirected"} and truth.height > 50
    # Nobody marks a call that nobody answered, and no such call is anybody's.
    assert marked["dstchannel"].str.starts_with("Agent/").all()
    assert marked["solved"].null_count() == marked.height
    # What agents say of matters that were solved at once, and of those that never were.
    said = records.filter(pl.col("solved").is_not_null()).with_columns(
        pl.col("userfield").str.extract(r"(?:^|;)tk=([0-9]+)").alias("ticket_id")
    )
    both = said.filter(pl.col("ticket_id").is_not_null()).join(
        clean_company.truth_table("issues").rename({"solved": "is_solved"}), on="ticket_id"
    )
    stated = clean_company.truth["solved_marks"]
    for chosen, name in (
        (pl.col("solved_at_first_contact") & (pl.col("further_contacts") == 0), "says_solved_when_solved"),
        (~pl.col("is_solved"), "says_solved_when_not"),
    ):
        found = both.filter(chosen)
        assert found.height > 100
        assert (found["solved"] == "1").mean() == pytest.approx(stated[name], abs=0.08), name


def test_reviewers_are_as_lenient_as_the_truth_says(clean_company: Company) -> None:
    truth = clean_company.truth["quality"]
    reviews = clean_company.read("crm.quality_reviews").with_columns(
        pl.sum_horizontal(
            pl.col(name).cast(pl.Float64) for name in ("用语", "态度", "语气", "需求把握", "应变能力")
        ).alias("points")
    )
    twice = reviews.filter(pl.len().over("接触类型", "接触编号", "工号") > 1)
    assert twice.height == 2 * truth["reviewed_twice"] > 60
    first, second = (twice.filter(pl.col("质检编号").str.starts_with("QK") == again) for again in (False, True))
    both = first.join(second, on=["接触类型", "接触编号", "工号"], suffix="_2")
    assert both.height == truth["reviewed_twice"]
    assert (both["质检员"] != both["质检员_2"]).all(), "nobody reviews the same contact twice"
    leniency = pl.Series([truth["reviewer_leniency_points"][name] for name in both["质检员"]]) - pl.Series(
        [truth["reviewer_leniency_points"][name] for name in both["质检员_2"]]
    )
    # Five items of the same contact: the difference is five times that of the two reviewers, and chance of sqrt(2 x 5) points.
    difference = both["points"] - both["points_2"]
    spread = float((leniency * leniency).to_numpy().sum())
    slope = float((difference * leniency).to_numpy().sum()) / spread
    assert slope == pytest.approx(5, abs=3.5 * 10**0.5 / spread**0.5 + 0.4)


# -- planted damage ------------------------------------------------------------------------

KEY_COLUMNS = {
    "zendesk.tickets": ["id"],
    "zendesk.ticket_comments": ["id"],
    "zendesk.users": ["id"],
    "asterisk.cdr": ["uniqueid"],
    "asterisk.queue_log": ["callid"],
    "surveys.responses": ["response_id"],
    "surveys.answers": ["response_id", "question_id"],
    "crm.customers": ["客户编号"],
    "crm.customer_identifiers": ["customer_no", "id_type", "id_value"],
    "crm.agent_states": ["state_id"],
    "crm.quality_reviews": ["质检编号"],
    "crm.commitments": ["commitment_id"],
    "billing.payments": ["payment_no"],
    "billing.charges": ["charge_no"],
    "billing.parties": ["party_no"],
    "billing.subscriptions": ["subscription_no"],
}


def single_rows(company: Company) -> list[dict[str, object]]:
    return [item for item in company.truth["planted"] if item["key"] is not None]


def test_every_kind_of_bad_input_is_planted(company: Company) -> None:
    kinds = {item["kind"] for item in company.truth["planted"]}
    assert kinds >= {
        "wrong_encoding",
        "ragged_line",
        "over_long_line",
        "missing_column",
        "renamed_column",
        "extra_column",
        "duplicate_column",
        "missing_required_column",
        "empty_file",
        "header_only",
        "impossible_date",
        "wrong_decimal",
        "text_in_number",
        "unknown_code",
        "duplicate_key",
        "orphan_key",
        "end_before_start",
        "future_time",
        "dst_gap",
        "dst_overlap",
        "formula_text",
        "script_text",
        "missing_value",
        "repeated_file",
        "broken_json",
        "broken_quote",
        "undecodable_bytes",
        "out_of_scale",
        "above_maximum",
        "compressed_file",
    }
    assert Counter(company.truth["planted_rows"]) == Counter(
        {kind: sum(item["rows"] for item in company.truth["planted"] if item["kind"] == kind) for kind in kinds}
    )


def test_planted_rows_lie_in_the_file_that_the_truth_names(company: Company) -> None:
    frames: dict[str, pl.DataFrame] = {}
    expected: Counter[tuple[str, str]] = Counter()
    for item in single_rows(company):
        table = f"{item['source']}.{item['table']}"
        name = str(item["file"])
        if name not in frames:
            keys = read_file(company.made.inbox / name, table).select(
                pl.concat_str([pl.col(c).fill_null("") for c in KEY_COLUMNS[table]], separator="|").alias("key")
            )
            frames[name] = keys.group_by("key").len()
        expected[(name, str(item["key"]))] += int(str(item["rows"]))
    found = {(name, key): count for name, frame in frames.items() for key, count in frame.iter_rows()}
    assert {place: found.get(place, 0) for place in expected} == dict(expected)


def test_nothing_else_carries_a_planted_key(company: Company) -> None:
    marks = {
        "zendesk.tickets": "^9[05]",
        "billing.payments": "^Z9",
        "billing.charges": "^F9",
        "crm.commitments": "^W9",
        "surveys.responses": "^R9",
        "crm.agent_states": "^T9",
    }
    for table, mark in marks.items():
        column = KEY_COLUMNS[table][0]
        rows = company.read(table)[column].drop_nulls()
        planted = [
            str(item["key"])
            for item in single_rows(company)
            if f"{item['source']}.{item['table']}" == table and item["key"]
        ]
        assert sorted(rows.filter(rows.str.contains(mark))) == sorted(planted), table


def test_damaged_files_exist_and_are_damaged_as_stated(company: Company) -> None:
    files = {
        item["kind"] + ":" + item["table"]: company.made.inbox / item["file"]
        for item in company.truth["planted"]
        if item["key"] is None
    }
    assert files["empty_file:payments"].read_bytes() == b""
    assert len(files["header_only:tickets"].read_text().splitlines()) == 1
    assert files["repeated_file:tickets"].read_bytes() == files["renamed_column:tickets"].read_bytes()
    assert "channel" in files["renamed_column:tickets"].read_text().splitlines()[0].split(",")
    assert files["duplicate_column:tickets"].read_text().splitlines()[0].split(",").count("priority") == 2
    assert "custom_language" not in files["missing_column:tickets"].read_text().splitlines()[0]
    assert "id" not in files["missing_required_column:users"].read_text().splitlines()[0].split(",")
    assert max(len(line) for line in files["over_long_line:queue_log"].read_text().splitlines()) > 65_536
    widths = Counter(
        len(line.split(",")) for line in files["ragged_line:tickets"].read_text(encoding="utf-8").splitlines()
    )
    assert len(widths) == 3 and widths[len(columns_of("zendesk.tickets"))] == 3
    for kind in (
        "wrong_encoding:users",
        "wrong_encoding:ticket_comments",
        "wrong_encoding:organizations",
        "undecodable_bytes:ticket_comments",
    ):
        with pytest.raises(UnicodeDecodeError):
            files[kind].read_bytes().decode("utf-8")


def test_damage_is_in_proportion(company: Company) -> None:
    assert sum(company.truth["planted_rows"].values()) / sum(company.made.rows.values()) < 0.01


def test_a_clean_company_has_none(clean_company: Company) -> None:
    assert clean_company.truth["planted"] == []
    assert all(
        path.name.count("_") == len(SHAPES_BY_STEM[path.name.rsplit("_", 1)[0]].split("_"))
        for path in clean_company.made.inbox.rglob("*_*.*")
        if path.is_file()
    )


SHAPES_BY_STEM = {shape.stem: shape.stem for shape in SHAPES.values()}


def test_the_pipeline_never_reads_the_truth() -> None:
    root = Path(__file__).resolve().parents[2]
    readers = [
        path
        for folder in ("orchestration", "dashboards", "dbt_project")
        for path in (root / folder).rglob("*")
        if path.suffix in {".py", ".sql", ".yml"}
        and "demo" not in path.parts
        and "truth.json" in path.read_text(encoding="utf-8")
    ]
    allowed = {"cli.py"}  # tells the user where it lies
    assert [path for path in readers if path.name not in allowed] == []
