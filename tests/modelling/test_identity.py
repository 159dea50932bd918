"""The linking itself: rules on identifiers, scored pairs, decisions, stable keys, and that what comes day by day gives what all at once gives."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.modelling import identity
from orchestration.modelling.identity import Inputs, Report, Thresholds, components, link_customers, resolved_groups

PARAMETERS = pl.read_csv(
    Path(__file__).parents[2] / "seeds" / "identity_model.csv",
    schema_overrides={"m_probability": pl.Float64, "u_probability": pl.Float64},
)


@dataclass
class Customer:
    """What a source says of a customer now. `phones` and the like: values, or (value, valid from, valid to)."""

    kind: str | None = "person"
    name: str | None = None
    birth: date | None = None
    region: str | None = None
    unit: str | None = None
    address: str | None = None
    phones: tuple[object, ...] = ()
    emails: tuple[object, ...] = ()
    members: tuple[object, ...] = ()


@dataclass
class World:
    """Sources that deliver, and the linking of what they say."""

    thresholds: Thresholds = field(default_factory=Thresholds)
    parameters: pl.DataFrame = field(default_factory=lambda: PARAMETERS)
    customers: dict[tuple[str, str], Customer] = field(default_factory=dict)
    overrides: list[tuple[str, tuple[str, str], tuple[str, str]]] = field(default_factory=list)
    files: int = 0

    def __post_init__(self) -> None:
        self.connection = duckdb.connect(":memory:")
        self.connection.execute(
            "create table received (source varchar, customer_id varchar, _file_id bigint, _record_number bigint);"
            "create table customers (source varchar, customer_id varchar, customer_kind varchar, customer_name varchar, birth_date date, region varchar,"
            " org_unit_id varchar, address varchar);"
            "create table identifiers (source varchar, customer_id varchar, identifier_kind varchar, identifier_value varchar, identifier_key varchar,"
            " valid_from date, valid_to date);"
            "create table overrides (decision varchar, source varchar, customer_id varchar, other_source varchar, other_customer_id varchar)"
        )

    def deliver(self, changes: dict[tuple[str, str], Customer | None]) -> None:
        """One file: new and changed customers, and None for those that are gone."""
        self.files += 1
        sent: list[tuple[object, ...]] = []
        for number, (key, customer) in enumerate(changes.items()):
            if customer is None:
                self.customers.pop(key, None)
                continue
            self.customers[key] = customer
            sent.append((*key, self.files, number))
        if sent:
            self.connection.register("filled", pl.DataFrame(sent, orient="row").to_arrow())
            self.connection.execute("insert into received from filled")
            self.connection.unregister("filled")

    def link(self, *, full: bool = False, schema: str = "memory.state") -> Report:
        c = self.connection
        c.execute("delete from customers; delete from identifiers; delete from overrides")
        told = [
            (*key, of.kind, of.name, of.birth, of.region, of.unit, of.address) for key, of in self.customers.items()
        ]
        held = [
            (*key, kind, value[0], value[0], value[1], value[2])
            for key, of in self.customers.items()
            for kind, values in (("phone", of.phones), ("email", of.emails), ("member", of.members))
            for value in (one if isinstance(one, tuple) else (one, None, None) for one in values)
        ]
        for table, rows in (("customers", told), ("identifiers", held)):
            if rows:
                frame = pl.DataFrame(rows, orient="row", infer_schema_length=None)
                c.register("filled", frame.to_arrow())
                c.execute(f"insert into {table} from filled")
                c.unregister("filled")
        for decision, one, other in self.overrides:
            c.execute("insert into overrides values (?, ?, ?, ?, ?)", [decision, *one, *other])
        inputs = Inputs(
            "received", "customers", "identifiers", "overrides", self.parameters, "salt", "timestamp '2026-01-01'"
        )
        return link_customers(c, inputs, self.thresholds, schema=schema, full=full)

    def rows(self, sql: str) -> list[Any]:
        return self.connection.execute(sql).fetchall()

    def groups(self, schema: str = "memory.state") -> set[frozenset[str]]:
        """Groups of more than one, by their customers' ids."""
        found = self.rows(f"select list(customer_id) from {schema}.links group by customer_key having count(*) > 1")
        return {frozenset(row[0]) for row in found}

    def method(self, key: tuple[str, str]) -> Any:
        (row,) = self.rows(
            f"select link_method, evidence from memory.state.links where source = '{key[0]}' and customer_id = '{key[1]}'"
        )
        return row


