"""How well the links between the systems' customers agree with the truth of the built-in company.

    CSATLAS_HOME=… python -m tests.bench.identity      quality of a home's links
    python -m tests.bench identity --customers N       time and memory of the linking (`measure_linking`)

Compares pairs: two records of one customer that were linked, of all that were linked (precision) and of all that should
have been (recall). Belongs here: the measure. Does not belong here: linking, which is dbt's (models/intermediate/identity).
"""

from __future__ import annotations

import json
import resource
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from orchestration.modelling.identity import Inputs, Report, Thresholds, link_customers
from orchestration.settings import PROJECT_ROOT, Settings, load_settings


@dataclass(frozen=True)
class Quality:
    """Agreement of links with the truth, over all pairs of records.

    Attributes:
        records: records of customers that both the warehouse and the truth know.
        unknown_records: records of the warehouse that the truth does not have (planted rows without a person).
        true_pairs: pairs of records of one customer.
        linked_pairs: pairs that have one customer key.
        right_pairs: pairs that are both.
        unrelated_pairs: linked pairs of strangers: not of one customer, and not a contact person with his own enterprise or colleague.
    """

    records: int
    unknown_records: int
    true_pairs: int
    linked_pairs: int
    right_pairs: int
    unrelated_pairs: int

    @property
    def precision(self) -> float | None:
        """Share of the linked pairs that are right; None without linked pairs."""
        return self.right_pairs / self.linked_pairs if self.linked_pairs else None

    @property
    def recall(self) -> float | None:
        """Share of the true pairs that are linked; None without true pairs."""
        return self.right_pairs / self.true_pairs if self.true_pairs else None


