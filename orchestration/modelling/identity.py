"""Which records of the sources are one customer.

Belongs here: the linking itself, from records and identifiers to groups, in steps that look at what has changed only. Does not belong here:
reading a probability off two records (record_linkage), forms of names (names), and what marts make of the groups (dbt).

The steps, each with a table of its own in the schema of the state:

1. `nodes`: records numbered by when they were first loaded. The smallest number of a group gives it its key.
2. `identifiers`, `records`: what the sources say now, in comparable forms. What is new and what is gone is found by content, so a repeated or a
   late delivery, a correction and a deletion need no cases of their own.
3. `edges`: holders of one identifier at the same time, as a star around the earliest. Demotion, kinds and recycled numbers are rules here.
4. `groups`: connected components of the edges. Only groups that a new or vanished edge touches are computed anew.
5. `scores`: pairs of different groups that share a block (a name, a birth date, a demoted number ...), scored by the stored model. Only pairs of
   records whose blocks, forms or groups have changed are scored.
6. `joins`, `finals`: scored pairs above the threshold and a person's decisions, over groups; few, so they are computed whole.
7. `links`: a row a record. What has changed goes to `key_changes`, too, which is never computed again.

Every step is a function of what the sources say, so the result does not depend on how it was delivered (tests/modelling/test_identity.py).
The tables are changed in the caller's transaction: a run that dies leaves all of them as they were.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from orchestration.modelling import names, record_linkage

LINKING_KINDS = ("phone", "email", "contract", "member", "national_id")
_EVIDENCE = ("confirmed", "contract", "email", "member", "name", "national_id", "phone")
_KINDS = ", ".join(f"'{kind}'" for kind in LINKING_KINDS)
_TABLES = {
    "nodes": "node bigint, source varchar, customer_id varchar",
    "forms": "name_id ubigint, plain varchar, romanised varchar, letters ubigint, core ubigint, is_chinese boolean, has_legal_form boolean",
    "records": "h ubigint, node bigint, class varchar, name_id ubigint, letters ubigint, core ubigint, birth_date date, region varchar,"
    " org_unit_id varchar, address varchar",
    "identifiers": "h ubigint, node bigint, identifier_kind varchar, identifier_key varchar, key_id ubigint, valid_from date, valid_to date",
    "edges": "key_id ubigint, identifier_kind varchar, node bigint, other bigint",
    "groups": "node bigint, root bigint",
    "blocks": "node bigint, block ubigint",
    "scores": "node bigint, other bigint, probability double, match_weight double, evidence varchar, model_version varchar",
    "joins": "node bigint, other bigint, method varchar, probability double",
    "finals": "root bigint, final bigint",
    "resolved": "node bigint, final bigint",
}
_KEPT = {
    "links": "node bigint, source varchar, customer_id varchar, final bigint, customer_key varchar, own_key varchar, link_method varchar,"
    " confidence decimal(3,2), evidence varchar",
    "key_changes": "change_number bigint, source varchar, customer_id varchar, change varchar, from_key varchar, to_key varchar, reason varchar, changed_at timestamp, file_id bigint",
    "basis": "digest varchar, file_id bigint",
}


@dataclass(frozen=True)
class Thresholds:
    """Numbers that people may change (seeds/service_thresholds.csv).

    Attributes:
        shared_phone, shared_email, shared_number: customers of one source and kind that may carry an identifier at the same time; more, and it
            links nobody.
        block: records that may share a block; more, and the block tells nobody apart and brings no pairs.
        link: probability from which a pair is linked.
        candidate: probability from which a pair is shown to a person.
    """

    shared_phone: int = 1
    shared_email: int = 1
    shared_number: int = 3
    block: int = 12
    link: float = 0.95
    candidate: float = 0.2

    def __post_init__(self) -> None:
        """Raises ValueError for numbers that mean nothing."""
        if min(self.shared_phone, self.shared_email, self.shared_number) < 0 or self.block < 2:
            raise ValueError("limits of identifiers are at least 0, that of blocks at least 2")
        if not 0 < self.candidate <= self.link <= 1:
            raise ValueError("probabilities: 0 < candidate <= link <= 1")


@dataclass(frozen=True)
class Inputs:
    """What the sources and people say, as relations of the connection.

    Attributes:
        received: every row ever received of a customer or identifier: source, customer_id, _file_id, _record_number.
        customers: used rows: source, customer_id, customer_kind, customer_name, birth_date, region, org_unit_id, address.
        identifiers: used rows: source, customer_id, identifier_kind, identifier_value, identifier_key, valid_from, valid_to. The key is the
            comparable form (null = unusable); in a view it is worked out for the rows that are new only.
        overrides: decision (confirm, break), source, customer_id, other_source, other_customer_id.
        parameters: of the model, as `record_linkage.check_parameters` wants them.
        salt: secret of the home that makes keys pseudonymous.
        loaded_at: SQL literal of the instant of the newest load, for the record of changes.
    """

    received: str
    customers: str
    identifiers: str
    overrides: str
    parameters: pl.DataFrame
    salt: str
    loaded_at: str


@dataclass(frozen=True)
class Report:
    """What a run did: `is_full`, and how many records, identifiers, edges, pairs and links were new, changed or gone."""

    is_full: bool
    records: int
    identifiers: int
    edges: int
    pairs: int
    links: int


def digest_of(parameters: pl.DataFrame, thresholds: Thresholds, salt: str) -> str:
    """What the state follows from besides its inputs: another digest makes the state worthless.

    It holds the code of the linking, the parameters of the model, the thresholds and the home's secret.
    """
    digest = hashlib.sha256()
    for module in (Path(__file__), Path(names.__file__), Path(record_linkage.__file__)):
        digest.update(module.read_bytes())
    digest.update(parameters.sort(parameters.columns).write_csv().encode())
    digest.update(repr((thresholds, _TABLES, duckdb.__version__)).encode())
    digest.update(hashlib.sha256(salt.encode()).digest())
    return digest.hexdigest()


def components(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Connected components of undirected edges.

    Args:
        left, right: the two ends of each edge, whole numbers of any size, shape (edges,).

    Returns:
        The nodes that have an edge, sorted, and the smallest node of the component of each.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if len(left) == 0:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    nodes = np.unique(np.concatenate([left, right]))
    places = (
        np.zeros(nodes[-1] - nodes[0] + 1, dtype=np.int32) if nodes[-1] - nodes[0] < 20 * len(nodes) + 1000 else None
    )
    if places is None:
        one, two = np.searchsorted(nodes, left), np.searchsorted(nodes, right)
    else:
        places[nodes - nodes[0]] = np.arange(len(nodes), dtype=np.int32)
        one, two = places[left - nodes[0]], places[right - nodes[0]]
    matrix = coo_array((np.ones(len(left), dtype=np.int8), (one, two)), shape=(len(nodes), len(nodes)))
    count, labels = connected_components(matrix, directed=False)
    smallest = np.empty(count, dtype=np.int64)
    # The last value of a repeated place stays: from the largest node to the smallest, that is the smallest.
    smallest[labels[::-1]] = nodes[::-1]
    return nodes.astype(np.int64), smallest[labels]


def resolved_groups(
    nodes: Iterable[int],
    edges: Iterable[tuple[float, int, int]],
    apart: Iterable[tuple[int, int]],
    classes: Mapping[int, str] | None = None,
) -> dict[int, int]:
    """Groups in which nobody stands with one from whom he must be kept apart.

    Edges are taken from the strongest on; one that would bring together two nodes that must be apart is left out (Kruskal's way, with
    constraints). A person (P) and an enterprise (E) must be apart too, unless a person confirmed it, which is an edge of strength 0.

    Args:
        nodes: all nodes.
        edges: (strength, node, other): the smaller the strength, the stronger.
        apart: pairs that must not stand in one group.
        classes: P, E or U (unknown) of nodes; not given = U.

    Returns:
        node -> smallest node of its group.
    """
    members = {node: {node} for node in sorted(nodes)}
    root = {node: node for node in members}
    kinds = {node: {(classes or {}).get(node, "U")} - {"U"} for node in members}
    enemies: dict[int, set[int]] = {node: set() for node in members}
    for a, b in apart:
        enemies[a].add(b)
        enemies[b].add(a)
    for strength, a, b in sorted(edges):
        x, y = sorted((root[a], root[b]))
        is_mixed = len(kinds[x] | kinds[y]) > 1 and len(kinds[x]) < 2 and len(kinds[y]) < 2
        if x == y or enemies[x] & members[y] or (strength > 0 and is_mixed):
            continue
        for node in members[y]:
            root[node] = x
        members[x] |= members.pop(y)
        kinds[x] |= kinds[y]
        enemies[x] |= enemies[y]
    return root


class _State:
    """The state's tables under one connection, with short names for the SQL of the steps."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, schema: str) -> None:
        self.connection = connection
        self.schema = schema

    def run(self, sql: str) -> None:
        self.connection.execute(sql)

    def count(self, sql: str) -> int:
        row = self.connection.execute(f"select count(*) from {sql}").fetchone()
        return int(row[0]) if row else 0

    def temp(self, name: str, sql: str) -> None:
        self.run(f"create or replace temp table {name} as {sql}")

    def frame(self, sql: str) -> pl.DataFrame:
        found = self.connection.execute(sql).to_arrow_table()
        frame = pl.from_arrow(found)
        assert isinstance(frame, pl.DataFrame)
        return frame

    def fill(self, table: str, frame: pl.DataFrame) -> None:
        self.connection.register("identity_fill", frame.to_arrow())
        self.run(f"insert into {table} select {', '.join(frame.columns)} from identity_fill")
        self.connection.unregister("identity_fill")