def linked(customers: dict[tuple[str, str], Customer], **options: object) -> World:
    world = World(**options)  # type: ignore[arg-type]
    world.deliver(dict(customers))
    world.link()
    return world


LI = Customer(name="李东丽", birth=date(1945, 6, 7), phones=("+8615255784505",))


def test_one_number_in_two_sources_is_one_customer() -> None:
    world = linked(
        {("crm", "a"): LI, ("billing", "b"): replace(LI, name="x", birth=None), ("desk", "c"): Customer(name="y")}
    )
    assert world.groups() == {frozenset("ab")}
    assert world.method(("crm", "a")) == ("identifier", "phone")
    assert world.method(("desk", "c")) == ("alone", None)


def test_an_identifier_of_many_links_nobody_and_costs_no_pairs() -> None:
    """50,000 customers of one source have one number: nobody is melted, no pair is looked at, and a further one costs no more."""
    world = World()
    world.deliver({("crm", "a"): LI, ("billing", "b"): LI})
    c = world.connection
    c.execute("insert into received select 'desk', 'd' || i, 1, 100 + i from range(50000) as r(i)")
    inputs = Inputs("received", "many", "numbers", "overrides", PARAMETERS, "salt", "timestamp '2026-01-01'")
    c.execute(
        "create table many as select 'desk' as source, 'd' || i as customer_id, 'person' as customer_kind, 'name ' || i as customer_name,"
        " null::date as birth_date, null::varchar as region, null::varchar as org_unit_id, null::varchar as address from range(50000) as r(i);"
        "create table numbers as select source, customer_id, 'phone' as identifier_kind, '+8610' as identifier_value, '+8610' as identifier_key,"
        " null::date as valid_from, null::date as valid_to from many"
    )
    report = link_customers(c, inputs, Thresholds(), schema="memory.state")
    assert (report.records, report.edges, report.pairs) == (50_000, 0, 0)
    c.execute(
        "insert into received values ('shop', 's', 2, 0); insert into many select * replace ('shop' as source, 's' as customer_id, 'One More' as customer_name) from many limit 1"
    )
    c.execute("insert into numbers select * replace ('shop' as source, 's' as customer_id) from numbers limit 1")
    report = link_customers(c, inputs, Thresholds(), schema="memory.state")
    assert (report.is_full, report.records, report.edges, report.pairs, report.links) == (False, 1, 0, 0, 1)
    assert world.groups() == set()


def test_a_shared_number_leaves_it_to_the_name() -> None:
    """Two of one source with one number: the same name in another script is one customer, a brother with a like name is not."""
    world = linked(
        {
            ("crm", "a"): replace(LI, unit="C-GD"), ("crm", "b"): Customer(name="Dongli Li", unit="C-GD", phones=LI.phones),
            ("crm", "c"): Customer(name="李东国", unit="C-GD", phones=LI.phones),
        }
    )  # fmt: skip
    assert world.groups() == {frozenset("ab")}
    assert world.method(("crm", "b")) == ("scored", "name")
    assert world.rows("select evidence, probability >= 0.95 from memory.state.scores where probability >= 0.95") == [
        ("name: same_spelling, phone: shared, area: same", True)
    ]


def test_a_contact_person_is_not_the_enterprise() -> None:
    firm = Customer(kind="enterprise", name="武汉博澜物流有限公司", phones=("+862752647021",))
    world = linked(
        {
            ("crm", "a"): firm, ("billing", "b"): firm, ("desk", "c"): Customer(name="于轩江", phones=firm.phones),
            ("desk", "d"): Customer(name="马莉桂", phones=firm.phones), ("web", "e"): Customer(kind=None, name="?", phones=firm.phones),
        }
    )  # fmt: skip
    # Two contact persons of one source do not take the number from the enterprise; whoever has no kind could be either.
    assert world.groups() == {frozenset("ab")}