def _pairs(records: pl.DataFrame, *by: str) -> int:
    counts = records.group_by(*by).len()["len"].cast(pl.Int64)
    return int((counts * (counts - 1) // 2).sum())


def matched(settings: Settings) -> pl.DataFrame:
    """Every record of a customer with its key and, where the truth knows it, its entity.

    Columns: source, customer_id, customer_key, link_method, evidence, entity_id, belongs_to.
    """
    truth_path = settings.home / "demo" / "truth.json"
    truth = json.loads(truth_path.read_text(encoding="utf-8"))
    identities = pl.read_parquet(truth_path.parent / truth["tables"]["identities"]["path"]).with_columns(
        source=pl.col("system").replace("zendesk_organization", "zendesk"), customer_id=pl.col("id")
    )
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as warehouse:
        links = warehouse.execute(
            "select source, customer_id, customer_key, link_method, evidence from marts.dim_customer_links"
        ).pl()
    return links.join(
        identities.select("source", "customer_id", "entity_id", "belongs_to"), on=["source", "customer_id"], how="left"
    )


def measure(records: pl.DataFrame) -> Quality:
    """Quality of the links of `matched`."""
    known = records.filter(pl.col("entity_id").is_not_null())
    house = pl.coalesce("belongs_to", "entity_id").alias("house")
    return Quality(
        records=known.height,
        unknown_records=records.height - known.height,
        true_pairs=_pairs(known, "entity_id"),
        linked_pairs=_pairs(known, "customer_key"),
        right_pairs=_pairs(known, "entity_id", "customer_key"),
        unrelated_pairs=_pairs(known, "customer_key") - _pairs(known.with_columns(house), "customer_key", "house"),
    )


def by_pair_of_sources(records: pl.DataFrame) -> pl.DataFrame:
    """True and found pairs for each two sources: where the links are missing."""
    known = records.filter(pl.col("entity_id").is_not_null()).select(
        "source", "customer_id", "customer_key", "entity_id"
    )
    both = known.join(known, on="entity_id", suffix="_2").filter(
        pl.concat_str("source", pl.lit("/"), "customer_id") < pl.concat_str("source_2", pl.lit("/"), "customer_id_2")
    )
    return (
        both.group_by("source", "source_2")
        .agg(true_pairs=pl.len(), found=(pl.col("customer_key") == pl.col("customer_key_2")).sum())
        .with_columns(recall=pl.col("found") / pl.col("true_pairs"))
        .sort("source", "source_2")
    )


_MADE = """
create table customers as
with people as (
    select
        r as person,
        -- What 44 surnames and 120 characters of given names make, the common ones more often.
        substr('王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余于杜叶程', 1 + cast(floor(44 * pow((hash(r) % 10000) / 10000.0, 2)) as integer), 1) as surname,
        substr({given}, 1 + cast(hash(r, 1) % 120 as integer), 1) || case when hash(r, 2) % 5 > 0 then substr({given}, 1 + cast(hash(r, 3) % 120 as integer), 1) else '' end as given,
        date '1945-01-01' + cast(hash(r, 4) % 22000 as integer) as birth_date,
        'province ' || hash(r, 5) % 31 as region,
        hash(r, 6) % 12 = 0 as is_firm
    from range({people}) as p(r)
),
records as (
    select people.*, copy, source
    from people, (values (0, 'crm'), (1, 'billing'), (2, 'desk')) as systems(copy, source)
    -- All are in the first system, most in the second, some in the third; one of two hundred twice in the first.
    where copy = 0 or copy = 1 and hash(person, 7) % 10 < 9 or copy = 2 and hash(person, 8) % 10 < 4
    union all
    select people.*, 3, 'crm' from people where hash(person, 9) % 200 = 0
)
select
    source, source || person || '-' || copy as customer_id, case when is_firm then 'enterprise' else 'person' end as customer_kind,
    case when is_firm then '城' || surname || given || person || '贸易有限公司' else surname || given end as customer_name,
    case when copy in (0, 3) and not is_firm then birth_date end as birth_date, case when copy in (0, 3) then region end as region,
    null::varchar as org_unit_id, null::varchar as address, person, copy
from records;
create table told as
select source, customer_id, kind as identifier_kind, value as identifier_value, person
from customers, lateral (values
    ('phone', '138' || lpad(cast(person as varchar), 8, '0')),
    ('email', case when hash(person, 10) % 3 = 0 and copy <> 2 then 'Post' || person || '@mail.example.com' end),
    ('contract', case when copy < 2 then 'D-' || person end),
    -- A front desk for each two thousand people, and one number on 50,000.
    ('phone', case when hash(person, 11) % 20 = 0 then '0571' || lpad(cast(person // 2000 as varchar), 7, '0') when person < 50000 and copy = 0 then '02100000000' end)
) as said(kind, value)
where value is not null;
"""
_GIVEN = (
    "'"
    + "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰萍红鑫宇浩轩子涵雨晨佳怡梓欣思琪俊凯博文天翔嘉豪志建国庆春生海波晓东永胜利民少峰雪梅婷颖慧莹璐倩瑶琳珊蕾洁云飞龙虎鹏程远航毅恒泽润清源柏松竹菊莲荷香美凤仙巧珍珠宝金银铜铁石"
    + "'"
)


def measure_linking(customers: int) -> dict[str, Any]:
    """Seconds and peak memory of linking all records at once, and of a day's 20,000 changes (in proportion to `customers` below 5 million).

    The baseline reads the same identifiers once and counts the holders of each: what any linking has to do at least.
    """
    days_changes = max(200, min(20_000, 20_000 * customers // 5_000_000))
    with (
        tempfile.TemporaryDirectory() as folder,
        duckdb.connect(
            f"{folder}/warehouse.duckdb",
            config={"threads": 2, "memory_limit": "6GB", "temp_directory": f"{folder}/spill"},
        ) as c,
    ):
        c.execute(_MADE.format(people=int(customers / 2.305), given=_GIVEN))
        normalised = (
            "case identifier_kind when 'phone' then '+86' || ltrim(regexp_replace(regexp_replace(identifier_value, '[^0-9+]', '', 'g'), '^00', '+'), '0')"
            " when 'email' then lower(trim(identifier_value)) else nullif(upper(regexp_replace(identifier_value, '[^0-9A-Za-z]', '', 'g')), '') end"
        )
        c.execute(
            f"create view identifiers as select source, customer_id, identifier_kind, identifier_value, {normalised} as identifier_key,"
            " null::date as valid_from, null::date as valid_to from told;"
            "create table received as select source, customer_id, 1 as _file_id, row_number() over () as _record_number from customers;"
            "create table overrides (decision varchar, source varchar, customer_id varchar, other_source varchar, other_customer_id varchar)"
        )
        counts = c.execute("select (select count(*) from customers), (select count(*) from told)").fetchone()
        assert counts is not None
        started = time.monotonic()
        c.execute(
            "create table baseline as select identifier_kind, identifier_key, count(*) as holders from identifiers group by all; drop table baseline"
        )
        baseline = time.monotonic() - started
        parameters = pl.read_csv(
            PROJECT_ROOT / "seeds" / "identity_model.csv", schema_overrides={"u_probability": pl.Float64}
        )
        inputs = Inputs(
            "received", "customers", "identifiers", "overrides", parameters, "salt", "timestamp '2026-01-01'"
        )

        def linked() -> tuple[float, Report]:
            begun = time.monotonic()
            c.begin()
            report = link_customers(c, inputs, Thresholds(), schema="warehouse.identity")
            c.commit()
            return time.monotonic() - begun, report

        full, of_full = linked()
        c.execute(
            # A quarter new customers, a quarter new names, a quarter new numbers, a quarter gone.
            f"create temp table news as select source, customer_id, person, copy, row_number() over (order by hash(customer_id)) as n from customers"
            f" order by hash(customer_id) limit {days_changes};"
            "insert into received select 'web', 'web' || person || '-' || copy, 2, n from news where n % 4 = 0;"
            "insert into customers select c.* replace ('web' as source, 'web' || c.person || '-' || c.copy as customer_id) from customers as c"
            " inner join news using (customer_id) where n % 4 = 0;"
            "insert into told select 'web', 'web' || n.person || '-' || n.copy, t.identifier_kind, t.identifier_value, t.person from told as t"
            " inner join news as n using (customer_id) where n % 4 = 0;"
            "update customers set customer_name = reverse(customer_name) where customer_id in (select customer_id from news where n % 4 = 1);"
            "update told set identifier_value = '139' || lpad(cast(person as varchar), 8, '0') where identifier_kind = 'phone'"
            " and customer_id in (select customer_id from news where n % 4 = 2);"
            "delete from customers where customer_id in (select customer_id from news where n % 4 = 3);"
            "delete from told where customer_id in (select customer_id from news where n % 4 = 3)"
        )
        day, of_day = linked()
        groups = c.execute(
            "select count(distinct customer_key), max(n) from (select customer_key, count(*) as n from identity.links group by 1)"
        ).fetchone()
    assert groups is not None
    return {
        "customers": counts[0],
        "identifiers": counts[1],
        "baseline_seconds": round(baseline, 1),
        "full_seconds": round(full, 1),
        "full": asdict(of_full),
        "changes": days_changes,
        "day_seconds": round(day, 1),
        "day": asdict(of_day),
        "day_to_full": round(day / full, 3),
        "groups": groups[0],
        "largest_group": groups[1],
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main(home: Path | None = None) -> None:
    """Print the quality of a home's links as JSON."""
    settings = load_settings() if home is None else Settings(home=home)
    records = matched(settings)
    quality = measure(records)
    print(
        json.dumps(
            asdict(quality)
            | {"precision": quality.precision, "recall": quality.recall}
            | {"by_pair_of_sources": by_pair_of_sources(records).to_dicts()},
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