def link_customers(
    connection: duckdb.DuckDBPyConnection, inputs: Inputs, thresholds: Thresholds, *, schema: str, full: bool = False
) -> Report:
    """Bring the links up to what the sources say.

    Args:
        connection: DuckDB, in the transaction that should hold all changes.
        inputs: names of relations that `connection` knows.
        schema: where the state lives, with its database; it is made if it is not there.
        full: forget the state (not what was published and the record of its changes) and link all at once.

    Returns:
        What was done.

    Raises:
        ValueError: wrong parameters of the model.
    """
    record_linkage.check_parameters(inputs.parameters)
    s = _State(connection, schema)
    s.run(f"create schema if not exists {schema}")
    for table, columns in {**_TABLES, **_KEPT}.items():
        s.run(f"create table if not exists {schema}.{table} ({columns})")
    digest = digest_of(inputs.parameters, thresholds, inputs.salt)
    before = connection.execute(f"select digest, file_id from {schema}.basis").fetchone()
    is_full = full or before is None or before[0] != digest
    if is_full:
        for table, columns in _TABLES.items():
            s.run(f"create or replace table {schema}.{table} ({columns})")
    mark = -1 if is_full or before is None else int(before[1])

    new_mark = _number_nodes(s, inputs, mark)
    records = _read_records(s, inputs, is_full)
    identifiers = _read_identifiers(s, inputs, is_full)
    edges = _draw_edges(s, thresholds, is_full)
    _group(s, is_full)
    pairs = _score(s, inputs.parameters, thresholds, is_full)
    _join(s, inputs, thresholds)
    links = _publish(s, inputs, is_full, new_mark)
    s.run(f"delete from {schema}.basis")
    connection.execute(f"insert into {schema}.basis values (?, ?)", [digest, new_mark])
    return Report(is_full, records, identifiers, edges, pairs, links)


