"""Seven waves of the airport's survey against means and counts that polars takes from the files' own columns."""

from __future__ import annotations

import re
from datetime import date, datetime

import polars as pl
import pytest

from tests.acceptance.conftest import RealHome, file_rows

pytestmark = pytest.mark.real_data

YEARS = [str(year) for year in range(2010, 2017)]
ROWS = {"2010": 3_234, "2011": 3_872, "2012": 3_521, "2013": 3_535, "2014": 2_818, "2015": 2_958, "2016": 3_087}
ANSWERS = "from fct_survey_answers where source = 'sfo_surveys'"

# The columns that hold ratings, by the headers of each year.
RATINGS = {
    "2010": r"Q6[A-N]|Q8[A-F]|Q9|Q11|Q13[AB]",
    "2011": r"Q8[A-N]|Q10[A-F]|Q11|Q13|Q15[AB]",
    "2012": r"Q8[A-N]_.*|Q10[A-F]_.*|Q11SAFE|Q13_RATEWEB|Q14RATEGETTO|Q15[AB]_.*",
    "2013": r"Q7[A-O]_.*|Q9[A-F]_CLN.*|Q10SAFE|Q13_RATEGETTO|Q14[AB]_.*",
    "2014": r"Q7[A-Z]+|Q9(?!COM)[A-Z]+|Q10SAFE|Q12PRECHECKRATE|Q13GETRATE|Q14[A-Z]+",
    "2015": r"Q7[A-Z]+|Q9(?!COM)[A-Z]+|Q10SAFE|Q12PRECHEKCRATE|Q13GETRATE|Q14[A-Z]+",
    "2016": r"Q7[A-Z]+|Q9(?!COM)[A-Z]+|Q10SAFE|Q12PRECHECKRATE|Q13GETRATE|Q14[A-Z]+",
}
# One question under its header of each year.
QUESTIONS: dict[str, list[str | None]] = {
    "overall": ["Q6N", "Q8N", "Q8N_WHOLE", "Q7O_WHOLE", "Q7ALL", "Q7ALL", "Q7ALL"],
    "safety": ["Q9", "Q11", "Q11SAFE", "Q10SAFE", "Q10SAFE", "Q10SAFE", "Q10SAFE"],
    "food": ["Q6B", "Q8B", "Q8B_FOOD", "Q7B_FOOD", "Q7FOOD", "Q7FOOD", "Q7FOOD"],
    "clean_restrooms": ["Q8F", "Q10F", "Q10F_CLNBATH", "Q9E_CLNBATH", "Q9RESTROOM", "Q9RESTROOM", "Q9RESTROOM"],
    "security": ["Q13B", "Q15B", "Q15B_SECURITY", "Q14B_SECURITY", "Q14PASSTHRU", "Q14PASSTHRU", "Q14PASSTHRU"],
    "wifi": [None, None, None, "Q7I_WIFI", "Q7WIFI", "Q7WIFI", "Q7WIFI"],
}


@pytest.fixture(scope="module")
def waves(real_home: RealHome) -> dict[str, pl.DataFrame]:
    """Each year's file, all text."""
    folder = real_home.data / "sfo_surveys"
    return {
        year: pl.read_csv(folder / f"{year}_SFO_Customer_Survey.csv", infer_schema=False).fill_null("")
        for year in YEARS
    }


def test_every_form_is_a_response(real_home: RealHome, waves: dict[str, pl.DataFrame]) -> None:
    assert {year: wave.height for year, wave in waves.items()} == ROWS
    assert {
        year: len(file_rows(real_home.data / "sfo_surveys" / f"{year}_SFO_Customer_Survey.csv")) - 1 for year in YEARS
    } == ROWS
    assert (
        dict(
            real_home.rows("select wave, count(*) from fct_survey_responses where source = 'sfo_surveys' group by all")
        )
        == ROWS
    )
    assert real_home.rows("select * from fct_quarantined_rows where source = 'sfo_surveys'") == []
    for year in YEARS:
        assert real_home.one(f"select count(*) from raw.raw_sfo_surveys.survey_{year}") == ROWS[year]


def test_respondent_numbers_begin_anew_each_year(real_home: RealHome, waves: dict[str, pl.DataFrame]) -> None:
    numbers = {year: wave[_respondent(wave)] for year, wave in waves.items()}
    assert all(numbers[year].n_unique() == ROWS[year] for year in YEARS)
    assert len(set().union(*map(set, numbers.values()))) < sum(ROWS.values())
    expected = {f"{year}-{number}" for year in YEARS for number in numbers[year]}
    assert {
        row[0] for row in real_home.rows("select response_id from fct_survey_responses where source = 'sfo_surveys'")
    } == expected


def _respondent(wave: pl.DataFrame) -> str:
    return next(name for name in wave.columns if name.strip("*") == "RESPNUM")


