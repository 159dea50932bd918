"""Who looks, and what of a snapshot that person may see.

Belongs here: the reader (`Viewer`), the tables and columns that rights speak of, and the SQL of the views through which a reader sees them.
Does not belong here: accounts and sign-in (accounts, auth) and asking (queries).

Rights are enforced below all questions: a reader whose rights are not whole reads through views of their own (`Snapshot.for_viewer`), under the names that the
tables have. A question that knows nothing of rights is limited all the same, and a table without a rights key has no rows for a limited reader.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

ROLES = ("executive", "analyst", "scheduler", "admin")
PERSONAL_ROLES = ("analyst", "admin")
"""Roles that may see keys and histories of customers."""
MASK = "•••"
MASKED_IN_TABLES = ("content", "customer_id", "row_key")
"""Columns whose content a reader without personal data sees masked, wherever they stand."""
MASKED_IN_ANSWERS = ("customer_key",)
"""Columns that questions count and join by, and that such a reader sees masked in answers."""
META_FOR_ALL = ("metric_changes", "metrics", "runs", "snapshot", "test_results", "values")
"""Tables of `meta` without figures of the whole organisation; a limited reader sees no other."""
EVERYBODY = "*"
"""The rights key of rows that everybody may see. A null key is for those alone who see every unit."""


class NotAllowed(PermissionError):
    """The reader's rights do not allow the question; the message says which right it takes."""


@dataclass(frozen=True)
class Viewer:
    """Somebody who looks at a snapshot.

    Attributes:
        user: name of the account; None = nobody has signed in (the command line, a server without users).
        role: one of `ROLES`.
        units: organisation units whose rows may be seen, with all below them; None = every row.
        may_see_personal: whether keys of customers, their histories and the content of rows may be seen.
    """

    user: str | None = None
    role: str = "admin"
    units: frozenset[str] | None = None
    may_see_personal: bool = True

    @property
    def is_limited(self) -> bool:
        """Whether only the rows of some units may be seen."""
        return self.units is not None

    @property
    def sees_everything(self) -> bool:
        return not self.is_limited and self.may_see_personal

    @property
    def may_ask_sql(self) -> bool:
        """Whether free questions in SQL may be asked: they reach every row."""
        return self.sees_everything and self.role in ("analyst", "admin")

    def require_personal(self) -> None:
        """Go on only with the right to personal data.

        Raises:
            NotAllowed: the reader does not have it.
        """
        if not self.may_see_personal:
            raise NotAllowed("A customer's history may be opened only with the right to personal data.")

    def require_sql(self) -> None:
        """Go on only with the right to free questions in SQL.

        Raises:
            NotAllowed: the role is another one, or the reader does not see everything.
        """
        if not self.may_ask_sql:
            raise NotAllowed(
                "Free questions in SQL are for analysts and administrators who see every unit and personal data."
            )


EVERYTHING = Viewer()
NOBODY = Viewer(role="executive", units=frozenset(), may_see_personal=False)
"""Sees what everybody may see: words and the catalogue, no figures."""


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def view_sql(
    viewer: Viewer, units: Iterable[str], *, catalog: str, schema: str, table: str, columns: Iterable[str]
) -> str:
    """What a viewer sees of a table, as a SELECT.

    Args:
        units: the viewer's units with all below them.
        catalog: database that holds the table.
        columns: names of the table's columns.
    """
    there = set(columns)
    masked = [] if viewer.may_see_personal else [name for name in MASKED_IN_TABLES if name in there]
    replaced = ", ".join(f"case when {name} is not null then {_text(MASK)} end as {name}" for name in masked)
    sql = f"select *{f' replace ({replaced})' if masked else ''} from {_name(catalog)}.{_name(schema)}.{_name(table)}"
    if not viewer.is_limited:
        return sql
    listed = ", ".join(_text(unit) for unit in sorted(units))
    if schema == "meta":
        return sql if table in META_FOR_ALL else f"{sql} where false"
    if (schema, table) == ("main", "dim_org_units"):
        # Its rows are for everybody, but the tree ends where the viewer's units end.
        return f"{sql} where org_unit_id in ({listed})" if listed else f"{sql} where false"
    if "row_unit_id" not in there:
        return f"{sql} where false"
    return f"{sql} where row_unit_id in ({', '.join(filter(None, (_text(EVERYBODY), listed)))})"