def _number_nodes(s: _State, inputs: Inputs, mark: int) -> int:
    """Number the records that are new, in the order in which they were first loaded."""
    s.temp(
        "identity_new_nodes",
        f"""
        with seen as (
            select source, customer_id, min(_file_id * 10000000000 + _record_number) as first_seen
            from {inputs.received} where customer_id is not null and _file_id > {mark}
            group by source, customer_id
        )
        select
            (select coalesce(max(node), 0) from {s.schema}.nodes) + row_number() over (order by first_seen, source, customer_id) as node,
            source, customer_id
        from seen anti join {s.schema}.nodes as known using (source, customer_id)
        """,
    )
    s.run(f"insert into {s.schema}.nodes from identity_new_nodes")
    row = s.connection.execute(
        f"select greatest(coalesce(max(_file_id), -1), {mark}) from {inputs.received}"
    ).fetchone()
    return int(row[0]) if row else mark


# Two hashes in one, of the texts and of the texts moved on by a character: one alone has collisions among like texts (macro double_hash).
_RECORD_HASH = (
    "xor(hash(source, customer_id, customer_kind, customer_name, birth_date, region, org_unit_id, address),"
    " hash(concat('#', customer_id), concat('#', customer_name), concat('#', address)))"
)
_IDENTIFIER_HASH = (
    "xor(hash(source, customer_id, identifier_kind, identifier_value, valid_from, valid_to),"
    " hash(concat('#', customer_id), concat('#', identifier_value)))"
)
_NAME_HASH = "xor(hash(customer_name), hash(concat('#', customer_name)))"
_KEY_HASH = "xor(hash(identifier_kind, identifier_key), hash(concat('#', identifier_key)))"


def _read_records(s: _State, inputs: Inputs, is_full: bool) -> int:
    """Take in records that are new or have other content, and drop those that are gone. `identity_changed`: their nodes."""
    if is_full:
        s.temp("identity_gone", "select 0::bigint as node where false")
        fresh = f"from {inputs.customers}"
    else:
        s.temp("identity_now", f"select {_RECORD_HASH} as h from {inputs.customers}")
        s.temp("identity_gone", f"select node from {s.schema}.records anti join identity_now using (h)")
        s.run(f"delete from {s.schema}.records where h not in (from identity_now)")
        s.temp("identity_new_hashes", f"select h from identity_now anti join {s.schema}.records using (h)")
        fresh = f"from {inputs.customers} where {_RECORD_HASH} in (from identity_new_hashes)"
    if not is_full:
        s.temp("identity_fresh", f"select * {fresh}")
    told = inputs.customers if is_full else "identity_fresh"
    _learn_names(s, told)
    s.run(
        f"""
        insert into {s.schema}.records
        select
            fresh.h, nodes.node,
            case fresh.customer_kind when 'enterprise' then 'E' when 'person' then 'P' when 'household' then 'H' else 'U' end as class,
            fresh.name_id, forms.letters, forms.core,
            fresh.birth_date, nullif(lower(trim(fresh.region)), '') as region, fresh.org_unit_id, fresh.address
        from (
            select {_RECORD_HASH} as h, {_NAME_HASH} as name_id, source, customer_id, customer_kind, birth_date, region, org_unit_id, address from {told}
        ) as fresh
        inner join {s.schema}.nodes as nodes using (source, customer_id)
        left join {s.schema}.forms as forms on fresh.name_id = forms.name_id
        """
    )
    if is_full:
        return s.count(f"{s.schema}.records")
    s.temp(
        "identity_changed",
        f"select node from identity_gone union select nodes.node from identity_fresh inner join {s.schema}.nodes as nodes using (source, customer_id)",
    )
    return s.count("identity_changed")


def _learn_names(s: _State, told: str) -> None:
    """Comparable forms of the names in `told` that no record has had before."""
    new = s.frame(
        f"""
        select {_NAME_HASH} as name_id, any_value(customer_name) as name from {told}
        where customer_name is not null and {_NAME_HASH} not in (select name_id from {s.schema}.forms) group by 1
        """
    )
    forms = new.join(names.name_forms(new["name"]), on="name").drop("name")
    s.connection.register("identity_spelled", forms.to_arrow())
    s.run(
        f"""
        insert into {s.schema}.forms
        select
            name_id, plain, romanised, case when letters is not null then hash(letters) end as letters,
            case when core is not null then hash(core) end as core, is_chinese, has_legal_form
        from identity_spelled
        """
    )
    s.connection.unregister("identity_spelled")