def test_a_recycled_number_is_not_a_person() -> None:
    number = "+8613900000000"
    old = Customer(name="王伟", phones=((number, date(2019, 1, 1), date(2021, 12, 31)),))
    new = Customer(name="张敏", phones=((number, date(2022, 6, 1), None),))
    undated = Customer(name="陈静", phones=(number,))
    world = linked({("crm", "a"): old, ("billing", "b"): new, ("shop", "c"): replace(new, name="张 敏")})
    assert world.groups() == {frozenset("bc")}
    # Who names no days fits either stretch, so he fits none; with one stretch he belongs to it.
    assert linked({("crm", "a"): old, ("billing", "b"): new, ("desk", "d"): undated}).groups() == set()
    assert linked({("crm", "a"): old, ("desk", "d"): undated}).groups() == {frozenset("ad")}
    # The last day counts: a number that is given up and taken on the same day was with both.
    same_day = replace(new, phones=((number, date(2021, 12, 31), None),))
    assert linked({("crm", "a"): old, ("billing", "b"): same_day}).groups() == {frozenset("ab")}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("李东丽", "LI, Dongli"), ("李东丽", "dongli LI"), ("李东丽", "李　东丽"), ("李东丽", "东丽李"), ("Emma Smith", "SMITH EMMA"),
        ("吕伟", "Lyu Wei"), ("曾丽", "Zeng Li"), ("Ｋａｒｌａ Greenlake", "greenlake, karla"), ("欧阳娜娜", "Nana Ouyang"),
    ],
)  # fmt: skip
def test_names_in_either_order_and_script(one: str, other: str) -> None:
    born = date(1980, 2, 3)
    world = linked(
        {
            ("crm", "a"): Customer(name=one, birth=born, region="广东"),
            ("desk", "b"): Customer(name=other, birth=born, region="广东"),
        }
    )
    assert world.groups() == {frozenset("ab")}


def test_birthdays_tell_people_of_one_name_apart() -> None:
    one = Customer(name="王伟", birth=date(1980, 2, 3), region="广东")
    assert linked({("crm", "a"): one, ("desk", "b"): replace(one, birth=date(1991, 7, 30))}).groups() == set()
    assert linked({("crm", "a"): one, ("desk", "b"): replace(one, birth=None)}).groups() == set()


def test_a_company_by_its_full_name_unless_there_are_two() -> None:
    firm = Customer(kind="enterprise", name="南京沐禾医疗器械有限公司")
    one, two = replace(firm, phones=("+861",), members=("M1",)), replace(firm, phones=("+862",), members=("M2",))
    world = linked({("crm", "a"): one, ("desk", "z"): replace(firm, name="南　京沐禾医疗器械有限公司")})
    assert world.groups() == {frozenset("az")}
    world = linked({("crm", "a"): one, ("crm", "b"): two, ("desk", "z"): firm})
    assert world.groups() == set()
    assert world.rows("select count(*) from memory.state.scores where probability >= 0.95") == [(2,)]
    # The name without the form of a company is not enough.
    assert (
        linked({("crm", "a"): replace(firm, name="Acme Ltd."), ("desk", "z"): replace(firm, name="ACME")}).groups()
        == set()
    )


def test_a_decision_wins_over_every_rule() -> None:
    """A break parts what a number and a name hold together, also through a third; a confirmation joins strangers."""
    a, b, c, d = ("crm", "a"), ("billing", "b"), ("desk", "c"), ("web", "d")
    people = {a: LI, b: LI, c: LI, d: Customer(name="Somebody Else")}
    world = linked(people)
    assert world.groups() == {frozenset("abc")}
    world.overrides = [("break", b, a), ("confirm", a, d)]
    world.link()
    assert world.groups() in ({frozenset("acd")}, {frozenset("ad"), frozenset("bc")})
    assert world.method(d) == ("confirmed", "confirmed")
    keys: dict[object, object] = dict(world.rows("select customer_id, customer_key from memory.state.links"))
    assert keys["a"] != keys["b"]
    world.overrides = []
    world.link()
    assert world.groups() == {frozenset("abc")}
    changes = world.rows("select customer_id, change, reason from memory.state.key_changes order by change_number")
    assert ("b", "split", "no longer linked by phone") in changes and ("b", "merge", "linked by phone") in changes
    assert ("d", "merge", "linked by confirmed") in changes and (
        "d",
        "split",
        "no longer linked by confirmed",
    ) in changes


