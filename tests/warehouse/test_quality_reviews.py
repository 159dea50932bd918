"""Quality reviews at their edges, coverage, weak items, agreement and trainings: each case by hand, through every model and the snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import duckdb
import pytest
from scipy import stats

from dashboards.data import intervals
from dashboards.data.metrics import Filters, MetricValue, metric_frame, metric_values
from dashboards.data.snapshot import open_snapshot
from orchestration.serving import build
from tests.warehouse.shop_project import ShopProject, make_shop_project, opened

pytestmark = pytest.mark.slow

SHEET = ("wording", "attitude", "tone", "grasp", "adaptability")
UNITS = ["HQ,,headquarters", "P1,HQ,province", "C1,P1,city", *(f"T{n},C1,team" for n in range(1, 6))]
STAFF = [
    "A1,T1,agent,", "A2,T1,agent,", "A3,T2,agent,", "A5,T1,team_lead,", "A6,T2,agent,", *(f"B{n},T3,agent," for n in (1, 2)),
    *(f"D{n},T4,agent," for n in (1, 2, 3)), *(f"W{n},T5,agent," for n in (1, 2, 3)), "W4,T5,agent,2026-04-10",
]  # fmt: skip
CALLS = [  # id, agent, day (a call is from 02:00 to 02:05 UTC)
    *((f"c{n}", "A1", f"2026-03-0{n}") for n in range(1, 7)), ("d1", "A2", "2026-03-03"), ("d2", "A2", "2026-03-04"), ("e1", "A3", "2026-02-03"),
    ("f1", "A5", "2026-03-03"), *((f"g{n}", "A6", f"2026-02-0{n}") for n in range(1, 5)), *((f"h{n}", "A6", f"2026-03-0{n}") for n in range(1, 5)),
    ("x1", "AX", "2026-03-05"), ("late", "A2", "2026-04-20"),
]  # fmt: skip


def _review(
    name: str, agent: str, contact: str, reviewer: str, at: str, scores: dict[str, str] | float, *, most: str = "20", fatal: str = "no", kind: str = "call"
) -> list[str]:  # fmt: skip
    """Lines of one review; `scores`: points by item, or of every item of the sheet."""
    points = scores if isinstance(scores, dict) else dict.fromkeys(SHEET, f"{scores:g}")
    return [
        f"{name},{item},{agent},{kind},{contact},{reviewer},{score},{most},{fatal},{at}Z"
        for item, score in points.items()
    ]


def _reviews() -> list[str]:
    mixed = dict(zip(SHEET, ("18", "18", "16", "14", "12"), strict=True))
    without_tone = {item: score for item, score in mixed.items() if item != "tone"} | {"wording": ""}
    lines = [
        *_review("r01", "A1", "c1", "Q1", "2026-03-10 02:00:00", mixed),
        *_review("r02", "A1", "c1", "Q1", "2026-03-11 02:00:00", 16),
        *_review("r03", "A1", "c1", "Q2", "2026-03-12 02:00:00", 14, fatal="yes"),
        *_review("r04", "A1", "c2", "Q1", "2026-03-10 02:00:00", without_tone),
        *_review("r05", "A1", "c3", "Q1", "2026-03-10 02:00:00", mixed | {"wording": "25"}),
        *_review("r06", "A1", "c4", "Q1", "2026-03-04 02:04:59", mixed),
        *_review("r07", "A1", "c5", "A1", "2026-03-10 02:00:00", 20),
        *_review("r08", "A1", "c6", "Q1", "2026-03-10 02:00:00", 0, most="0"),
        *_review("r09", "A2", "zzz", "Q1", "2026-03-31 17:00:00", {"greeting": "9"}, most="10"),
        *_review("r10", "AX", "x1", "Q2", "2026-03-10 02:00:00", 20),
        *_review("r11", "A1", "d1", "Q2", "2026-03-10 02:00:00", 20),
        *_review("r14", "A1", "d2", "Q2", "2026-04-02 02:00:00", 20),
        *_review("r12", "A1", "c5", "Q1", "2026-03-10 02:00:00", 15),
        *_review("r13", "A2", "c9", "Q1", "2026-03-10 02:00:00", {"tone": "20"}, kind="letter"),
    ]
    changes = {"B1": (10, 16), "B2": (12, 16), "D1": (14, 14), "D2": (12, 14), "D3": (4, 20)}
    for agent, sides in changes.items():
        for side, (month, points) in enumerate(zip(("05", "07"), sides, strict=True)):
            for n in range(3):
                lines += _review(
                    f"{agent}{side}{n}", agent, "", "Q1", f"2025-{month}-1{n} 02:00:00", {"tone": f"{points}"}
                )
    # One review too few after the training, and one review on its last day, which is on neither side.
    lines += _review("B1day", "B1", "", "Q1", "2025-06-12 02:00:00", {"tone": "0"})
    weak = {"W1": [10, 11, 12] * 3, "W2": [20, 9] * 4, "W3": [10] * 7, "W4": [10, 11] * 4}
    for agent, points_of in weak.items():
        for n, points in enumerate(points_of):
            lines += _review(f"{agent}{n}", agent, "", "Q1", f"2026-04-13 02:00:{n:02}", {"tone": f"{points}"})
    # Nine weeks before that week: outside its eight.
    lines += _review("W1old", "W1", "", "Q1", "2026-02-16 02:00:00", {"tone": "20"})
    return lines


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ShopProject:
    project = make_shop_project(tmp_path_factory.mktemp("quality"))
    project.add_to_seed("quality_coverage", "team_lead,*,0,0,", "*,T2,2,3,2026-03-01")
    thresholds = project.root / "seeds" / "service_thresholds.csv"
    text = thresholds.read_text(encoding="utf-8")
    assert "\nagreement_base,20," in text
    thresholds.write_text(text.replace("\nagreement_base,20,", "\nagreement_base,1,"), encoding="utf-8")
    project.deliver("units_20260421.csv", "\n".join(["unit,above,level", *UNITS]) + "\n")
    project.deliver("staff_20260421.csv", "\n".join(["agent,unit,role,left", *STAFF]) + "\n")
    calls, log = ["id,caller,customer,started,ended,about,direction,event"], []
    for name, agent, day in CALLS:
        calls.append(f"{name},,,{day} 02:00:00Z,{day} 02:05:00Z,,,")
        epoch = duckdb.sql(f"select epoch(timestamp '{day} 02:00:00')::bigint").fetchone()
        assert epoch is not None
        log += [
            f"{epoch[0]}|{name}|enter_queue||",
            f"{epoch[0] + 5}|{name}|answered|{agent}|5",
            f"{epoch[0] + 300}|{name}|completed|{agent}|295",
        ]
    project.deliver("calls_20260421.csv", "\n".join(calls) + "\n")
    project.deliver("calllog_20260421.txt", "\n".join(log) + "\n")
    project.deliver(
        "reviews_20260421.csv",
        "\n".join(["review,item,agent,kind,contact,reviewer,score,most,fatal,reviewed", *_reviews()]) + "\n",
    )
    trainings = [
        "TR1,training,T3,T3: tone,2025-06-10,2025-06-12,done", "TR2,training,HQ,D3: tone,2025-06-20,,done", "TR3,training,T3,tone,2025-06-01,,cancelled",
        "TR4,corrective,T3,tone,2025-06-01,,done", "TR5,training,T1,everything,2030-01-01,,open",
    ]  # fmt: skip
    project.deliver("trainings_20260421.csv", "\n".join(["id,kind,unit,scope,starts,ends,status", *trainings]) + "\n")
    project.load("load-1")
    project.build(full=True)
    return project


@pytest.fixture(scope="module")
def marts(project: ShopProject) -> Iterator[duckdb.DuckDBPyConnection]:
    with opened(project) as connection:
        yield connection


@pytest.fixture(scope="module")
def snapshot(project: ShopProject) -> Path:
    return build.build_snapshot(project.settings, run_id="run-1").path


# review: exclusion, items scored, missing, points, possible, orphan agent, orphan contact, of another agent, before the end, month
MARCH = "2026-03-01"
SHEETS: dict[str, tuple[object, ...]] = {
    "r01": ("repeated", 5, 0, 78.0, 100.0, False, False, False, False, MARCH),
    "r02": (None, 5, 0, 80.0, 100.0, False, False, False, False, MARCH),
    "r03": (None, 5, 0, 70.0, 100.0, False, False, False, False, MARCH),
    "r04": (None, 3, 2, 44.0, 60.0, False, False, False, False, MARCH),
    "r05": (None, 4, 1, 60.0, 80.0, False, False, False, False, MARCH),
    "r06": (None, 5, 0, 78.0, 100.0, False, False, False, True, MARCH),
    "r07": ("self_review", 5, 0, 100.0, 100.0, False, False, False, False, MARCH),
    "r08": ("no_points", 0, 5, None, None, False, False, False, False, MARCH),
    # Reviewed at 01:00 on 1 April in Shanghai; its contact is nowhere, so it counts to the month of the review.
    "r09": (None, 1, 5, 9.0, 10.0, False, True, None, False, "2026-04-01"),
    "r10": (None, 5, 0, 100.0, 100.0, True, False, False, False, MARCH),
    "r11": (None, 5, 0, 100.0, 100.0, False, False, True, False, MARCH),
    # Reviewed in April; the contact, though another agent's, is one of March.
    "r14": (None, 5, 0, 100.0, 100.0, False, False, True, False, MARCH),
    "r12": (None, 5, 0, 75.0, 100.0, False, False, False, False, MARCH),
    "r13": (None, 1, 4, 20.0, 20.0, False, True, None, False, MARCH),
}


@pytest.mark.parametrize("name", list(SHEETS))
def test_a_review(marts: duckdb.DuckDBPyConnection, name: str) -> None:
    found = marts.execute(
        "select exclusion_kind, items_scored, items_missing, score, max_score, is_orphan_agent, is_orphan_contact, is_of_another_agent, is_before_contact_end,"
        " counted_month::varchar from fct_quality_sheets where review_id = ?",
        [name],
    ).fetchall()
    assert found == [SHEETS[name]]


def test_points_above_the_maximum_are_quarantined_and_an_unknown_kind_is_flagged(
    marts: duckdb.DuckDBPyConnection,
) -> None:
    assert marts.execute("select review_id, item, _reasons from warehouse.intermediate.int_qa_reviews where _status = 'quarantined'").fetchall() == [
        ("r05", "wording", ["rule:score_over_max"])
    ]  # fmt: skip
    assert marts.execute("select contact_kind from fct_quality_sheets where review_id = 'r13'").fetchone() == (
        "unknown",
    )


def test_items_of_a_review(marts: duckdb.DuckDBPyConnection) -> None:
    found = marts.execute(
        "select review_id, item, score_share, is_weak, is_in_base, exclusion_kind, province_id from fct_quality_reviews where review_id in ('r02', 'r04', 'r07', 'r08', 'r09')"
        " and item in ('wording', 'grasp', 'greeting') order by 1, 2"
    ).fetchall()
    assert found == [
        ("r02", "grasp", 0.8, False, True, None, "P1"),
        ("r02", "wording", 0.8, False, True, None, "P1"),
        ("r04", "grasp", 0.7, True, True, None, "P1"),
        ("r04", "wording", None, None, False, "no_points", "P1"),
        ("r07", "grasp", 1.0, False, False, "self_review", "P1"),
        ("r07", "wording", 1.0, False, False, "self_review", "P1"),
        ("r08", "grasp", None, None, False, "no_points", "P1"),
        ("r08", "wording", None, None, False, "no_points", "P1"),
        ("r09", "greeting", 0.9, False, True, None, "P1"),
    ]


def test_coverage_by_agent_and_month(marts: duckdb.DuckDBPyConnection) -> None:
    found = marts.execute(
        "select agent_id, strftime(handled_month, '%m'), contacts_handled, contacts_reviewed, handled_contacts_reviewed, minimum, target, is_below_minimum, is_at_target,"
        " is_in_base, is_settled from fct_quality_coverage order by 1, 2"
    ).fetchall()
    assert found == [
        # c1 (twice), c2 ... c5, and d1 and d2, which are not A1's own: seven contacts; the self-review of c5 and the empty one of c6 add none.
        ("A1", "03", 6, 7, 5, 1, 5, False, True, True, True),
        ("A2", "03", 2, 1, 0, 1, 2, False, False, True, True),
        ("A2", "04", 1, 1, 0, 1, 1, False, True, True, False),
        ("A3", "02", 1, 0, 0, 1, 1, True, False, True, True),
        ("A5", "03", 1, 0, 0, 0, 0, False, True, False, True),
        ("A6", "02", 4, 0, 0, 1, 4, True, False, True, True),
        ("A6", "03", 4, 0, 0, 2, 3, True, False, True, True),
        ("AX", "03", 1, 1, 1, 1, 1, False, True, True, True),
    ]
    assert marts.execute("select org_unit_id, agent_role, is_orphan_agent from fct_quality_coverage where agent_id = 'AX'").fetchall() == [
        (None, "unknown", True)
    ]  # fmt: skip


def _metrics(path: Path, names: list[str], first: str, last: str, **where: tuple[str, ...]) -> dict[str, MetricValue]:
    chosen = Filters(start=date.fromisoformat(first), end=date.fromisoformat(last), where=where)
    with closing(open_snapshot(path)) as snapshot:
        return metric_values(snapshot, names, chosen)


def test_metrics_of_coverage(snapshot: Path) -> None:
    names = ["agents_at_review_minimum", "agents_at_review_target", "reviewed_contact_share"]
    found = {name: one.value for name, one in _metrics(snapshot, names, "2026-03-01", "2026-03-31").items()}
    assert found == {
        "agents_at_review_minimum": pytest.approx(3 / 4),
        "agents_at_review_target": pytest.approx(2 / 4),
        "reviewed_contact_share": pytest.approx(6 / 14),
    }
    april = _metrics(snapshot, names, "2026-04-01", "2026-04-30")
    assert {one.value for one in april.values()} == {None}, "April is not settled"


def test_metrics_of_scores(snapshot: Path) -> None:
    names = [
        "quality_score",
        "quality_reviews",
        "quality_reviews_left_out",
        "fatal_error_rate",
        "quality_item_score",
        "weak_item_share",
    ]
    found = _metrics(snapshot, names, "2026-03-01", "2026-03-31")
    # r02 r03 r04 r05 r06 r10 r11 r12 r13
    points, most = [80, 70, 44, 60, 78, 100, 100, 75, 20], [100, 100, 60, 80, 100, 100, 100, 100, 20]
    score = sum(points) / sum(most)
    residual = sum((y - score * x) ** 2 for y, x in zip(points, most, strict=True))
    half = intervals.Z * (residual * 9 / 8) ** 0.5 / sum(most)
    quality = found["quality_score"]
    assert (quality.value, quality.low, quality.high, quality.n) == (
        pytest.approx(score), pytest.approx(score - half), pytest.approx(score + half), 9,
    )  # fmt: skip
    assert quality.is_small_base
    assert found["quality_reviews"].value == 9 and found["quality_reviews_left_out"].value == 3
    assert found["fatal_error_rate"].value == pytest.approx(1 / 9)
    assert found["quality_item_score"].value == pytest.approx(score)
    assert found["quality_item_score"].low is None, "the items of a review are not independent"
    # Tone: 16, 14, 16 (r05), 16 (r06), 20, 20, 15, 20; r04 has none. One of eight is below 15.
    tone = _metrics(snapshot, names[-2:], "2026-03-01", "2026-03-31", item=("tone",))
    assert tone["quality_item_score"].value == pytest.approx(137 / 160)
    assert tone["quality_item_score"].n == 8 and tone["quality_item_score"].low is not None
    assert tone["weak_item_share"].value == pytest.approx(1 / 8) and tone["weak_item_share"].low is not None
    with closing(open_snapshot(snapshot)) as opened_snapshot:
        frame = metric_frame(opened_snapshot, ["weak_item_share"], by=["item"])
        assert frame["low"].null_count() == 0


def test_agreement_leaves_out_repeated_reviews_and_those_of_own_work(marts: duckdb.DuckDBPyConnection) -> None:
    # Of c1: r02 and r03, not r01, which r02 repeats. Of c5: r12 alone, for r07 is A1's of its own work.
    found = marts.execute(
        "select item, reviewer_1, reviewer_2, share_1, share_2, verdict_1, verdict_2 from warehouse.features.ftr_reviewer_pairs"
    ).fetchall()
    said = {row[0]: row[1:] for row in found}
    assert len(found) == len(said) == 7
    assert said.pop("fatal") == ("Q1", "Q2", None, None, False, True)
    assert said == dict.fromkeys([*SHEET, "all"], ("Q1", "Q2", 0.8, pytest.approx(0.7), False, True))
    rows = marts.execute(
        "select reviewer_1, statistic, contacts, value, reason, mean_difference from fct_reviewer_agreement where item = 'tone' and period = 'month' order by 1, 2"
    ).fetchall()
    assert [row for row in rows if row[1] in ("kappa", "percent_agreement")] == [
        ("Q1", "kappa", 1, None, "constant_reviewer", pytest.approx(0.1)), ("Q1", "percent_agreement", 1, 0.0, None, pytest.approx(0.1)),
        ("all", "kappa", 1, None, "constant_reviewer", None), ("all", "percent_agreement", 1, 0.0, None, None),
    ]  # fmt: skip


def test_weak_items_of_a_week(marts: duckdb.DuckDBPyConnection) -> None:
    found = {
        row[0]: row[1:]
        for row in marts.execute(
            "select agent_id, reviews, score, high, item_state from fct_weak_items where week_on = '2026-04-13' and item = 'tone' and agent_id like 'W%'"
        ).fetchall()
    }

    def high(points: list[int]) -> float:
        share = [point / 20 for point in points]
        return float(sum(share) / len(share) + stats.t.ppf(0.975, len(share) - 1) * stats.sem(share))

    assert found == {
        "W1": (9, pytest.approx(0.55), pytest.approx(high([10, 11, 12] * 3), abs=1e-5), "weak"),
        "W2": (8, pytest.approx(0.725), pytest.approx(high([20, 9] * 4), abs=1e-4), "suspected"),
        "W3": (7, pytest.approx(0.5), pytest.approx(0.5), "too_few"),
        "W4": (8, pytest.approx(0.525), pytest.approx(high([10, 11] * 4), abs=1e-4), "weak"),
    }
    # A1's twelve items of March: the newest week still sees them, seven weeks later it would not.
    assert marts.execute(
        "select bool_and(is_newest_week) from fct_weak_items where week_on = '2026-04-13'"
    ).fetchone() == (True,)


def test_training_needs_leave_out_who_has_left(marts: duckdb.DuckDBPyConnection) -> None:
    assert marts.execute(
        "select team_id, agents_judged, agents_weak, agents_suspected, shortfall, weak_agents, suspected_agents, priority from fct_training_needs where item = 'tone' and team_id = 'T5'"
    ).fetchall() == [("T5", 2, 1, 1, pytest.approx(0.225), "W1", "W2", 1)]  # fmt: skip


def test_the_effect_of_a_training(marts: duckdb.DuckDBPyConnection) -> None:
    found = marts.execute(
        "select item, is_target_item, agents_trained, agents_control, agents_left_out, trained_before, trained_after, control_before, control_after, effect, effect_low,"
        " effect_high, adjusted_effect, reason, is_final from fct_training_effects where improvement_action_id = 'TR1' and item = 'tone'"
    ).fetchall()
    # Changes 0.3 and 0.2 against 0 and 0.1; D3 had a training of its own. Welch with equal variances 0.005: 2 degrees of freedom.
    half = stats.t.ppf(0.975, 2) * (0.005 / 2 + 0.005 / 2) ** 0.5
    assert found == [
        ("tone", True, 2, 2, 1, pytest.approx(0.55), pytest.approx(0.8), pytest.approx(0.65), pytest.approx(0.7), pytest.approx(0.2), pytest.approx(0.2 - half),
         pytest.approx(0.2 + half), None, None, True),
    ]  # fmt: skip
    others = marts.execute("select distinct improvement_action_id from fct_training_effects order by 1").fetchall()
    assert others == [("TR1",), ("TR2",)], (
        "neither the cancelled one, nor the corrective action, nor the one that nothing is known of"
    )
    alone = marts.execute(
        "select agents_trained, reason from fct_training_effects where improvement_action_id = 'TR2' and item = 'tone'"
    ).fetchall()
    assert alone == [(1, "too_few_agents")]


def test_monthly_sheet_of_an_agent(marts: duckdb.DuckDBPyConnection) -> None:
    found = marts.execute(
        "select reviews, score, company_score, best_place, worst_place, fatal_errors, contacts_handled, csat_answers, csat_top2 from fct_agent_quality_months"
        " where agent_id = 'A1' and month_on = '2026-03-01' and item = 'all'"
    ).fetchall()
    # r02 r03 r04 r05 r06 r11 r12 r14: 607 of 740; the only agent with at least four reviews. The company: also r10 and r13.
    assert found == [(8, pytest.approx(607 / 740), pytest.approx(727 / 860), 1, 1, 1, 6, 0, None)]
    assert marts.execute(
        "select best_place from fct_agent_quality_months where agent_id = 'AX' and item = 'all'"
    ).fetchall() == [(None,)]


REFUSED = {
    "quality_coverage": [
        (["*,*,1,5,", ",T1,1,5,"], '",T1,1,5," has no agent_role or no org_unit_id; write * for any.'),
        (["*,*,1,5,", "a*t,*,1,5,"], '"a*t,*,1,5," has a * that is not the last sign of its pattern.'),
        (["*,*,1,5,", "agent,*,6,5,"], '"agent,*,6,5," needs whole numbers from 0 on, the minimum not above the target.'),
        (["*,*,1,5,", "agent,*,,5,"], '"agent,*,,5," needs whole numbers'),
        (["*,*,1,5,2026-01-01"], '"*,*,1,5," is missing: one line has to hold for every role and unit'),
    ],
    "quality_items": [
        (["*,false,0.75", "tone,true,75"], '"tone,true,75.0" has no item, says neither true nor false, or has no weak_below between 0 and 1.'),
        (["*,false,0.75", "all,true,0.5"], '"all,true,0.5" is a name that the reports use themselves'),
        (["tone,true,0.75"], '"*,false,0.75" is missing: it holds for items that have no line.'),
    ],
}  # fmt: skip


def test_lines_of_the_seeds_that_nobody_could_follow_are_refused_by_name(project: ShopProject) -> None:
    """By the query that dbt compiled, over tables of the same names."""
    (compiled,) = (project.home / "dbt_target" / "compiled").rglob("quality_seeds_are_clear.sql")
    query = compiled.read_text(encoding="utf-8")
    with duckdb.connect(":memory:") as connection:
        connection.execute("attach ':memory:' as warehouse")
        connection.execute("create schema warehouse.seeds")
        connection.execute(
            "create table warehouse.seeds.quality_coverage (agent_role varchar, org_unit_id varchar, minimum integer, target integer, valid_from date)"
        )
        connection.execute(
            "create table warehouse.seeds.quality_items (item varchar, is_on_sheet boolean, weak_below double)"
        )

        def fill(seed: str, lines: list[str]) -> None:
            connection.execute(f"delete from warehouse.seeds.{seed}")
            for line in lines:
                fields = [field or None for field in line.split(",")]
                connection.execute(
                    f"insert into warehouse.seeds.{seed} values ({', '.join('?' * len(fields))})", fields
                )

        good = {"quality_coverage": ["*,*,1,5,"], "quality_items": ["*,false,0.75"]}
        for seed, lines in good.items():
            fill(seed, lines)
        assert connection.execute(query).fetchall() == []
        for seed, cases in REFUSED.items():
            for lines, message in cases:
                fill(seed, lines)
                with pytest.raises(duckdb.Error) as refused:
                    connection.execute(query).fetchall()
                assert f"{seed}.csv: the line {message}" in str(refused.value)
            fill(seed, good[seed])