def _read_identifiers(s: _State, inputs: Inputs, is_full: bool) -> int:
    """The same for identifiers. `identity_keys`: identifiers whose holders may have changed."""
    if not is_full:
        s.temp("identity_now", f"select {_IDENTIFIER_HASH} as h from {inputs.identifiers}")
        s.temp("identity_old_keys", f"select node, key_id from {s.schema}.identifiers anti join identity_now using (h)")
        s.run(f"delete from {s.schema}.identifiers where h not in (from identity_now)")
        s.temp("identity_new_hashes", f"select distinct h from identity_now anti join {s.schema}.identifiers using (h)")
        fresh = f"from {inputs.identifiers} where {_IDENTIFIER_HASH} in (from identity_new_hashes)"
    else:
        s.temp("identity_old_keys", f"select node, key_id from {s.schema}.identifiers")
        fresh = f"from {inputs.identifiers}"
    keyed = f"""
        select h, nodes.node, identifier_kind, identifier_key, case when identifier_key is not null then {_KEY_HASH} end as key_id, valid_from, valid_to
        from (select {_IDENTIFIER_HASH} as h, source, customer_id, identifier_kind, identifier_key, valid_from, valid_to {fresh}) as fresh
        inner join {s.schema}.nodes as nodes using (source, customer_id)
        """
    if is_full:
        s.run(f"insert into {s.schema}.identifiers {keyed}")
    else:
        s.temp("identity_fresh", keyed)
        s.run(f"insert into {s.schema}.identifiers from identity_fresh")
    if not is_full:
        s.temp("identity_moved", "select node from identity_old_keys union select node from identity_fresh")
    s.temp(
        "identity_keys",
        f"""
        select key_id from identity_old_keys where key_id is not null
        union
        select key_id from identity_fresh where key_id is not null
        union
        select key_id from {s.schema}.identifiers where key_id is not null and node in (from identity_changed)
        """
        if not is_full
        else f"select key_id from {s.schema}.identifiers where key_id is not null and identifier_kind in ({_KINDS}) group by key_id having min(node) < max(node)",
    )
    return s.count(f"{s.schema}.identifiers") if is_full else s.count("identity_old_keys") + s.count("identity_fresh")


def _draw_edges(s: _State, thresholds: Thresholds, is_full: bool) -> int:
    """Edges of the identifiers in `identity_keys`. `identity_ends`: nodes that gained or lost one.

    Holders of one identifier are linked when they are of one class (persons and households, or enterprises; unknown goes with the only one that
    there is), hold it at the same time, and no source has more of them than the limit. Periods that touch, one after another, are one stretch;
    who says no period belongs to the only stretch, or to none when there are several.
    """
    limit = f"case identifier_kind when 'phone' then {thresholds.shared_phone} when 'email' then {thresholds.shared_email} else {thresholds.shared_number} end"
    s.temp(
        "identity_sources_known",
        f"select source, (row_number() over (order by source) - 1) % 63 as place from {s.schema}.nodes group by source",
    )
    s.temp(
        "identity_held",
        f"""
        with who as (
            select nodes.node, 1::ubigint << cast(known.place as ubigint) as bit, case records.class when 'E' then 'E' when 'P' then 'P' when 'H' then 'P' else 'U' end as class
            from {s.schema}.nodes as nodes
            inner join identity_sources_known as known using (source)
            left join {s.schema}.records as records using (node)
        )
        select i.key_id, i.node, i.identifier_kind, i.valid_from, i.valid_to, who.bit, who.class
        from {s.schema}.identifiers as i inner join who using (node)
        where i.identifier_kind in ({_KINDS}) and i.key_id in (from identity_keys)
        """,
    )
    s.temp(
        "identity_held_keys",
        """
        select
            key_id, class, min(node) as hub, any_value(identifier_kind) as identifier_kind, count(*) as holders,
            bit_or(bit) as bits, max(valid_to) is not null as has_ends
        from identity_held group by key_id, class
        """,
    )
    # Most identifiers have one holder a source, of known kind and without an end: nothing has to be asked. The others go the long way.
    s.temp(
        "identity_plain_keys",
        f"""
        with questioned as (
            select key_id from identity_held_keys where class = 'U' or has_ends or bit_count(bits) <> holders or {limit} < 1
        )
        select key_id, class, hub, holders from identity_held_keys anti join questioned using (key_id)
        """,
    )
    s.temp(
        "identity_new_edges",
        f"""
        with held as (
            select
                key_id, any_value(identifier_kind) as identifier_kind, node, any_value(class) as class,
                min(coalesce(valid_from, date '0001-01-01')) as first_day,
                max(coalesce(valid_to, date '9999-12-31')) as last_day,
                bool_or(valid_from is not null or valid_to is not null) as is_dated
            from identity_held anti join identity_plain_keys using (key_id)
            group by key_id, node
        ),

        holders as (
            select held.*, nodes.source
            from held inner join {s.schema}.nodes as nodes using (node)
        ),

        identified as (
            select
                key_id,
                case when not bool_or(class = 'E') then 'P' when not bool_or(class = 'P') then 'E' else 'U' end as class_of_unknown,
                min(last_day) < date '9999-12-31' as has_ends
            from holders
            group by key_id
            having count(*) > 1
        ),

        classed as (
            select holders.* replace (case when class = 'U' then class_of_unknown else class end as class), has_ends
            from holders inner join identified using (key_id)
        ),

        breaks as (
            select *, case when first_day > max(last_day) over (
                partition by key_id, class order by first_day, node rows between unbounded preceding and 1 preceding
            ) then 1 else 0 end as is_later
            from classed where has_ends and is_dated
        ),

        stretches as (
            select key_id, class, identifier_kind, node, source, cast(sum(is_later) over (
                partition by key_id, class order by first_day, node rows unbounded preceding
            ) as integer) as stretch
            from breaks
        ),

        counted as (select key_id, class, max(stretch) as last_stretch from stretches group by key_id, class),

        placed as (
            select key_id, class, identifier_kind, node, source, 0 as stretch from classed where not has_ends
            union all
            from stretches
            union all
            select key_id, class, identifier_kind, node, source, 0 as stretch
            from classed left join counted using (key_id, class)
            where has_ends and not is_dated and coalesce(last_stretch, 0) = 0
        ),

        of_source as (
            select key_id, class, stretch, identifier_kind, source, count(*) as holders, min(node) as first_node
            from placed group by key_id, class, stretch, identifier_kind, source
        ),

        linking as (
            select key_id, class, stretch, min(first_node) as hub
            from of_source
            group by key_id, class, stretch, identifier_kind
            having sum(holders) > 1 and max(holders) <= {limit}
        )

        select placed.key_id, placed.identifier_kind, linking.hub as node, placed.node as other
        from placed inner join linking using (key_id, class, stretch)
        where placed.node <> linking.hub
        union all
        select held.key_id, held.identifier_kind, plain.hub as node, held.node as other
        from identity_held as held inner join identity_plain_keys as plain using (key_id, class)
        where plain.holders > 1 and held.node <> plain.hub
        """,
    )
    if is_full:
        s.run(f"insert into {s.schema}.edges from identity_new_edges")
        s.temp("identity_ends", f"select node from {s.schema}.edges where false")
        return s.count("identity_new_edges")
    s.temp("identity_old_edges", f"select * from {s.schema}.edges where key_id in (from identity_keys)")
    s.temp(
        "identity_edge_changes",
        "(from identity_old_edges except from identity_new_edges) union all (from identity_new_edges except from identity_old_edges)",
    )
    s.run(f"delete from {s.schema}.edges where key_id in (from identity_keys)")
    s.run(f"insert into {s.schema}.edges from identity_new_edges")
    s.temp("identity_ends", "select node from identity_edge_changes union select other from identity_edge_changes")
    return s.count("identity_edge_changes")