def test_a_break_wins_over_the_model() -> None:
    born = Customer(name="李东丽", birth=date(1980, 2, 3), region="广东")
    world = linked({("crm", "a"): born, ("desk", "b"): born})
    assert world.groups() == {frozenset("ab")}
    world.overrides = [("break", ("crm", "a"), ("desk", "b"))]
    world.link()
    assert world.groups() == set()


def test_a_key_keeps_its_meaning() -> None:
    """The older key stays with its customer through a merge and an un-merge, and a late record never takes it over."""
    world = World()
    world.deliver({("crm", "a"): LI})
    world.deliver({("billing", "b"): replace(LI, phones=("+8611111111",))})
    world.link()
    keys: dict[object, object] = dict(world.rows("select customer_id, customer_key from memory.state.links"))
    world.deliver({("desk", "c"): replace(LI, phones=(*LI.phones, "+8611111111"))})
    world.link()
    assert set(world.rows("select customer_key from memory.state.links")) == {(keys["a"],)}
    world.deliver({("desk", "c"): replace(LI, name=None)})
    world.link()
    after: dict[object, object] = dict(world.rows("select customer_id, customer_key from memory.state.links"))
    # b and a still share a name and a birthday, c a number with a.
    assert after["a"] == keys["a"] == after["c"]
    assert world.rows("select customer_id, change from memory.state.key_changes where customer_id = 'b' limit 1") in (
        [],
        [("b", "merge")],
    )


_SOURCES = ("crm", "billing", "desk")
_NAMES = (
    "李东丽",
    "Dongli Li",
    "王伟",
    "Wang Wei",
    "东丽李",
    "Emma Avaya Smith",
    "Smith Emma",
    "Acme Trading Ltd",
    "南京沐禾医疗器械有限公司",
    None,
)
_BORN = (None, date(1980, 2, 3), date(1980, 3, 2), date(1991, 7, 30))
_PERIODS = ((None, None), (date(2019, 1, 1), date(2020, 6, 30)), (date(2020, 7, 1), None), (date(2020, 1, 1), None))


def _anybody(dice: random.Random) -> Customer:
    def some(kind: str, of: int) -> tuple[object, ...]:
        return tuple({f"{kind}{dice.randrange(of)}": None for _ in range(dice.choice((0, 1, 1, 2)))})

    phones = tuple((value, *dice.choice(_PERIODS)) for value in some("+86", 7))
    return Customer(
        kind=dice.choice(("person", "person", "household", "enterprise", None)),
        name=dice.choice(_NAMES), birth=dice.choice(_BORN), region=dice.choice((None, "广东", "江苏")),
        phones=phones, emails=some("e", 12), members=some("M", 9) if dice.random() < 0.4 else (),
        address=dice.choice((None, None, "1 wellington ave", "75 berkshire st")),
    )  # fmt: skip


_STATE = {
    "nodes": "*", "records": "*", "identifiers": "*", "edges": "*", "groups": "*", "blocks": "*", "scores": "*", "joins": "*", "finals": "*", "resolved": "*",
    "links": "*",
}  # fmt: skip


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000_000))
def test_day_by_day_gives_what_all_at_once_gives(seed: int) -> None:
    """Random deliveries, corrections, deletions and decisions: after every one the state is that of linking everything anew."""
    dice = random.Random(seed)
    world = World(thresholds=Thresholds(block=dice.choice((2, 3, 5, 12))))
    keys = [(dice.choice(_SOURCES), f"c{number}") for number in range(40)]
    for _ in range(5):
        chosen = dice.sample(keys, dice.randrange(0, 12))
        world.deliver({key: None if dice.random() < 0.15 else _anybody(dice) for key in chosen})
        if dice.random() < 0.5:
            one, other = dice.sample(keys, 2)
            world.overrides = [*world.overrides[-2:], (dice.choice(("confirm", "break")), one, other)]
        report = world.link(full=False)
        world.link(full=True, schema="memory.anew")
        assert report.is_full or world.files > 1
        for table, columns in _STATE.items():
            left, right = f"select {columns} from memory.state.{table}", f"select {columns} from memory.anew.{table}"
            found = world.rows(f"({left} except all {right}) union all ({right} except all {left})")
            assert found == [], (seed, world.files, table, found[:4])
    world.connection.close()


