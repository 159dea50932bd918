"""Satisfaction indices through every model and the snapshot: weights, sums, changes and competitors, each by a second computation or by hand."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from dashboards.data.metrics import Filters, metric_frame, metric_value
from dashboards.data.snapshot import Snapshot, open_snapshot
from orchestration.demo import systems
from orchestration.modelling.paths import estimate, path_model
from orchestration.serving import build
from tests.warehouse.shop_project import ShopProject, make_shop_project, opened

pytestmark = pytest.mark.slow

LATENT = {"q1": "quality", "q2": "quality", "q3": "quality", "s1": "satisfaction", "s2": "satisfaction"}
SCALES = {"IDX01": {item: (1, 10) for item in LATENT}, "IDX02": {item: (1, 10) for item in LATENT} | {"q1": (1, 5)}}
SCALES["IDX03"] = SCALES["IDX02"]
REVERSED = "s2"
SEEDED = {
    "2026-01-01": {"q1": 2.0, "q2": 1.0, "q3": 1.0, "s1": 3.0, "s2": 1.0},
    "2026-06-01": {"q1": 1.0, "q2": 1.0, "q3": 2.0, "s1": 1.0, "s2": 1.0},
}


@dataclass(frozen=True)
class Response:
    """One made-up response: what was typed in by item; None = the question stands there without an answer."""

    name: str
    survey: str
    wave: str
    day: str
    unit: str
    product: str
    weight: str
    typed: dict[str, str | None]

    def score(self, item: str) -> float | None:
        """Answer on 0 to 100 of its own scale, high = good."""
        text, (low, high) = self.typed.get(item), SCALES[self.survey][item]
        if not text or not low <= float(text) <= high:
            return None
        share = (float(text) - low) / (high - low)
        return 100 * (1 - share if item == REVERSED else share)

    def index(self, latent: str, weights: dict[str, float]) -> float | None:
        """By hand: the weighted mean of what was answered, if that is at least half of the weight."""
        own = {item: w for item, w in weights.items() if LATENT[item] == latent}
        got = {item: w for item, w in own.items() if self.score(item) is not None}
        if sum(got.values()) < 0.5 * sum(own.values()):
            return None
        return sum(w * (self.score(item) or 0.0) for item, w in got.items()) / sum(got.values())

    @property
    def base_weight(self) -> float:
        return float(self.weight or 1)


def _made() -> list[Response]:
    rng = np.random.default_rng(12)
    made: list[Response] = []

    def wave(survey: str, label: str, day: str, units: list[str], lift: float) -> None:
        for number, unit in enumerate(units):
            core = rng.normal()
            typed: dict[str, str | None] = {}
            for item, latent in LATENT.items():
                low, high = SCALES[survey][item]
                share = 0.62 + lift + 0.13 * core + 0.09 * rng.normal() + (0.03 if latent == "satisfaction" else 0)
                share = 1 - share if item == REVERSED else share
                typed[item] = str(int(np.clip(np.round(low + share * (high - low)), low, high)))
            for item in ("q2", "s1"):
                if rng.random() < 0.06:
                    typed[item] = "99" if rng.random() < 0.5 else "11"
            product = ["mobile", "broadband", "fixed"][number % 3]
            made.append(
                Response(
                    f"{label or 'none'}-{number:03d}", survey, label, day, unit, product, ["", "0.5"][number % 2], typed
                )
            )

    wave("IDX01", "2026-01", "01/12/2026", ["C-A1"] * 30 + ["C-A2"] * 27 + ["C-B1"] * 3, 0.0)
    wave("IDX02", "2026-07", "07/14/2026", ["C-A1"] * 30 + ["C-B2"] * 16 + ["C-B1"] * 12, 0.06)
    wave("IDX02", "2026-10", "10/14/2026", ["C-A1"] * 4, 0.0)
    wave("IDX03", "", "11/05/2026", ["C-A1"] * 2, 0.0)
    odd: dict[str, str | None] = dict.fromkeys(LATENT)
    made.append(Response("only_s1", "IDX01", "2026-01", "01/12/2026", "C-A1", "mobile", "", odd | {"s1": "9"}))
    made.append(Response("only_s2", "IDX01", "2026-01", "01/12/2026", "C-A1", "mobile", "", odd | {"s2": "9"}))
    made.append(
        Response("nothing", "IDX01", "2026-01", "01/12/2026", "C-A1", "mobile", "", odd | {"s1": "99", "s2": ""})
    )
    return made


RESPONSES = _made()
WAVES = ["2026-01", "2026-07", "2026-10", "2026-Q4"]


def _of(period: str) -> list[Response]:
    return [one for one in RESPONSES if (one.wave or "2026-Q4") == period]


PUBLISHED = [  # measure, entity, period, product, value, lower, upper, note
    ("EDGE", "a", "2020", "mobile", "70.0", "69.0", "71.0", "rounded"), ("EDGE", "b", "2020", "mobile", "70.5", "", "", ""),
    ("EDGE", "c", "2020", "mobile", "60.", "", "", ""), ("EDGE", "d", "2020", "mobile", "80.0", "", "", ""),
    ("TIE", "a", "2020", "mobile", "70.0", "", "", ""), ("TIE", "b", "2020", "mobile", "70.0", "", "", ""),
    ("OPEN", "a", "2020", "mobile", "70.0", "", "", ""), ("OPEN", "b", "2020", "mobile", "", "", "", "not published"),
    ("ALONE", "a", "2020", "mobile", "70.0", "", "", ""), ("TEXT", "a", "2020", "mobile", "seventy", "", "", ""),
    ("DUO", "low", "2024", "mobile", "30.", "", "", ""), ("DUO", "low", "2019", "mobile", "99.0", "", "", ""),
    ("DUO", "high", "2024 H1", "mobile", "95.0", "", "", ""), ("DUO", "near", "2024", "mobile", "66.0", "60.0", "72.0", "read off a chart"),
    ("DUO", "later", "2027", "mobile", "95.0", "", "", ""), ("DUO", "silent", "2024", "mobile", "", "", "", "not published"),
]  # fmt: skip


def _csv(header: str, rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header.split(","), *rows])
    return text.getvalue()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ShopProject:
    project = make_shop_project(tmp_path_factory.mktemp("index"), "surveys", "crm")
    project.replace_seed(
        "index_models", "DUO,IDX*,quality,,,path", "DUO,IDX*,satisfaction,quality,satisfaction,path",
        "SET,IDX*,quality,,,centroid", "SET,IDX*,satisfaction,quality,satisfaction,centroid",
    )  # fmt: skip
    project.replace_seed(
        "index_weights",
        *(f"SET,{day},{LATENT[item]},{item},{w}" for day, weights in SEEDED.items() for item, w in weights.items()),
    )
    units = [["HQ", "", "HQ"], ["P-A", "HQ", "PROV"], ["P-B", "HQ", "PROV"], ["C-A1", "P-A", "CITY"], ["C-A2", "P-A", "CITY"],
             ["C-B1", "P-B", "CITY"], ["C-B2", "P-B", "CITY"]]  # fmt: skip
    project.deliver(
        "org_units_20261120.csv",
        _csv("unit_code,parent_code,name_zh,name_en,level,time_zone,calendar,valid_from,valid_to",
             [[code, parent, code, code, level, "Asia/Shanghai", "", "", ""] for code, parent, level in units]),
        source="crm",
    )  # fmt: skip
    questions = [
        [survey, item, "index", LATENT[item], "1", item, item, str(low), str(high), "Y" if item == REVERSED else "N", "11;99"]
        for survey, scales in SCALES.items() for item, (low, high) in scales.items()
    ]  # fmt: skip
    project.deliver(
        "questions_20261120.csv",
        _csv(
            "survey_id,question_id,role,construct,item_no,text_en,text_zh,scale_min,scale_max,reversed,blank_codes",
            questions,
        ),
        source="surveys",
    )
    project.deliver(
        "responses_20261120.csv",
        _csv("response_id,survey_id,survey_type,wave,contact_type,mode,unit_code,product,submitted_at,base_weight",
             [[one.name, one.survey, "tcsi", one.wave, "relationship", "sms", one.unit, one.product, f"{one.day} 01:00:00 AM", one.weight]
              for one in RESPONSES]),
        source="surveys",
    )  # fmt: skip
    project.deliver(
        "answers_20261120.csv",
        _csv("response_id,survey_id,question_id,value,submitted_at",
             [[one.name, one.survey, item, text or "", f"{one.day} 01:00:00 AM"] for one in RESPONSES for item, text in one.typed.items()]),
        source="surveys",
    )  # fmt: skip
    tcsi = [
        ["" if value is None else str(value) for value in row]
        for row in systems.external_measures().drop("_day").iter_rows()
    ]
    project.deliver(
        "published_index_20261120.csv",
        _csv(
            "measure,entity,period,product,value,lower_bound,upper_bound,note,cited_source",
            [*tcsi, *([*row, "made up"] for row in PUBLISHED)],
        ),
        source="crm",
    )
    project.load("load-1")
    project.build(full=True)
    return project


@pytest.fixture(scope="module")
def marts(project: ShopProject) -> Iterator[duckdb.DuckDBPyConnection]:
    with opened(project) as connection:
        yield connection


@pytest.fixture(scope="module")
def snapshot_path(project: ShopProject) -> Path:
    return build.build_snapshot(project.settings, run_id="run-1").path


@pytest.fixture
def snapshot(snapshot_path: Path) -> Iterator[Snapshot]:
    with closing(open_snapshot(snapshot_path)) as found:
        yield found


def _rows(marts: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    return marts.execute(sql).pl().to_dicts()


def _weights(marts: duckdb.DuckDBPyConnection, model: str, period: str, column: str = "weight") -> dict[str, float]:
    rows = _rows(
        marts,
        f"select item, {column} as w from fct_index_weights where model = '{model}' and period = '{period}' and {column} is not null",
    )
    return {row["item"]: row["w"] for row in rows}


def _estimated(period: str) -> dict[str, float]:
    """The weights of a wave by the estimator itself, on a table made here."""
    people = sorted(_of(period), key=lambda one: one.name)
    items = sorted(LATENT, key=lambda item: (LATENT[item], item))
    values = np.array([[np.nan if (score := one.score(item)) is None else score for item in items] for one in people])
    found = estimate(
        path_model([("quality", None), ("satisfaction", "quality")]), items, [0 if LATENT[i] == "quality" else 1 for i in items],
        values, [one.base_weight for one in people], draws=0,
    )  # fmt: skip
    assert found.reason is None and found.index_weights is not None
    return dict(zip(found.items, found.index_weights[0].tolist(), strict=True))


@pytest.mark.parametrize("period", ["2026-01", "2026-07"])
def test_own_weights_are_those_of_the_estimator(marts: duckdb.DuckDBPyConnection, period: str) -> None:
    assert _weights(marts, "DUO", period, "own_weight") == pytest.approx(_estimated(period), abs=1e-9)


def test_a_model_without_seeded_weights_has_those_of_its_first_complete_wave(marts: duckdb.DuckDBPyConnection) -> None:
    for period in WAVES:
        assert _weights(marts, "DUO", period) == pytest.approx(_estimated("2026-01"), abs=1e-8)
    found = marts.execute(
        "select distinct weights_from, is_final from fct_index_weights where model = 'DUO'"
    ).fetchall()
    assert found == [("estimate of 2026-01", True)]


def test_seeded_weights_hold_from_their_day_and_the_first_set_before_it(marts: duckdb.DuckDBPyConnection) -> None:
    found = dict(
        marts.execute("select distinct period, weights_from from fct_index_weights where model = 'SET'").fetchall()
    )
    assert found == {
        "2026-01": "seed 2026-01-01", "2026-07": "seed 2026-06-01", "2026-10": "seed 2026-06-01", "2026-Q4": "seed 2026-06-01",
    }  # fmt: skip
    assert _weights(marts, "SET", "2026-01") == pytest.approx(
        {"q1": 0.5, "q2": 0.25, "q3": 0.25, "s1": 0.75, "s2": 0.25}
    )


def test_a_wave_of_four_has_no_weights_of_its_own_and_says_why(marts: duckdb.DuckDBPyConnection) -> None:
    found = _rows(
        marts,
        "select period, figure, reason, respondents from fct_index_paths where model = 'DUO' and figure = 'no_result' order by period",
    )
    assert found == [
        {"period": "2026-10", "figure": "no_result", "reason": "fewer_answers_than_items", "respondents": 4},
        {"period": "2026-Q4", "figure": "no_result", "reason": "fewer_answers_than_items", "respondents": 2},
    ]
    assert _weights(marts, "DUO", "2026-10", "own_weight") == {}


@pytest.mark.parametrize("model", ["DUO", "SET"])
def test_every_respondents_index_by_hand(marts: duckdb.DuckDBPyConnection, model: str) -> None:
    rows = _rows(
        marts,
        f"select period, response_id, latent_variable, index_score from fct_index_responses where model = '{model}'",
    )
    found = {(row["response_id"], row["latent_variable"]): row["index_score"] for row in rows}
    weights = {period: _weights(marts, model, period) for period in WAVES}
    expected = {
        (one.name, latent): one.index(latent, weights[period])
        for period in WAVES for one in _of(period) for latent in ("quality", "satisfaction")
    }  # fmt: skip
    assert {key for key, value in found.items() if value is None} == {
        key for key, value in expected.items() if value is None
    }
    numbers = {key: value for key, value in expected.items() if value is not None}
    assert {key: found[key] for key in numbers} == pytest.approx(numbers, abs=1e-6)
    # The rule of half the weight: with 3 : 1 one of two items is enough or not.
    if model == "SET":
        assert found[("only_s1", "satisfaction")] is not None and found[("only_s2", "satisfaction")] is None
    assert found[("nothing", "satisfaction")] is None


def test_a_scale_that_changed_counts_by_its_own_ends(marts: duckdb.DuckDBPyConnection) -> None:
    """4 on 1 to 5 is 75, not the third of 1 to 10."""
    found = dict(
        marts.execute(
            "select score_100, count(*) from warehouse.features.ftr_index_answers where model = 'DUO' and item = 'q1' and period = '2026-07' group by all"
        ).fetchall()
    )
    assert set(found) <= {0.0, 25.0, 50.0, 75.0, 100.0}
    typed = [one.typed["q1"] for one in _of("2026-07")]
    assert found[75.0] == typed.count("4") > 0


def test_reversed_items_and_blank_codes(marts: duckdb.DuckDBPyConnection) -> None:
    answers = dict(
        ((row["response_id"], row["item"]), row["score_100"])
        for row in _rows(
            marts, "select response_id, item, score_100 from warehouse.features.ftr_index_answers where model = 'DUO'"
        )
    )
    assert answers[("only_s2", "s2")] == pytest.approx(100 / 9)  # 9 of 1 to 10, reversed
    assert answers[("nothing", "s1")] is None and answers[("nothing", "s2")] is None
    blanks = [(one.name, item) for one in RESPONSES for item, text in one.typed.items() if text in ("11", "99")]
    assert len(blanks) > 5 and all(answers[key] is None for key in blanks)


def _mean(people: list[Response], latent: str, weights: dict[str, float]) -> float:
    scored = [(one.base_weight, found) for one in people if (found := one.index(latent, weights)) is not None]
    return sum(w * x for w, x in scored) / sum(w for w, _ in scored)


def test_headquarters_are_the_sum_of_their_parts(marts: duckdb.DuckDBPyConnection) -> None:
    sums = "sum(weighted_index_sum) as points, sum(weight_sum) as base, sum(respondents)::bigint as n"
    where = "where model = 'DUO' and period = '2026-01' and latent_variable = 'satisfaction'"
    whole = _rows(marts, f"select {sums} from fct_satisfaction_index {where}")[0]
    parts = _rows(
        marts, f"select province_id, {sums} from fct_satisfaction_index {where} group by province_id order by 1"
    )
    assert [row["province_id"] for row in parts] == ["P-A", "P-B"]
    for name in ("points", "base", "n"):
        assert whole[name] == pytest.approx(sum(row[name] for row in parts))
    weights = _weights(marts, "DUO", "2026-01")
    assert whole["points"] / whole["base"] == pytest.approx(_mean(_of("2026-01"), "satisfaction", weights), abs=1e-6)
    provinces = [row["points"] / row["base"] for row in parts]
    assert whole["points"] / whole["base"] != pytest.approx(sum(provinces) / 2, abs=0.01)  # no mean of means


def test_the_metric_and_its_interval(marts: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> None:
    weights = _weights(marts, "DUO", "2026-07")
    scored = [
        (one.base_weight, found) for one in _of("2026-07") if (found := one.index("satisfaction", weights)) is not None
    ]
    w, x = np.array([weight for weight, _ in scored]), np.array([score for _, score in scored])
    mean = float((w * x).sum() / w.sum())
    error = float(np.sqrt((w**2 * (x - mean) ** 2).sum() * len(w) / (len(w) - 1)) / w.sum())
    value = metric_value(snapshot, "satisfaction_index", Filters(where={"model": ("DUO",), "period": ("2026-07",)}))
    assert (value.value, value.n, value.is_small_base) == (pytest.approx(mean, abs=1e-6), len(w), False)
    assert (value.low, value.high) == (
        pytest.approx(mean - 1.959964 * error, abs=1e-5),
        pytest.approx(mean + 1.959964 * error, abs=1e-5),
    )
    own = metric_value(
        snapshot, "satisfaction_index_own_weights", Filters(where={"model": ("DUO",), "period": ("2026-07",)})
    )
    assert own.value == pytest.approx(_mean(_of("2026-07"), "satisfaction", _estimated("2026-07")), abs=1e-6)


def test_a_unit_with_three_respondents_has_a_small_base(snapshot: Snapshot) -> None:
    where = {"model": ("DUO",), "period": ("2026-01",)}
    small = metric_value(snapshot, "satisfaction_index", Filters(units=("C-B1",), where=where))
    assert (small.n, small.is_small_base) == (3, True) and small.value is not None and small.low is not None
    large = metric_value(snapshot, "satisfaction_index", Filters(units=("P-A",), where=where))
    assert large.n > 50 and not large.is_small_base
    nobody = metric_value(snapshot, "satisfaction_index", Filters(units=("C-B2",), where=where))
    assert (nobody.value, nobody.low) == (None, None)


def test_every_latent_variable_and_an_interval_only_of_one(snapshot: Snapshot) -> None:
    slice_ = Filters(where={"model": ("DUO",), "period": ("2026-01",)})
    by_latent = metric_frame(snapshot, ["index_score"], by=["latent_variable"], filters=slice_)
    assert by_latent["latent_variable"].to_list() == ["quality", "satisfaction"] and by_latent["low"].null_count() == 0
    assert metric_value(snapshot, "index_score", slice_).low is None


def _shapley(marts: duckdb.DuckDBPyConnection, model: str, column: str, mix: str) -> tuple[float, dict[str, float]]:
    """Change of the satisfaction index from January to July and its three effects, by walking all six orders."""
    before, after = "2026-01", "2026-07"
    weights = {period: _weights(marts, model, period, column) for period in (before, after)}

    def group(one: Response) -> str:
        return (
            one.product
            if mix == "product_line"
            else one.unit[:3].replace("C-", "P-")
            if mix == "province"
            else "unknown"
        )

    def index(answers: str, weighting: str, shares: str) -> float:
        in_mix: dict[str, float] = {}
        for one in _of(shares):
            if one.index("satisfaction", weights[shares]) is not None:
                in_mix[group(one)] = in_mix.get(group(one), 0.0) + one.base_weight
        total = 0.0
        for name, share in in_mix.items():
            for period in (answers, before if answers == after else after):  # a group without answers keeps its level
                people = [one for one in _of(period) if group(one) == name]
                if people:
                    total += share * _mean(people, "satisfaction", weights[weighting])
                    break
        return total / sum(in_mix.values())

    effects = dict.fromkeys(("level", "weight", "mix"), 0.0)
    for order in itertools.permutations(effects):
        state = dict.fromkeys(effects, before)
        for name in order:
            old = index(state["level"], state["weight"], state["mix"])
            state[name] = after
            effects[name] += (index(state["level"], state["weight"], state["mix"]) - old) / 6
    return index(after, after, after) - index(before, before, before), effects


@pytest.mark.parametrize("mix", ["product_line", "province", "customer_kind"])
@pytest.mark.parametrize(("model", "weighting"), [("DUO", "frozen"), ("DUO", "own"), ("SET", "frozen")])
def test_a_change_is_level_and_weight_and_mix(
    marts: duckdb.DuckDBPyConnection, model: str, weighting: str, mix: str
) -> None:
    row = _rows(
        marts, f"select * from fct_index_changes where model = '{model}' and period = '2026-07' and latent_variable = 'satisfaction'"
        f" and weighting = '{weighting}' and mix_dimension = '{mix}'",
    )[0]  # fmt: skip
    change, effects = _shapley(marts, model, "weight" if weighting == "frozen" else "own_weight", mix)
    assert row["previous_period"] == "2026-01" and row["index_change"] == pytest.approx(change, abs=1e-6)
    for name, effect in effects.items():
        assert row[f"{name}_effect"] == pytest.approx(effect, abs=1e-6), name
    if model == "DUO" and weighting == "frozen":
        assert row["weight_effect"] == 0
    else:
        assert abs(row["weight_effect"]) > 0.01
    if mix == "province":
        assert abs(row["mix_effect"]) > 0.01


def test_the_three_always_add_up(marts: duckdb.DuckDBPyConnection) -> None:
    rows = _rows(marts, "select * from fct_index_changes")
    known = [row for row in rows if row["index_change"] is not None]
    assert len(rows) == 2 * 3 * 2 * 2 * 3 and len(known) > 10
    for row in known:
        assert row["level_effect"] + row["weight_effect"] + row["mix_effect"] == pytest.approx(
            row["index_change"], abs=1e-8
        )
        assert row["index_after"] - row["index_before"] == pytest.approx(row["index_change"], abs=1e-8)
        assert row["reason"] is None
    silent = [row for row in rows if row["index_change"] is None]
    assert silent and {row["reason"] for row in silent} == {"no_index_in_a_period"}
    assert {(row["period"], row["weighting"]) for row in silent} == {("2026-10", "own"), ("2026-Q4", "own")}
    assert all(row["level_effect"] is row["weight_effect"] is row["mix_effect"] is None for row in silent)
    assert {row["is_small_base"] for row in rows if row["period"] == "2026-10"} == {True}


def test_the_index_of_a_change_is_the_index(marts: duckdb.DuckDBPyConnection) -> None:
    found = _rows(
        marts, "select c.index_after, s.value from fct_index_changes as c inner join (select model, period, latent_variable,"
        " sum(weighted_index_sum) / sum(weight_sum) as value from fct_satisfaction_index group by all) as s using (model, period, latent_variable)"
        " where c.weighting = 'frozen'",
    )  # fmt: skip
    assert len(found) == 36 and all(row["index_after"] == pytest.approx(row["value"], abs=1e-6) for row in found)


def test_the_tcsi_of_2008_as_printed(marts: duckdb.DuckDBPyConnection) -> None:
    rows = _rows(marts, "select * from fct_external_measures where measure = 'TCSI'")
    values = {(row["product_line"], row["entity"]): row["published_value"] for row in rows}
    assert values == {
        ("fixed", "中国电信"): 77.7, ("fixed", "中国联通"): 78.9, ("fixed", "中国铁通"): 78.0,
        ("mobile", "中国电信"): 75.1, ("mobile", "中国移动"): 78.6, ("mobile", "中国联通"): 77.5,
        ("broadband", "中国电信"): 68.3, ("broadband", "中国网通"): None,
    }  # fmt: skip
    broken = next(row for row in rows if row["published_value"] is None)
    assert (broken["lower_bound"], broken["upper_bound"], broken["value_note"]) == (71.0, 71.9, 'printed as "71."')
    last = {row["product_line"] for row in rows if row["is_certainly_last"] and row["entity"] == "中国电信"}
    assert last == {"fixed", "mobile", "broadband"}
    assert sum(row["is_certainly_last"] for row in rows) == 3 and all(row["is_rank_certain"] for row in rows)


@pytest.mark.parametrize(
    ("measure", "entity", "ranks", "is_certain", "is_last"),
    [
        ("EDGE", "a", (2, 3), False, False),  # 69.0 to 71.0 and 70.5: nobody can tell
        ("EDGE", "b", (2, 3), False, False),
        ("EDGE", "c", (4, 4), True, True),  # 60.0 to 60.9
        ("EDGE", "d", (1, 1), True, False),
        ("TIE", "a", (1, 1), True, False),
        ("TIE", "b", (1, 1), True, False),
        ("OPEN", "a", (1, 2), False, False),
        ("OPEN", "b", (1, 2), False, False),
        ("ALONE", "a", (1, 1), True, False),
    ],
)
def test_ranks_within_bounds(
    marts: duckdb.DuckDBPyConnection, measure: str, entity: str, ranks: tuple[int, int], is_certain: bool, is_last: bool
) -> None:
    found = marts.execute(
        "select highest_rank, lowest_rank, is_rank_certain, is_certainly_last from fct_external_measures where measure = ? and entity = ?",
        [measure, entity],
    ).fetchall()
    assert found == [(*ranks, is_certain, is_last)]


def test_a_figure_in_words_is_quarantined_and_not_guessed(marts: duckdb.DuckDBPyConnection) -> None:
    assert marts.execute("select count(*) from fct_external_measures where measure = 'TEXT'").fetchall() == [(0,)]
    found = marts.execute(
        "select _status from warehouse.intermediate.int_external_measures where measure = 'TEXT'"
    ).fetchall()
    assert found == [("quarantined",)]


def test_our_index_beside_the_competitors(marts: duckdb.DuckDBPyConnection) -> None:
    rows = _rows(marts, "select * from fct_index_comparison where model = 'DUO' and period = '2026-07'")
    found = {
        row["entity"]: (row["standing"], row["published_period"], row["lower_bound"], row["years_apart"])
        for row in rows
    }
    assert found == {
        "low": ("above", "2024", 30.0, 2), "high": ("below", "2024 H1", 95.0, 2), "near": ("undecided", "2024", 60.0, 2),
        "silent": ("undecided", "2024", None, 2),
    }  # fmt: skip
    weights = _weights(marts, "DUO", "2026-07")
    mobile = [one for one in _of("2026-07") if one.product == "mobile"]
    assert rows[0]["own_index"] == pytest.approx(_mean(mobile, "satisfaction", weights), abs=1e-6)
    assert rows[0]["own_respondents"] == len(mobile) and rows[0]["is_small_base"]