def _group(s: _State, is_full: bool) -> None:
    """Components of the edges. `identity_regrouped`: nodes whose group has another root than before."""
    if is_full:
        edges = s.frame(f"select distinct node, other from {s.schema}.edges")
        s.temp("identity_members", "select 0::bigint as node where false")
    else:
        s.temp(
            "identity_members",
            f"""
            with roots as (
                select coalesce(groups.root, ends.node) as root from identity_ends as ends left join {s.schema}.groups as groups using (node)
            )
            select node from {s.schema}.groups where root in (from roots)
            union
            select node from identity_ends
            """,
        )
        edges = s.frame(f"select distinct node, other from {s.schema}.edges where node in (from identity_members)")
    nodes, roots = components(edges["node"].to_numpy(), edges["other"].to_numpy())
    s.temp("identity_old_groups", f"select * from {s.schema}.groups where node in (from identity_members)")
    s.run(f"delete from {s.schema}.groups where node in (from identity_members)")
    s.fill(
        f"{s.schema}.groups", pl.DataFrame({"node": nodes, "root": roots}, schema={"node": pl.Int64, "root": pl.Int64})
    )
    s.temp(
        "identity_regrouped",
        f"""
        select members.node
        from identity_members as members
        left join identity_old_groups as before using (node)
        left join {s.schema}.groups as after using (node)
        where coalesce(before.root, members.node) <> coalesce(after.root, members.node)
        """,
    )


_BLOCKS = {
    # Same letters in any order and script, born on the same day; in the same year; on the same day and month or with the two exchanged.
    "birthday": "select node, hash('birthday', letters, birth_date) as block from {records} where class <> 'E' and letters is not null and birth_date is not null",
    "year": "select node, hash('year', letters, year(birth_date)) as block from {records} where class <> 'E' and letters is not null and birth_date is not null",
    "day": "select node, hash('day', letters, least(day(birth_date), month(birth_date)), greatest(day(birth_date), month(birth_date))) as block"
    " from {records} where class <> 'E' and letters is not null and birth_date is not null",
    # One word of the name and the birthday: slips in the other words. A Chinese surname is too common a word.
    "word": "select node, hash('word', word, birth_date) as block from (select node, birth_date, unnest(string_split(romanised, ' ')) as word"
    " from {records} inner join {forms} using (name_id) where class <> 'E' and not is_chinese and birth_date is not null) where length(word) >= 3",
    "company": "select node, hash('company', core) as block from {records} where class in ('E', 'U') and core is not null",
    "address": "select node, hash('address', address) as block from {records} where address is not null",
    "street": "select node, hash('street', left(address, 8)) as block from {records} where length(address) >= 8",
}