def test_a_day_looks_at_what_is_new_only() -> None:
    dice = random.Random(3)
    world = World()
    world.deliver(
        {
            ("crm", f"c{n}"): Customer(name=f"Some Body{n} Else{n % 50}", phones=(f"+86{n}",), birth=_BORN[1])
            for n in range(1500)
        }
    )
    world.deliver({("desk", f"d{n}"): Customer(name="x", phones=(f"+86{n}",)) for n in range(1500)})
    assert world.link().is_full
    n = dice.randrange(1500)
    world.deliver({("billing", "new"): Customer(name="New", phones=(f"+86{n}",))})
    assert world.link() == Report(is_full=False, records=1, identifiers=1, edges=1, pairs=0, links=3)
    assert world.link() == Report(is_full=False, records=0, identifiers=0, edges=0, pairs=0, links=0)


def test_another_rule_links_everybody_anew_and_says_what_changed() -> None:
    world = linked({("crm", "a"): LI, ("crm", "b"): Customer(name="王伟", phones=LI.phones)})
    assert world.groups() == set()
    world.thresholds = Thresholds(shared_phone=2)
    assert world.link().is_full
    assert world.groups() == {frozenset("ab")}
    assert world.rows("select customer_id, change from memory.state.key_changes") == [("b", "merge")]


def _by_search(edges: Iterable[tuple[int, int]]) -> dict[int, int]:
    near: dict[int, set[int]] = {}
    for a, b in edges:
        near.setdefault(a, set()).add(b)
        near.setdefault(b, set()).add(a)
    found: dict[int, int] = {}
    for start in sorted(near):
        open_, seen = [start], {start}
        while open_:
            for node in near[open_.pop()] - seen:
                seen.add(node)
                open_.append(node)
        found[start] = min(seen)
    return found


@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 30)).map(lambda e: (e[0], e[1] + 10**6 * (e[1] % 2))), max_size=40
    )
)
def test_components_are_those_of_a_search(edges: list[tuple[int, int]]) -> None:
    ends = np.array(edges, dtype=np.int64).reshape(-1, 2)
    nodes, roots = components(ends[:, 0], ends[:, 1])
    assert dict(zip(nodes.tolist(), roots.tolist(), strict=True)) == _by_search(edges)


def test_groups_with_somebody_to_keep_apart() -> None:
    chain = [(1.0, 1, 2), (2.0, 2, 3), (3.0, 3, 4)]
    assert resolved_groups([1, 2, 3, 4], chain, []) == {1: 1, 2: 1, 3: 1, 4: 1}
    # The weakest edge of the way between the two gives way.
    assert resolved_groups([1, 2, 3, 4], chain, [(1, 4)]) == {1: 1, 2: 1, 3: 1, 4: 4}
    kinds = {1: "P", 3: "E"}
    assert resolved_groups([1, 2, 3], chain[:2], [], kinds) == {1: 1, 2: 1, 3: 3}
    assert resolved_groups([1, 2, 3], [(0.0, 1, 3), (3.0, 1, 2)], [], kinds) == {1: 1, 2: 1, 3: 1}


def test_thresholds_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="candidate"):
        Thresholds(link=0.1)
    with pytest.raises(ValueError, match="blocks"):
        Thresholds(block=1)
    assert identity.digest_of(PARAMETERS, Thresholds(), "a") != identity.digest_of(
        PARAMETERS, Thresholds(link=0.9), "a"
    )
