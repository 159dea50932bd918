"""Precision and recall of the linking on the bank's clients and damaged copies of them.

The protocol, with a fixed seed. The bank is one source, with name, birth date, city, address, telephone and e-mail of each of its clients. Seven of ten clients
are also in a second source, which a clerk typed: without the social security number; the telephone and the e-mail are missing in half of the copies each and
belong to something new in a tenth; three of ten names are in the other order, four of ten lack the middle name or have its initial, a fifth has a slip in a
word (a letter left out, doubled, exchanged or put in its neighbour's place), in a tenth the birth date is missing and in a twentieth its day and month are exchanged or a digit
is wrong; a tenth of the customers has moved, and a quarter of the addresses have no flat or a slip. A pair is right when both are one client. Copies that share a
telephone or e-mail are found by it; the others have names, birth dates and addresses only, and are counted apart.
"""

from __future__ import annotations

import os
import random
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import pytest

from orchestration.modelling.identity import Inputs, Thresholds, link_customers
from orchestration.settings import PROJECT_ROOT

pytestmark = pytest.mark.real_data


def _slip(dice: random.Random, word: str) -> str:
    if len(word) < 4:
        return word
    place = dice.randrange(1, len(word) - 1)
    kind = dice.randrange(4)
    if kind == 0:
        return word[:place] + word[place + 1 :]
    if kind == 1:
        return word[:place] + word[place] + word[place:]
    if kind == 2:
        return word[:place] + dice.choice("abcdefghijklmnopqrstuvwxyz") + word[place + 1 :]
    return word[:place] + word[place + 1] + word[place] + word[place + 2 :]


def _copy(dice: random.Random, row: dict[str, str | None]) -> dict[str, object]:
    first, middle, last = str(row["first"]), row["middle"] or "", str(row["last"])
    chance = dice.random()
    middle = "" if chance < 0.25 else middle[:1] if chance < 0.4 else middle
    if dice.random() < 0.2:
        first, last = (_slip(dice, first), last) if dice.random() < 0.5 else (first, _slip(dice, last))
    words = [word for word in ((last, first, middle) if dice.random() < 0.3 else (first, middle, last)) if word]
    name = (", " if dice.random() < 0.2 and len(words) > 1 else " ").join([words[0], " ".join(words[1:])])
    year, month, day = int(str(row["year"])), int(str(row["month"])), int(str(row["day"]))
    born: date | None = date(year, month, day)
    chance = dice.random()
    if chance < 0.1:
        born = None
    elif chance < 0.13 and day <= 12:
        born = date(year, day, month)
    elif chance < 0.15:
        born = date(year - dice.choice((1, -1)), month, min(day, 28))
    moved = dice.random() < 0.1
    flat = row["address_2"] if dice.random() < 0.9 else None
    street = str(row["address_1"]) if dice.random() < 0.85 else _slip(dice, str(row["address_1"]))
    number = dice.randrange(10**7)

    def contact(value: str | None, new: str) -> str | None:
        chance = dice.random()
        return None if chance < 0.5 else new if chance < 0.6 else value

    return {
        "customer_id": f"V{row['client_id']}", "customer_name": name.upper() if dice.random() < 0.3 else name, "birth_date": born,
        "region": None if moved else f"{row['city']}, {row['state']}",
        "address": f"{number} new road" if moved else " ".join(str(part) for part in (street, flat, row["city"]) if part).lower(),
        "phone": contact(row["phone"], f"000-{number}"), "email": contact(row["email"], f"new{number}@example.com"),
    }  # fmt: skip


@pytest.fixture(scope="module")
def linked() -> pl.DataFrame:
    """Both sources' records with the key of their group and the client that each of them is."""
    folder = os.environ.get("CSATLAS_REAL_DATA")
    if not folder:
        pytest.skip("CSATLAS_REAL_DATA names no folder with the public data sets")
    clients = (
        pl.read_csv(Path(folder) / "retail_bank" / "completedclient.csv", infer_schema=False)
        .sort("client_id")
        .to_dicts()
    )
    dice = random.Random(20261127)
    rows: list[dict[str, object]] = [
        {
            "source": "bank", "customer_id": row["client_id"], "customer_name": " ".join(part for part in (row["first"], row["middle"], row["last"]) if part),
            "birth_date": date(int(row["year"]), int(row["month"]), int(row["day"])), "region": f"{row['city']}, {row['state']}",
            "address": " ".join(part for part in (row["address_1"], row["address_2"], row["city"]) if part).lower(),
            "phone": row["phone"], "email": row["email"], "client": row["client_id"],
        }
        for row in clients
    ]  # fmt: skip
    rows += [
        {"source": "copy", **_copy(dice, row), "client": row["client_id"]} for row in clients if dice.random() < 0.7
    ]
    told = pl.DataFrame(rows, infer_schema_length=None)
    with duckdb.connect(":memory:") as connection:
        connection.register("told", told.to_arrow())
        connection.execute(
            "create view received as select source, customer_id, 1 as _file_id, row_number() over () as _record_number from told;"
            "create view customers as select source, customer_id, 'person' as customer_kind, customer_name, birth_date, region,"
            " null::varchar as org_unit_id, address from told;"
            "create view identifiers as select source, customer_id, kind as identifier_kind, value as identifier_value, value as identifier_key,"
            " null::date as valid_from, null::date as valid_to from told, lateral (values ('phone', phone), ('email', lower(email))) as v(kind, value) where value is not null;"
            "create table overrides (decision varchar, source varchar, customer_id varchar, other_source varchar, other_customer_id varchar)"
        )
        parameters = pl.read_csv(
            PROJECT_ROOT / "seeds" / "identity_model.csv", schema_overrides={"u_probability": pl.Float64}
        )
        link_customers(
            connection,
            Inputs("received", "customers", "identifiers", "overrides", parameters, "salt", "null::timestamp"),
            Thresholds(),
            schema="memory.identity",
        )
        links = connection.execute(
            "select source, customer_id, customer_key, link_method, evidence from identity.links"
        ).pl()
    return told.join(links, on=["source", "customer_id"])


def _pairs(records: pl.DataFrame, *by: str) -> int:
    return int(
        records.group_by(*by)
        .len()
        .select((pl.col("len").cast(pl.Int64) * (pl.col("len").cast(pl.Int64) - 1) // 2).sum())
        .item()
    )


def test_the_copies_find_their_clients(linked: pl.DataFrame) -> None:
    true, found, right = (
        _pairs(linked, "client"),
        _pairs(linked, "customer_key"),
        _pairs(linked, "client", "customer_key"),
    )
    assert true > 3_500
    print(f"pairs: {true} true, {found} linked, {right} both; precision {right / found:.4f}, recall {right / true:.4f}")
    assert right / found >= 0.99
    assert right / true >= 0.95


def test_names_birthdays_and_addresses_alone(linked: pl.DataFrame) -> None:
    """Copies that have no telephone and no e-mail at all: nothing but the model can find them."""
    copies = linked.filter((pl.col("source") == "copy") & pl.col("phone").is_null() & pl.col("email").is_null())
    bank = linked.filter(pl.col("source") == "bank").select("client", bank_key="customer_key")
    judged = copies.join(bank, on="client")
    found = judged.filter(pl.col("customer_key") == pl.col("bank_key")).height
    print(f"without any identifier: {found} of {judged.height}, {found / judged.height:.4f}")
    assert judged.height > 800
    assert found / judged.height >= 0.85
    assert set(judged.filter(pl.col("customer_key") == pl.col("bank_key"))["link_method"].unique()) == {"scored"}