def _score(s: _State, parameters: pl.DataFrame, thresholds: Thresholds, is_full: bool) -> int:
    """Score the pairs of which anything has changed."""
    if not is_full:
        s.temp(
            "identity_touched",
            "select node from identity_changed union select node from identity_moved union select node from identity_regrouped",
        )
        s.temp(
            "identity_old_blocks", f"select node, block from {s.schema}.blocks where node in (from identity_changed)"
        )
        s.run(f"delete from {s.schema}.blocks where node in (from identity_changed)")
    records = f"{s.schema}.records" if is_full else f"(from {s.schema}.records where node in (from identity_changed))"
    rooted = f"select blocks.block, blocks.node, coalesce(groups.root, blocks.node) as root from %s as blocks left join {s.schema}.groups as groups using (node)"
    for sql in _BLOCKS.values():
        s.run(
            f"insert into {s.schema}.blocks select distinct node, block from ({sql.format(records=records, forms=s.schema + '.forms')})"
        )
    if is_full:
        # Of the identifiers only those of several: `identity_keys`.
        held = f"select distinct node, key_id as block from {s.schema}.identifiers where identifier_kind in ({_KINDS}) and key_id in (from identity_keys)"
        s.temp("identity_blocks", rooted % f"(from {s.schema}.blocks union all {held})")
    else:
        # A block that has lost or gained a record may have grown too big or small enough: all its records are looked at, if it is or was small.
        s.temp(
            "identity_block_changes",
            f"select block from identity_old_blocks union select block from {s.schema}.blocks where node in (from identity_changed) union select key_id from identity_keys",
        )
        s.temp(
            "identity_block_members",
            f"select node, block from {s.schema}.blocks where block in (from identity_block_changes) union all"
            f" select distinct node, key_id from {s.schema}.identifiers where identifier_kind in ({_KINDS}) and key_id in (from identity_block_changes)",
        )
        # Those that were above the limit before and are above it now have no pairs, whoever came or went.
        s.temp(
            "identity_small_changes",
            f"""
            with gained as (
                select block, count(*) as gained from {s.schema}.blocks where node in (from identity_changed) group by block
                union all
                select key_id, count(distinct node) from identity_fresh where key_id is not null group by key_id
            )
            select members.block
            from (select block, count(*) as size from identity_block_members group by block) as members
            left join (select block, sum(gained) as gained from gained group by block) as gained using (block)
            where size - coalesce(gained, 0) <= {thresholds.block}
            """,
        )
        s.run(
            "insert into identity_touched select node from identity_block_members where block in (from identity_small_changes)"
        )
        s.temp(
            "identity_wanted_blocks",
            f"select block from {s.schema}.blocks where node in (from identity_touched) union"
            f" select key_id from {s.schema}.identifiers where identifier_kind in ({_KINDS}) and key_id is not null and node in (from identity_touched)",
        )
        s.temp(
            "identity_blocks",
            rooted
            % f"(select node, block from {s.schema}.blocks where block in (from identity_wanted_blocks) union all"
            f" select distinct node, key_id from {s.schema}.identifiers where identifier_kind in ({_KINDS}) and key_id in (from identity_wanted_blocks))",
        )
        s.run(
            f"delete from {s.schema}.scores where node in (from identity_touched) or other in (from identity_touched)"
        )
    of_touched = "" if is_full else "and (a.node in (from identity_touched) or b.node in (from identity_touched))"
    s.temp(
        "identity_pairs",
        f"""
        with small as (
            select block from identity_blocks group by block
            having count(*) between 2 and {thresholds.block} and min(root) < max(root)
        ),
        kept as (
            select blocks.block, blocks.node, blocks.root, records.class
            from identity_blocks as blocks
            semi join small using (block)
            inner join {s.schema}.records as records using (node)
        )
        select distinct a.node, b.node as other, case when a.class = 'E' or b.class = 'E' then 'enterprise' else 'person' end as population
        from kept as a inner join kept as b on a.block = b.block and a.node < b.node
        where a.root <> b.root and (a.class = b.class or a.class = 'U' or b.class = 'U') {of_touched}
        """,
    )
    pairs = s.frame("from identity_pairs")
    if pairs.is_empty():
        return 0
    s.temp("identity_paired", "select node from identity_pairs union select other from identity_pairs")
    listed = s.frame(
        f"""
        with told as (
            select node, identifier_kind, key_id
            from {s.schema}.identifiers
            where key_id is not null and identifier_kind in ('phone', 'email', 'national_id') and node in (from identity_paired)
        ),
        -- What very many hold says nothing of two of them.
        common as (
            select key_id from {s.schema}.identifiers where key_id in (select key_id from told)
            group by key_id having count(distinct node) > {thresholds.block}
        ),
        held as (
            select
                node,
                list(distinct key_id) filter (where identifier_kind = 'phone') as phones,
                list(distinct key_id) filter (where identifier_kind = 'email') as emails,
                list(distinct key_id) filter (where identifier_kind = 'national_id') as numbers
            from told
            where key_id not in (from common)
            group by node
        )
        select
            records.node, forms.plain, forms.romanised, records.letters, records.core, forms.is_chinese, forms.has_legal_form,
            list_filter(string_split(forms.romanised, ' '), lambda w: length(w) > 1) as words,
            records.birth_date, records.region, records.org_unit_id, records.address, held.phones, held.emails, held.numbers
        from {s.schema}.records as records
        left join {s.schema}.forms as forms on records.name_id = forms.name_id
        left join held on records.node = held.node
        where records.node in (from identity_paired)
        """
    )
    scored = record_linkage.score_pairs(listed, pairs, parameters)
    s.fill(f"{s.schema}.scores", scored.filter(pl.col("probability") >= thresholds.candidate))
    return pairs.height


