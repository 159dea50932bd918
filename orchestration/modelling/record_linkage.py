"""The probability that two records are of one customer, by the Fellegi-Sunter model that splink computes.

Belongs here: the comparisons, scoring given pairs, estimating the parameters. Does not belong here: which pairs are looked at, and what
follows from a probability (identity).

A pair is judged by how far its names, birth dates, telephone numbers, e-mail addresses, numbers, addresses and areas agree. Each agreement has
a probability among records of one customer (m) and among records of two (u); log2(m / u) is its weight in bits, and the weights add up to that of
the pair (Fellegi and Sunter, 1969, "A theory for record linkage", JASA 64). What one side does not say has no weight. The parameters stand in
`seeds/identity_model.csv`: the probability of a pair does not depend on what else is delivered, so a night scores only what is new.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import duckdb
import polars as pl

MODEL_VERSION = "identity-1"
POPULATIONS = ("person", "enterprise")

RECORD_SCHEMA: dict[str, Any] = {
    "node": pl.Int64,
    "plain": pl.String,
    "romanised": pl.String,
    "words": pl.List(pl.String),
    "letters": pl.UInt64,
    "core": pl.UInt64,
    "is_chinese": pl.Boolean,
    "has_legal_form": pl.Boolean,
    "birth_date": pl.Date,
    "region": pl.String,
    "org_unit_id": pl.String,
    "address": pl.String,
    "phones": pl.List(pl.UInt64),
    "emails": pl.List(pl.UInt64),
    "numbers": pl.List(pl.UInt64),
}
SCORE_SCHEMA: dict[str, Any] = {
    "node": pl.Int64,
    "other": pl.Int64,
    "probability": pl.Float64,
    "match_weight": pl.Float64,
    "evidence": pl.String,
    "model_version": pl.String,
}


# Agreements of a comparison from the closest on, each with its condition; the last one is what is left.
_LISTS = {
    name: (
        f"{column}_l is null or {column}_r is null",
        {"shared": f"list_has_any({column}_l, {column}_r)", "different": "ELSE"},
    )
    for name, column in (("phone", "phones"), ("email", "emails"), ("number", "numbers"))
}
_NEAR_DATES = (
    "(month(birth_date_l) = day(birth_date_r) and day(birth_date_l) = month(birth_date_r) and year(birth_date_l) = year(birth_date_r))"
    " or hamming(cast(birth_date_l as varchar), cast(birth_date_r as varchar)) = 1"
)
_SHARED: dict[str, tuple[str, dict[str, str]]] = {
    **_LISTS,
    "address": (
        "address_l is null or address_r is null",
        {
            "same": "address_l = address_r",
            "close": "jaro_winkler_similarity(address_l, address_r) >= 0.93",
            "different": "ELSE",
        },
    ),
    "area": (
        "(org_unit_id_l is null or org_unit_id_r is null) and (region_l is null or region_r is null)",
        {
            "same": "coalesce(org_unit_id_l = org_unit_id_r, false) or coalesce(region_l = region_r, false)",
            "different": "ELSE",
        },
    ),
}
# A middle name may be missing or an initial; a first name and a surname have to be there. One different character of a Chinese name is another person
# (brothers share the first of two): a slip of the keyboard sounds the same.
_CONTAINED = (
    "least(len(words_l), len(words_r)) >= 2 and (list_has_all(words_l, words_r) or list_has_all(words_r, words_l))"
)
_CLOSE_NAME = (
    "not (is_chinese_l and is_chinese_r) and (jaro_winkler_similarity(array_to_string(words_l, ' '), array_to_string(words_r, ' ')) >= 0.93"
    " or least(len(words_l), len(words_r)) >= 2 and (nearly_within(words_l, words_r) or nearly_within(words_r, words_l)))"
)
# Every word of the one is a word of the other, but for one slip in a long word.
_MACROS = """
create macro nearly_within(these, those) as len(list_filter(these, lambda one: len(list_filter(those, lambda other:
    one = other or least(length(one), length(other)) >= 5 and damerau_levenshtein(one, other) <= 1)) > 0)) = len(these)