def test_ratings_six_is_never_used_and_zero_is_blank(real_home: RealHome, waves: dict[str, pl.DataFrame]) -> None:
    found = {
        (wave, kind): count
        for wave, kind, count in real_home.rows(
            f"select wave, coalesce(blank_kind, cast(cast(answer_value as integer) as varchar)), count(*) {ANSWERS} group by all"
        )
    }
    expected: dict[tuple[str, str], int] = {}
    for year, wave in waves.items():
        columns = [name for name in wave.columns if re.fullmatch(RATINGS[year], name)]
        for value, count in (
            wave.select(pl.concat_list(columns).explode().alias("value"))["value"].value_counts().rows()
        ):
            kind = {"6": "not_applicable", "0": "blank", "": "blank"}.get(value, value)
            expected[year, kind] = expected.get((year, kind), 0) + count
    assert found == expected
    assert {kind for _, kind in found} == {"1", "2", "3", "4", "5", "not_applicable", "blank"}


@pytest.mark.parametrize("question", QUESTIONS)
def test_means_by_wave_raw_and_weighted(real_home: RealHome, waves: dict[str, pl.DataFrame], question: str) -> None:
    found = {
        row[0]: row[1:]
        for row in real_home.rows(
            f"select wave, count(*), avg(answer_value), sum(answer_value * base_weight) / sum(base_weight) {ANSWERS} and question_id = ? and is_valid group by all",
            [question],
        )
    }
    asked = {year: header for year, header in zip(YEARS, QUESTIONS[question], strict=True) if header}
    assert set(found) == set(asked)
    for year, header in asked.items():
        rated = (
            waves[year]
            .filter(pl.col(header).is_in(list("12345")))
            .with_columns(pl.col(header).cast(pl.Float64).alias("rating"))
        )
        count, mean, weighted = found[year]
        assert count == rated.height
        assert mean == pytest.approx(rated["rating"].mean(), abs=1e-9)
        if "WEIGHT" in rated.columns:
            by_weight = rated.with_columns(pl.col("WEIGHT").cast(pl.Float64))
            assert weighted == pytest.approx(
                by_weight.select((pl.col("rating") * pl.col("WEIGHT")).sum() / pl.col("WEIGHT").sum()).item(), abs=1e-9
            )
        else:
            assert weighted is None


def test_weights_are_absent_in_two_years_and_not_made_up(real_home: RealHome, waves: dict[str, pl.DataFrame]) -> None:
    assert [year for year, wave in waves.items() if "WEIGHT" not in wave.columns] == ["2011", "2012"]
    expected = {year: (ROWS[year] if "WEIGHT" in wave.columns else 0) for year, wave in waves.items()}
    assert (
        dict(
            real_home.rows(
                "select wave, count(base_weight) from fct_survey_responses where source = 'sfo_surveys' group by all"
            )
        )
        == expected
    )
    assert real_home.one(
        "select sum(base_weight) from fct_survey_responses where source = 'sfo_surveys' and wave = '2013'"
    ) == pytest.approx(waves["2013"]["WEIGHT"].cast(pl.Float64).sum())


def test_days_of_the_interviews(real_home: RealHome, waves: dict[str, pl.DataFrame]) -> None:
    """2016 writes whole dates, all of them in May; the years before write the day of the month."""
    whole = [datetime.strptime(text, "%m/%d/%Y %I:%M:%S %p").date() for text in waves["2016"]["INTDATE"]]
    assert {(day.year, day.month) for day in whole} == {(2016, 5)}
    found = dict(
        real_home.rows("select response_id, responded_on from fct_survey_responses where source = 'sfo_surveys'")
    )
    numbers = {year: wave[_respondent(wave)].to_list() for year, wave in waves.items()}
    expected = {f"2016-{number}": day for number, day in zip(numbers["2016"], whole, strict=True)}
    for year in YEARS[:-1]:
        days = [date(int(year), 5, int(day)) for day in waves[year]["INTDATE"]]
        expected |= {f"{year}-{number}": day for number, day in zip(numbers[year], days, strict=True)}
    assert found == expected


def test_the_header_of_2016(real_home: RealHome, waves: dict[str, pl.DataFrame]) -> None:
    """`*RESPNUM` is the respondent; EGYPTAIR holds codes 1 and 2 of something undocumented beside the airline's own column: kept, not read."""
    header = waves["2016"].columns
    assert header[0] == "*RESPNUM" and "EGYPTAIR" in header and "AIRLINE" in header
    found = real_home.rows("select egyptair, count(*) from raw.raw_sfo_surveys.survey_2016 group by all")
    assert set(found) == set(waves["2016"]["EGYPTAIR"].value_counts().rows())
    assert real_home.one("select count(distinct respnum) from raw.raw_sfo_surveys.survey_2016") == ROWS["2016"]
    assert (
        real_home.rows("select file_name, warnings from fct_loads where source = 'sfo_surveys' and warnings <> '[]'")
        == []
    )


def test_csat_of_the_whole_airport(real_home: RealHome, waves: dict[str, pl.DataFrame]) -> None:
    """The overall rating is the satisfaction question: 4 and 5 are satisfied."""
    satisfied = valid = 0
    for year, header in zip(YEARS, QUESTIONS["overall"], strict=True):
        assert header
        ratings = waves[year][header]
        satisfied += len(ratings.filter(ratings.is_in(["4", "5"])))
        valid += len(ratings.filter(ratings.is_in(list("12345"))))
    (row,) = [row for row in real_home.metric("csat_top2", "--by", "source") if row["source"] == "sfo_surveys"]
    assert (row["numerator"], row["denominator"]) == (satisfied, valid)