def _join(s: _State, inputs: Inputs, thresholds: Thresholds) -> None:
    """Scored pairs and decisions over groups, and groups that must be taken apart again.

    Two different names are never linked by what else agrees (twins); two groups that have a record of one source each not by the name alone. A group whose partners are not each other's partners is
    ambiguous: none of these pairs counts, a person has to say.
    """
    s.temp("identity_old_joins", f"from {s.schema}.joins")
    s.temp("identity_old_finals", f"from {s.schema}.finals")
    s.temp("identity_old_resolved", f"from {s.schema}.resolved")
    s.temp(
        "identity_decisions",
        f"""
        select o.decision, least(a.node, b.node) as node, greatest(a.node, b.node) as other
        from {inputs.overrides} as o
        inner join {s.schema}.nodes as a on o.source = a.source and o.customer_id = a.customer_id
        inner join {s.schema}.nodes as b on o.other_source = b.source and o.other_customer_id = b.customer_id
        where a.node <> b.node
        """,
    )
    s.temp(
        "identity_strong",
        f"""
        select scores.node, scores.other, scores.probability, coalesce(a.root, scores.node) as root, coalesce(b.root, scores.other) as other_root,
            regexp_matches(scores.evidence, 'shared|(birth_date|address): (same|close)') as has_more_than_name
        from {s.schema}.scores as scores
        left join {s.schema}.groups as a on scores.node = a.node
        left join {s.schema}.groups as b on scores.other = b.node
        where scores.probability >= {thresholds.link} and not contains(scores.evidence, 'name: different')
        and (scores.node, scores.other) not in (select (node, other) from identity_decisions where decision = 'break')
        """,
    )
    # A source that keeps two customers of one name apart knows why, unless something else than the name says that they are one.
    s.temp(
        "identity_sources",
        f"""
        with roots as (select root from identity_strong union select other_root from identity_strong),
        members as (
            select node, root from {s.schema}.groups where root in (from roots) union select root, root from roots
        )
        select members.root, list(distinct nodes.source) as sources
        from members inner join {s.schema}.nodes as nodes using (node) group by members.root
        """,
    )
    s.temp(
        "identity_strong",
        """
        select strong.* from identity_strong as strong
        inner join identity_sources as a on strong.root = a.root
        inner join identity_sources as b on strong.other_root = b.root
        where strong.has_more_than_name or not list_has_any(a.sources, b.sources)
        """,
    )
    s.run(f"delete from {s.schema}.joins")
    s.run(
        f"""
        insert into {s.schema}.joins
        with sides as (
            select distinct root, other_root as partner from identity_strong union select distinct other_root, root from identity_strong
        ),
        ambiguous as (
            select distinct a.root
            from sides as a inner join sides as b on a.root = b.root and a.partner < b.partner
            where not exists (select 1 from sides as c where c.root = a.partner and c.partner = b.partner)
        )
        select node, other, 'scored' as method, probability
        from identity_strong
        where root not in (from ambiguous) and other_root not in (from ambiguous)
        union all
        select distinct node, other, 'confirmed' as method, 1.0 as probability
        from identity_decisions where decision = 'confirm'
        """
    )
    joined = s.frame(
        f"""
        select coalesce(a.root, joins.node) as node, coalesce(b.root, joins.other) as other
        from {s.schema}.joins as joins
        left join {s.schema}.groups as a on joins.node = a.node
        left join {s.schema}.groups as b on joins.other = b.node
        """
    )
    roots, finals = components(joined["node"].to_numpy(), joined["other"].to_numpy())
    s.run(f"delete from {s.schema}.finals")
    s.fill(
        f"{s.schema}.finals",
        pl.DataFrame({"root": roots, "final": finals}, schema={"root": pl.Int64, "final": pl.Int64}),
    )
    _resolve(s)


def _final(s: _State, node: str, suffix: str = "_own") -> tuple[str, str]:
    """SQL: the final root of `node`, and the joins that it needs; without taking apart."""
    return (
        f"coalesce(final{suffix}.final, group{suffix}.root, {node})",
        f"left join {s.schema}.groups as group{suffix} on {node} = group{suffix}.node"
        f" left join {s.schema}.finals as final{suffix} on coalesce(group{suffix}.root, {node}) = final{suffix}.root",
    )


def _resolve(s: _State) -> None:
    a, join_a = _final(s, "d.node", "_a")
    b, join_b = _final(s, "d.other", "_b")
    own, join_own = _final(s, "r.node")
    s.temp(
        "identity_unknown",
        f"select distinct {own} as final from {s.schema}.records as r {join_own} where r.class = 'U'",
    )
    s.temp(
        "identity_units",
        f"select distinct {a} as final from identity_decisions as d {join_a} {join_b} where d.decision = 'break' and {a} = {b}",
    )
    if s.count("identity_unknown"):
        s.run(
            f"""
            insert into identity_units
            select final from (select {own} as final, r.class from {s.schema}.records as r {join_own} where {own} in (from identity_unknown))
            where final not in (from identity_units)
            group by final having bool_or(class in ('P', 'H')) and bool_or(class = 'E')
            """
        )
    s.run(f"delete from {s.schema}.resolved")
    if s.count("identity_units") == 0:
        return
    node_final, join_node = _final(s, "n.node")
    s.temp(
        "identity_unit_nodes",
        f"select n.node, {node_final} as unit from {s.schema}.nodes as n {join_node} where {node_final} in (from identity_units)",
    )
    classes = dict(
        s.connection.execute(
            f"select node, case class when 'H' then 'P' else class end from {s.schema}.records where node in (select node from identity_unit_nodes)"
        ).fetchall()
    )
    nodes = [row[0] for row in s.connection.execute("select node from identity_unit_nodes").fetchall()]
    # Within a unit every two holders of a linking identifier are an edge, so that the others hold together when the first one has to go.
    stars = s.connection.execute(
        f"""
        with spokes as (
            select distinct key_id, identifier_kind, node as hub, node from {s.schema}.edges where node in (select node from identity_unit_nodes)
            union
            select distinct key_id, identifier_kind, node as hub, other from {s.schema}.edges where node in (select node from identity_unit_nodes)
        )
        select min(case a.identifier_kind when 'email' then 2 when 'phone' then 3 else 1 end), a.node, b.node
        from spokes as a inner join spokes as b on a.key_id = b.key_id and a.hub = b.hub and a.node < b.node
        group by a.node, b.node
        """
    ).fetchall()
    joined = s.connection.execute(
        f"select case method when 'confirmed' then 0.0 else 5.0 - probability end, node, other from {s.schema}.joins where node in (select node from identity_unit_nodes)"
    ).fetchall()
    apart = s.connection.execute(
        "select node, other from identity_decisions where decision = 'break' and node in (select node from identity_unit_nodes) and other in (select node from identity_unit_nodes)"
    ).fetchall()
    found = resolved_groups(nodes, [*stars, *joined], apart, classes)
    s.fill(
        f"{s.schema}.resolved",
        pl.DataFrame(
            {"node": list(found), "final": list(found.values())}, schema={"node": pl.Int64, "final": pl.Int64}
        ),
    )