"""
COMPARISONS: dict[str, dict[str, tuple[str, dict[str, str]]]] = {
    "person": {
        "name": (
            "plain_l is null or plain_r is null",
            {
                "same": "plain_l = plain_r",
                "same_spelling": "letters_l = letters_r",
                "contained": _CONTAINED,
                "close": _CLOSE_NAME,
                "different": "ELSE",
            },
        ),
        "birth_date": (
            "birth_date_l is null or birth_date_r is null",
            {"same": "birth_date_l = birth_date_r", "close": _NEAR_DATES, "different": "ELSE"},
        ),
        **_SHARED,
    },
    "enterprise": {
        "name": (
            "plain_l is null or plain_r is null",
            {
                "same": "plain_l = plain_r and has_legal_form_l",
                "same_core": "core_l = core_r",
                "close": "jaro_winkler_similarity(romanised_l, romanised_r) >= 0.95",
                "different": "ELSE",
            },
        ),
        **_SHARED,
    },
}


def check_parameters(parameters: pl.DataFrame) -> None:
    """Refuse parameters that are not those of the comparisons.

    Args:
        parameters: `population`, `comparison`, `agreement`, `m_probability`, `u_probability`; the comparison `prior` has the probability that two
            records drawn at random are of one customer as its m_probability.

    Raises:
        ValueError: a line is missing, doubled or unknown, or a probability is not above 0 and below 1.
    """
    wanted = [(population, "prior", None) for population in POPULATIONS] + [
        (population, comparison, agreement)
        for population in POPULATIONS
        for comparison, (_, agreements) in COMPARISONS[population].items()
        for agreement in agreements
    ]
    found = parameters.select("population", "comparison", "agreement").rows()
    for line in wanted:
        if found.count(line) != 1:
            raise ValueError(f"identity_model.csv: {line} stands there {found.count(line)} times instead of once")
    for line in found:
        if line not in wanted:
            raise ValueError(f"identity_model.csv: nothing is called {line}")
    for population, comparison, agreement, m, u in parameters.select(
        "population", "comparison", "agreement", "m_probability", "u_probability"
    ).rows():
        if not 0 < (m or 0) < 1 or (comparison != "prior" and not 0 < (u or 0) < 1):
            raise ValueError(
                f"identity_model.csv: ({population}, {comparison}, {agreement}) needs probabilities above 0 and below 1"
            )


def _settings(population: str, parameters: pl.DataFrame) -> dict[str, Any]:
    known = {
        (comparison, agreement): (m, u)
        for comparison, agreement, m, u in parameters.filter(pl.col("population") == population)
        .select("comparison", "agreement", "m_probability", "u_probability")
        .rows()
    }
    comparisons = []
    for comparison, (unknown, agreements) in COMPARISONS[population].items():
        levels: list[dict[str, Any]] = [
            {"sql_condition": unknown, "label_for_charts": "unknown", "is_null_level": True}
        ]
        for agreement, condition in agreements.items():
            m, u = known[comparison, agreement]
            levels.append(
                {"sql_condition": condition, "label_for_charts": agreement, "m_probability": m, "u_probability": u}
            )
        comparisons.append({"output_column_name": comparison, "comparison_levels": levels})
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": "node",
        "probability_two_random_records_match": known["prior", None][0],
        "blocking_rules_to_generate_predictions": [{"blocking_rule": "l.letters = r.letters", "sql_dialect": "duckdb"}],
        "comparisons": comparisons,
        # Brings the numbers of the agreements along.
        "retain_matching_columns": True,
        "retain_intermediate_calculation_columns": False,
    }


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def score_pairs(records: pl.DataFrame, pairs: pl.DataFrame, parameters: pl.DataFrame) -> pl.DataFrame:
    """Probability and evidence of each pair.

    Args:
        records: `RECORD_SCHEMA`, one row per node; `plain` to `has_legal_form` as `modelling.names` makes them, `words` those of `romanised` that are more than an initial; `letters` and `core` as numbers; lists of telephone numbers, e-mail
            addresses and national ids as numbers, null = none known.
        pairs: `node` < `other`, and `population`: person or enterprise.
        parameters: as `check_parameters` wants them.

    Returns:
        `SCORE_SCHEMA`, sorted by pair: `probability`; `match_weight`, log2 of the odds; `evidence`, the agreements of all that both sides say,
        like "name: same, phone: shared". Rounded to 9 places.

    Raises:
        ValueError: wrong parameters.
    """
    check_parameters(parameters)
    made = [
        _scored(records, pairs.filter(pl.col("population") == population), population, parameters)
        for population in POPULATIONS
    ]
    return pl.concat(made).sort("node", "other")


def _scored(records: pl.DataFrame, pairs: pl.DataFrame, population: str, parameters: pl.DataFrame) -> pl.DataFrame:
    if pairs.is_empty():
        return pl.DataFrame(schema=SCORE_SCHEMA)
    from splink import DuckDBAPI, Linker

    blocked = pairs.select(pl.lit("0").alias("match_key"), join_key_l="node", join_key_r="other")
    words = {
        comparison: {len(agreements) - 1 - place: agreement for place, agreement in enumerate(agreements)}
        for comparison, (_, agreements) in COMPARISONS[population].items()
    }
    with duckdb.connect(":memory:") as connection, _quiet():
        connection.register("records_in", records.select(list(RECORD_SCHEMA)).to_arrow())
        connection.register("pairs_in", blocked.to_arrow())
        connection.execute(
            "create table records as select * from records_in where node in (select join_key_l from pairs_in union select join_key_r from pairs_in)"
        )
        connection.execute("create table pairs as from pairs_in")
        connection.execute(_MACROS)
        api = DuckDBAPI(connection=connection)
        linker = Linker(
            api.register(connection.table("records")), _settings(population, parameters), validate_settings=False
        )
        linker.table_management.register_blocked_pairs_for_predict(api.register(connection.table("pairs")))
        linker.inference.predict().as_duckdbpyrelation().create_view("found")
        columns = ", ".join(f"gamma_{comparison}" for comparison in words)
        frame = connection.sql(
            f"select least(node_l, node_r) as node, greatest(node_l, node_r) as other, match_probability, match_weight, {columns} from found"
        ).pl()
    evidence = [
        pl.when(pl.col(f"gamma_{comparison}") >= 0).then(
            pl.lit(f"{comparison}: ")
            + pl.col(f"gamma_{comparison}").cast(pl.Int64).replace_strict(names, default=None, return_dtype=pl.String)
        )
        for comparison, names in words.items()
    ]
    return frame.select(
        pl.col("node").cast(pl.Int64),
        pl.col("other").cast(pl.Int64),
        probability=pl.col("match_probability").round(9),
        match_weight=pl.col("match_weight").round(9),
        evidence=pl.concat_str(evidence, separator=", ", ignore_nulls=True),
        model_version=pl.lit(MODEL_VERSION),
    )
