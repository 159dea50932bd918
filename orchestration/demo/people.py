"""Who is there: customers as the company meets them, their marks in each system, and the agents with their careers.

Belongs here: attributes that do not change with what happens. Does not belong here: events (`world.py`) and files
(`systems.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import polars as pl

from orchestration.demo import words
from orchestration.demo.plan import Plan

Table = dict[str, np.ndarray]

PERSON, HOUSEHOLD, ENTERPRISE = 0, 1, 2
KIND_SHARE = (0.74, 0.17, 0.09)
_PREFIXES = [
    "130",
    "131",
    "133",
    "135",
    "136",
    "137",
    "138",
    "139",
    "150",
    "151",
    "152",
    "157",
    "158",
    "159",
    "180",
    "182",
    "186",
    "187",
    "188",
    "189",
]
# Half-width digits and letters -> full-width ones, as old forms and input methods leave them in the data.
_WIDE = str.maketrans("0123456789+", "０１２３４５６７８９＋")


def take(table: Table, rows: np.ndarray) -> Table:
    return {name: values[rows] for name, values in table.items()}


def stack(tables: list[Table]) -> Table:
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def size(table: Table) -> int:
    return len(next(iter(table.values()))) if table else 0


def pick(vocabulary: list[str], index: np.ndarray) -> pl.Series:
    """Words by their positions; -1 gives null."""
    codes = pl.Series(np.where(index < 0, len(vocabulary), index).astype(np.uint32))
    return pl.Series([*vocabulary, None], dtype=pl.String).gather(codes)


def digits(numbers: np.ndarray, width: int) -> pl.Expr:
    return pl.lit(pl.Series(numbers)).cast(pl.String).str.zfill(width)


def unit_days(plan: Plan, days: np.ndarray, pattern: str = "%Y-%m-%d") -> pl.Series:
    """Day numbers -> date text; numbers from 100,000 on mean "never" and give null."""
    base = (plan.start - date(1970, 1, 1)).days
    values = pl.Series(np.where(days >= 100_000, 0, days) + base, dtype=pl.Int32).cast(pl.Date).dt.strftime(pattern)
    return (
        values.zip_with(
            pl.Series(days < 100_000), pl.Series([None], dtype=pl.String).extend_constant(None, len(values) - 1)
        )
        if len(values)
        else values
    )


@dataclass
class Customers:
    """All customers so far: numbers in arrays (for the simulation) and texts in a frame (for the files)."""

    facts: Table = field(default_factory=dict)
    texts: list[pl.DataFrame] = field(default_factory=list)

    @property
    def count(self) -> int:
        return size(self.facts)

    def frame(self) -> pl.DataFrame:
        if len(self.texts) > 1:
            self.texts = [pl.concat(self.texts)]
        return self.texts[0]


def customer_block(plan: Plan, month: int, count: int, first: int) -> tuple[Table, pl.DataFrame]:
    """Customers who join in a month (month 0: those who were there before and on the first day)."""
    rng = plan.rng("customers", month)
    cust = np.arange(first, first + count)
    kind = rng.choice(3, count, p=KIND_SHARE).astype(np.int8)
    city = rng.choice(len(words.CITY_CODES), count, p=words.CITY_WEIGHTS / words.CITY_WEIGHTS.sum()).astype(np.int8)
    english = (rng.random(count) < np.where(kind == ENTERPRISE, 0.10, 0.06)).astype(np.int8)
    first_day, next_day = plan.month_days(month)
    since = (
        -np.minimum(rng.gamma(1.6, 900, count).astype(np.int64) + 1, 6500)
        if month == 0
        else rng.integers(first_day, next_day, count)
    )
    age = np.clip(rng.gamma(7.5, 5.6, count) + 4, 18, 88)
    birth_day = (-(age * 365.25)).astype(np.int64) - rng.integers(0, 365, count)
    facts: Table = {
        "cust": cust,
        "kind": kind,
        "city": city,
        "english": english,
        "since": since.astype(np.int64),
        "age": age.astype(np.float32),
        "mood": rng.normal(0, 1, count).astype(np.float32),
        "price": rng.normal(0, 1, count).astype(np.float32),
        "contact": (rng.gamma(1.4, 1 / 1.4, count) * np.choose(kind, (0.85, 1.15, 2.2))).astype(np.float32),
        "bad_payer": rng.random(count) < 0.035,
        "late_payer": rng.random(count) < 0.12,
        "has_email": rng.random(count) < np.choose(kind, (0.6, 0.4, 0.97)),
        "external_known": rng.random(count) < 0.55,
        "crm_twice": (kind == PERSON) & (rng.random(count) < 0.015),
        "desk_twice": (kind == PERSON) & (rng.random(count) < 0.03),
        "hall_phone": rng.random(count) < 0.006,
        "style": rng.integers(0, 12, count).astype(np.int8),
        "contacts_known": np.where(kind == ENTERPRISE, rng.integers(1, 5, count), 0).astype(np.int8),
    }
    # A third of the persons belong to a household of the same block and city: they share its telephone.
    parent = np.full(count, -1, dtype=np.int64)
    homes = np.flatnonzero(kind == HOUSEHOLD)
    if len(homes):
        persons = np.flatnonzero((kind == PERSON) & (rng.random(count) < 0.3))
        home = homes[rng.integers(0, len(homes), len(persons))]
        parent[persons] = cust[home]
        city[persons] = city[home]
    facts["parent"] = parent
    surname = rng.integers(0, len(words.SURNAMES), count)
    member = np.flatnonzero(parent >= 0)
    surname[member] = surname[parent[member] - first]
    given_1, given_2 = rng.integers(0, len(words.GIVEN), count), rng.integers(0, len(words.GIVEN), count)
    given_2 = np.where(rng.random(count) < 0.25, -1, given_2)
    head, tail = rng.integers(0, len(words.ENTERPRISE_HEAD), count), rng.integers(0, len(words.ENTERPRISE_TAIL), count)
    first_en, last_en = rng.integers(0, len(words.FIRST_EN), count), rng.integers(0, len(words.LAST_EN), count)
    street, house = rng.integers(0, len(words.STREETS), count), rng.integers(1, 400, count)
    domain = rng.integers(0, len(words.MAIL_DOMAINS), count)
    prime_8, prime_7 = 99_999_989, 9_999_991
    frame = (
        pl.DataFrame(
            {
                "cust": cust,
                "kind": kind,
                "city": city,
                "english": english,
                "has_email": facts["has_email"],
                "surname": pick([s[0] for s in words.SURNAMES], surname),
                "surname_py": pick([s[1] for s in words.SURNAMES], surname),
                "g1": pick([g[0] for g in words.GIVEN], given_1),
                "g1_py": pick([g[1] for g in words.GIVEN], given_1),
                "g2": pick([g[0] for g in words.GIVEN], given_2).fill_null(""),
                "g2_py": pick([g[1].lower() for g in words.GIVEN], given_2).fill_null(""),
                "head": pick([h[0] for h in words.ENTERPRISE_HEAD], head),
                "head_py": pick([h[1] for h in words.ENTERPRISE_HEAD], head),
                "tail": pick([t[0] for t in words.ENTERPRISE_TAIL], tail),
                "tail_py": pick([t[1] for t in words.ENTERPRISE_TAIL], tail),
                "industry": pick([t[2] for t in words.ENTERPRISE_TAIL], np.where(kind == ENTERPRISE, tail, -1)),
                "first_en": pick(words.FIRST_EN, first_en),
                "last_en": pick(words.LAST_EN, last_en),
                "city_zh": pick(words.CITY_ZH, city.astype(np.int64)),
                "area": pick(words.CITY_AREA, city.astype(np.int64)),
                "street": pick(words.STREETS, street),
                "domain": pick(words.MAIL_DOMAINS, domain),
                "birth": unit_days(plan, birth_day).zip_with(
                    pl.Series(kind == PERSON), pl.Series([None] * count, dtype=pl.String)
                ),
                "since": unit_days(plan, facts["since"]),
                "parent": parent,
            }
        )
        .with_columns(
            pl.when(pl.col("kind") == ENTERPRISE)
            .then(pl.col("city_zh") + pl.col("head") + pl.col("tail"))
            .when(pl.col("english") == 1)
            .then(pl.col("first_en") + " " + pl.col("last_en"))
            .when(pl.col("kind") == HOUSEHOLD)
            .then(pl.col("surname") + pl.col("g1") + pl.col("g2") + "家庭")
            .otherwise(pl.col("surname") + pl.col("g1") + pl.col("g2"))
            .alias("name"),
            pl.when(pl.col("kind") == ENTERPRISE)
            .then(pl.col("city_zh") + pl.col("head") + pl.col("tail"))
            .when(pl.col("english") == 1)
            .then(pl.col("last_en") + ", " + pl.col("first_en"))
            .otherwise(pl.col("g1_py") + pl.col("g2_py") + " " + pl.col("surname_py"))
            .alias("name_other"),
            pl.lit(pl.Series(_PREFIXES)).gather(pl.lit(pl.Series(cust % len(_PREFIXES)))).alias("prefix"),
            digits((cust * 48_271_001 + 7_654_321) % prime_8, 8).alias("mobile8"),
            (
                pl.col("area")
                + pl.lit(pl.Series(np.where(cust % 2 == 0, "8", "5")))
                + digits((cust * 69_621 + 1_234_567) % prime_7, 7)
            ).alias("landline"),
            (pl.col("city_zh") + "市" + pl.col("street") + pl.lit(pl.Series(house)).cast(pl.String) + "号").alias(
                "address"
            ),
            ("K" + digits(cust + 1, 7)).alias("crm_no"),
            ("B1" + digits((cust * 48_271 + 11) % prime_7, 7)).alias("party_no"),
            (9_000_000_000 + pl.lit(pl.Series((cust * 69_621 + 7) % prime_7))).alias("user_id"),
            ("D2" + digits(cust + 10_001, 8)).alias("account_no"),
            pl.when(pl.lit(pl.Series(cust % 3 != 0)))
            .then("M" + digits((cust * 7_919 + 5) % 99_991_000, 8))
            .alias("member_no"),
        )
        .with_columns(
            (pl.col("prefix") + pl.col("mobile8")).alias("mobile"),
            pl.when(pl.col("kind") == ENTERPRISE)
            .then(pl.col("head_py") + pl.col("tail_py") + pl.col("cust").cast(pl.String) + ".example.com")
            .alias("web_domain"),
            pl.when(pl.col("parent") >= 0)
            .then("K" + (pl.col("parent") + 1).cast(pl.String).str.zfill(7))
            .alias("parent_no"),
        )
        .with_columns(
            pl.when(~pl.col("has_email"))
            .then(None)
            .when(pl.col("kind") == ENTERPRISE)
            .then("office@" + pl.col("web_domain"))
            .when(pl.col("english") == 1)
            .then(
                pl.col("first_en").str.to_lowercase()
                + "."
                + pl.col("last_en").str.to_lowercase()
                + pl.col("cust").cast(pl.String)
                + "@"
                + pl.col("domain")
            )
            .otherwise(
                pl.col("surname_py").str.to_lowercase()
                + "."
                + pl.col("g1_py").str.to_lowercase()
                + pl.col("g2_py")
                + pl.col("cust").cast(pl.String)
                + "@"
                + pl.col("domain")
            )
            .alias("email"),
        )
        .select(
            "cust",
            "kind",
            "city",
            "english",
            "name",
            "name_other",
            "mobile",
            "landline",
            "email",
            "birth",
            "since",
            "address",
            "industry",
            "parent_no",
            "crm_no",
            "party_no",
            "user_id",
            "account_no",
            "member_no",
            "web_domain",
            "city_zh",
        )
    )
    return facts, frame


def phone_style(phone: pl.Expr, style: pl.Expr) -> pl.Expr:
    """The same number as different people type it."""
    wide = phone
    for narrow, full in zip("0123456789", "０１２３４５６７８９", strict=True):
        wide = wide.str.replace_all(narrow, full)
    return (
        pl.when(style == 0)
        .then("+86 " + phone.str.slice(0, 3) + "-" + phone.str.slice(3, 4) + "-" + phone.str.slice(7))
        .when(style == 1)
        .then("0086" + phone)
        .when(style == 2)
        .then(wide)
        .when(style == 3)
        .then(phone.str.slice(0, 3) + " " + phone.str.slice(3, 4) + " " + phone.str.slice(7))
        .when(style == 4)
        .then("+86" + phone)
        .otherwise(phone)
    )


# -- agents -------------------------------------------------------------------------------------------------------

GENERATIONS = 4
_LONGEST = 6_000


@dataclass
class Agents:
    """Positions of each queue and the agents who hold them one after the other.

    The number of an agent says position and generation, so that hiring more never renumbers anybody.
    """

    plan: Plan
    first_month: dict[tuple[int, int], int] = field(default_factory=dict)
    heads: list[int] = field(default_factory=lambda: [0] * len(words.QUEUES))

    def __post_init__(self) -> None:
        self._tenure = [
            np.maximum(3, self.plan.rng("tenure", q).exponential(34, (_LONGEST, GENERATIONS)).round()).astype(np.int64)
            for q in range(len(words.QUEUES))
        ]
        self._before = [self.plan.rng("hired", q).integers(1, 60, _LONGEST) for q in range(len(words.QUEUES))]
        self._opened = [np.full(_LONGEST, 10_000, dtype=np.int64) for _ in words.QUEUES]
        self.skill = self.plan.rng("skill").normal(0, 1, 100_000 * 2).astype(np.float32)

    def grow(self, queue: int, heads: int, month: int) -> None:
        """Open positions until the queue has `heads` of them."""
        have = self.heads[queue]
        if heads > min(_LONGEST, 3090):
            raise ValueError(
                f"{words.QUEUES[queue]} would need {heads} agents, more than numbers of five digits "
                "allow; make the company smaller."
            )
        if heads > have:
            if month == 0:
                self._opened[queue][have:heads] = -self._before[queue][have:heads]
            else:
                self._opened[queue][have:heads] = month
            self.heads[queue] = heads

    def numbers(self, queue: int, month: int) -> np.ndarray:
        """Agent number on each position of a queue in a month."""
        heads = self.heads[queue]
        held = month - self._opened[queue][:heads]
        ends = np.cumsum(self._tenure[queue][:heads, : GENERATIONS - 1], axis=1)
        generation = (held[:, None] >= ends).sum(axis=1)
        numbers: np.ndarray = 1000 + (np.arange(heads) * len(words.QUEUES) + queue) * GENERATIONS + generation
        return numbers

    def careers(self, until_month: int) -> Table:
        """Everybody who has worked here up to a month: number, queue, position, first, last month (10_000: still)."""
        parts: list[Table] = []
        for queue in range(len(words.QUEUES)):
            heads = self.heads[queue]
            opened = self._opened[queue][:heads]
            ends = opened[:, None] + np.cumsum(self._tenure[queue][:heads], axis=1)
            ends[:, -1] = 10_000
            starts = np.column_stack([opened, ends[:, :-1]])
            for generation in range(GENERATIONS):
                here = np.flatnonzero(
                    (starts[:, generation] <= until_month) & (opened <= until_month) & (ends[:, generation] > 0)
                )
                parts.append(
                    {
                        "number": 1000 + (here * len(words.QUEUES) + queue) * GENERATIONS + generation,
                        "queue": np.full(len(here), queue),
                        "position": here,
                        "from_month": starts[here, generation],
                        "to_month": ends[here, generation],
                    }
                )
        table = stack(parts)
        return take(table, np.argsort(table["number"], kind="stable"))


def team_of(queue: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Team index (into TEAM_CODES) of a position: a province's positions are dealt to its four cities."""
    return np.where(queue < len(words.PROVINCES), queue * 4 + position % 4, 24 + queue - len(words.PROVINCES))


def agent_names(plan: Plan, numbers: np.ndarray) -> pl.Series:
    rng = plan.rng("agent names")
    table = rng.integers(0, [len(words.SURNAMES), len(words.GIVEN), len(words.GIVEN)], (100_000, 3))[numbers]
    return pl.select(
        pl.lit(pick([s[0] for s in words.SURNAMES], table[:, 0]))
        + pl.lit(pick([g[0] for g in words.GIVEN], table[:, 1]))
        + pl.lit(pick([g[0] for g in words.GIVEN], table[:, 2]))
    ).to_series()


def month_end(plan: Plan, month: int) -> date:
    return plan.day_date(plan.month_first_day(month + 1)) - timedelta(days=1)