def _publish(s: _State, inputs: Inputs, is_full: bool, file_id: int) -> int:
    """Rows of `links` that have changed, and the record of changed keys."""
    if is_full:
        s.temp("identity_dirty", f"select node from {s.schema}.nodes")
    else:
        s.temp(
            "identity_dirty",
            f"""
            with changed_joins as (
                (from identity_old_joins except from {s.schema}.joins) union all (from {s.schema}.joins except from identity_old_joins)
            ),
            changed_finals as (
                (from identity_old_finals except from {s.schema}.finals) union all (from {s.schema}.finals except from identity_old_finals)
            )
            select node from identity_new_nodes
            union select node from identity_ends
            union select node from identity_members
            union select node from changed_joins
            union select other from changed_joins
            union select root from changed_finals
            union select node from {s.schema}.groups where root in (select root from changed_finals)
            union select node from identity_old_resolved
            union select node from {s.schema}.resolved
            """,
        )
    final, joins = _final(s, "dirty.node")
    s.temp(
        "identity_placed",
        f"""
        select dirty.node, coalesce(resolved.final, {final}) as final
        from identity_dirty as dirty {joins}
        left join {s.schema}.resolved as resolved on dirty.node = resolved.node
        """,
    )
    # An edge counts as evidence only where its two ends came to stand together.
    places = {word: 1 << place for place, word in enumerate(_EVIDENCE)}
    bits = " ".join(f"when '{word}' then {bit}" for word, bit in places.items())
    of_dirty = "" if is_full else "where node in (from identity_dirty) or other in (from identity_dirty)"
    other_final, other_joins = _final(s, "sides.other")
    s.temp(
        "identity_evidence",
        f"""
        with said as (
            select node, other, case identifier_kind {bits} end as bit, 0.95 as confidence from {s.schema}.edges {of_dirty}
            union all
            select node, other, case method when 'scored' then {places["name"]} else {places["confirmed"]} end, least(probability, 0.99) from {s.schema}.joins {of_dirty}
        ),
        sides as (
            select node, other, bit, confidence from said union all select other, node, bit, confidence from said
        )
        select sides.node, bit_or(sides.bit) as bits, max(sides.confidence) as confidence
        from sides
        inner join identity_placed as placed on sides.node = placed.node
        {other_joins}
        left join {s.schema}.resolved as resolved on sides.other = resolved.node
        where placed.final = coalesce(resolved.final, {other_final})
        group by sides.node
        """,
    )
    salt = "'" + inputs.salt.replace("'", "''") + "'"
    words = ", ".join(f"case when bits & {bit} > 0 then '{word}' end" for word, bit in places.items())
    of_identifiers = sum(places[kind] for kind in LINKING_KINDS)
    anew = f"{s.schema}.links_anew" if is_full else "identity_links"
    rows = f"""
        select
            nodes.node, nodes.source, nodes.customer_id, placed.final,
            md5(concat(home.salt, '|', roots.source, '|', roots.customer_id)) as customer_key,
            md5(concat(home.salt, '|', nodes.source, '|', nodes.customer_id)) as own_key,
            case
                when evidence.node is null then 'alone'
                when bits & {places["confirmed"]} > 0 then 'confirmed'
                when bits & {of_identifiers} > 0 then 'identifier'
                else 'scored'
            end as link_method,
            cast(case when evidence.node is null or bits & {places["confirmed"]} > 0 then 1 when bits & {of_identifiers} > 0 then 0.95 else evidence.confidence end as decimal(3, 2)) as confidence,
            case when evidence.node is not null then concat_ws(', ', {words}) end as evidence
        from identity_placed as placed
        inner join {s.schema}.nodes as nodes on placed.node = nodes.node
        inner join {s.schema}.nodes as roots on placed.final = roots.node
        left join identity_evidence as evidence on placed.node = evidence.node
        cross join (select {salt} as salt) as home
        """
    s.run(f"create or replace {'table' if is_full else 'temp table'} {anew} as {rows}")
    s.run(
        f"""
        insert into {s.schema}.key_changes
        select
            (select coalesce(max(change_number), 0) from {s.schema}.key_changes) + row_number() over (order by after.node) as change_number,
            after.source, after.customer_id,
            case
                when after.own_key = after.customer_key then 'split'
                when before.own_key = before.customer_key then 'merge'
                else 'move'
            end as change,
            before.customer_key as from_key, after.customer_key as to_key,
            case when after.own_key = after.customer_key then concat('no longer linked by ', coalesce(before.evidence, 'others'))
                else concat('linked by ', coalesce(after.evidence, before.evidence, 'others')) end as reason,
            {inputs.loaded_at} as changed_at, {file_id} as file_id
        from {anew} as after
        inner join {s.schema}.links as before on after.source = before.source and after.customer_id = before.customer_id
        where before.customer_key <> after.customer_key and before.own_key = after.own_key
        """
    )
    if is_full:
        s.run(f"drop table {s.schema}.links")
        s.run(f"alter table {s.schema}.links_anew rename to links")
        return s.count(f"{s.schema}.links")
    s.run(f"delete from {s.schema}.links where node in (from identity_dirty)")
    s.run(f"insert into {s.schema}.links from identity_links")
    return s.count("identity_links")
