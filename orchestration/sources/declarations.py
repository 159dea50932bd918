"""Source declarations: what each source sends, in which files, in which form.

Belongs here: the meaning of `orchestration/sources/<source>.yml`, read strictly. Does not belong here: opening inbox files.
"""

from __future__ import annotations

import codecs
import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

SOURCES_FOLDER = Path(__file__).parent
FORMATS = ("delimited", "fixed_width", "parquet", "json_lines", "excel")
DELIVERY_MODES = ("delta", "snapshot")

SOURCE_OPTIONS = {
    "source": "name of the source; equals the file's name",
    "label": "what people call it, as {en: …, zh: …}",
    "time_zone": "IANA time zone of the source's local time stamps",
    "required": "true: hold the publication when nothing arrived in time; false: publish with a stale mark",
    "expected_every": "how often something must arrive, as a number with m, h or d (36h)",
    "feeds": "feeds the source supplies; equals its line in the dbt var `sources`",
    "tables": "the tables, each with the options below",
}
TABLE_OPTIONS = {
    "pattern": "glob of the file names below inbox/<source>/; the name with .gz or .zip added matches too",
    "delivery_pattern": "regular expression on the file name with a group `delivery`: sortable text; default: when the file was last changed (UTC)",
    "format": "delimited, fixed_width, parquet, json_lines or excel",
    "encoding": "auto (default) or the name of a text encoding",
    "delimiter": "delimited: one character; default: found from the file",
    "quote": 'delimited: the quoting character, or an empty string for none; default: "',
    "header": "delimited, excel: whether the first line names the columns; default: true",
    "count": "fixed_width: what start and width count: characters (default), or bytes of the file's encoding, in which 客 is two in GB18030",
    "skip_lines": "delimited, fixed_width, excel: lines (rows) to skip before anything else; default: 0",
    "sheet": "excel: name of the sheet; default: the first",
    "delivery": "delta: rows add up; snapshot: what is absent from the newest delivery is deleted",
    "allow_empty_snapshot": "snapshot: whether a delivery without rows may delete everything; default: false",
    "key": "columns of the natural key; [] for a log without one",
    "version": "column that orders the versions of a key, or null",
    "feeds": "feeds that are made from this table",
    "columns": "the columns in file order, each with the options below",
}
COLUMN_OPTIONS = {
    "required": "true: a file without this column is refused",
    "aliases": "other names under which the column may arrive",
    "start": "fixed_width: first character, counted from 1",
    "width": "fixed_width: number of characters",
}


class DeclarationError(ValueError):
    """A declaration cannot be used; the message names the file, the table and the option."""


@dataclass(frozen=True)
class Column:
    """One declared column; `name` is the raw table's column name (snake_case)."""

    name: str
    required: bool = False
    aliases: tuple[str, ...] = ()
    start: int | None = None
    width: int | None = None


@dataclass(frozen=True)
class TableDeclaration:
    """One kind of file of a source."""

    source: str
    name: str
    pattern: str
    format: str
    delivery: str
    columns: tuple[Column, ...]
    delivery_pattern: str | None = None
    encoding: str = "auto"
    delimiter: str | None = None
    quote: str = '"'
    header: bool = True
    count: str = "characters"
    skip_lines: int = 0
    sheet: str | None = None
    allow_empty_snapshot: bool = False
    key: tuple[str, ...] = ()
    version: str | None = None
    feeds: tuple[str, ...] = ()

    def delivery_of(self, file_name: str, default: str) -> str:
        """Delivery that a file belongs to: the group `delivery` of `delivery_pattern`, or `default`."""
        found = re.search(self.delivery_pattern, file_name) if self.delivery_pattern else None
        return found.group("delivery") if found else default


@dataclass(frozen=True)
class SourceDeclaration:
    """One source."""

    source: str
    label: Mapping[str, str]
    time_zone: str
    required: bool
    expected_every_seconds: int
    feeds: tuple[str, ...]
    tables: Mapping[str, TableDeclaration] = field(default_factory=dict)
    sha256: str = ""


def snake_case(name: str) -> str:
    """Column name for the raw layer: lower case, `_` for everything that is neither letter nor digit, letters of any script kept.

    >>> snake_case("vru+line"), snake_case("*RESPNUM"), snake_case("客户编号"), snake_case("Location 1")
    ('vru_line', 'respnum', '客户编号', 'location_1')
    """
    folded = re.sub(r"[^\w]+", "_", name.strip().lstrip("\ufeff").lower()).strip("_")
    return folded or "column"


def _refuse(path: Path, where: str, problem: str) -> DeclarationError:
    return DeclarationError(f"{path.name}: {where}: {problem}")


def _check_options(path: Path, where: str, found: Any, known: Mapping[str, str]) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise _refuse(path, where, f"expected options ({', '.join(known)}), found {found!r}")
    for option in found:
        if option not in known:
            close = difflib.get_close_matches(str(option), known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise _refuse(path, where, f"unknown option {option!r}{hint} Known: {', '.join(known)}")
    return found


def _typed(path: Path, where: str, options: Mapping[str, Any], name: str, kind: type, default: Any) -> Any:
    value = options.get(name, default)
    if value is not default and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
        raise _refuse(path, where, f"{name}: expected {kind.__name__}, found {value!r}")
    return value


def _is_text_encoding(name: str) -> bool:
    """Whether bytes can be decoded to text by this name; Python also has names such as hex that are no encoding of text."""
    try:
        return name == "auto" or isinstance(codecs.getincrementaldecoder(name)().decode(b"", final=True), str)
    except (LookupError, TypeError, ValueError):
        return False


def _zone(path: Path, name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise _refuse(
            path, "time_zone", f"{name!r} is no time zone; write an IANA name such as Asia/Shanghai or UTC"
        ) from None


def _one_of(path: Path, where: str, options: Mapping[str, Any], name: str, accepted: Sequence[str]) -> str:
    value = options.get(name)
    if not isinstance(value, str) or value not in accepted:
        raise _refuse(path, where, f"{name}: {value!r} is not accepted; use one of {', '.join(accepted)}")
    return value


def _identifier(path: Path, where: str, name: Any) -> str:
    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise _refuse(path, where, f"{name!r} is not a name; use lower-case letters, digits and underscores")
    return name


def _seconds(path: Path, text: Any) -> int:
    found = re.fullmatch(r"(\d+)\s*([mhd])", str(text))
    if not found or int(found[1]) == 0:
        raise _refuse(path, "expected_every", f"{text!r} is not a period; write a number with m, h or d, such as 36h")
    return int(found[1]) * {"m": 60, "h": 3600, "d": 86400}[found[2]]


def _columns(path: Path, where: str, found: Any, file_format: str) -> tuple[Column, ...]:
    if not isinstance(found, dict) or not found:
        raise _refuse(path, where, "columns: name at least one column")
    columns: list[Column] = []
    for name, given in found.items():
        at = f"{where}, column {name}"
        options = _check_options(path, at, given or {}, COLUMN_OPTIONS)
        folded = snake_case(str(name))
        if folded.startswith("_") or folded in {column.name for column in columns}:
            raise _refuse(path, at, f"the name {folded!r} is taken or begins with an underscore")
        start = _typed(path, at, options, "start", int, None)
        width = _typed(path, at, options, "width", int, None)
        if file_format == "fixed_width" and (not start or not width or start < 1 or width < 1):
            raise _refuse(path, at, "fixed_width needs `start` (from 1) and `width`")
        aliases = tuple(snake_case(str(alias)) for alias in _typed(path, at, options, "aliases", list, []))
        columns.append(Column(folded, _typed(path, at, options, "required", bool, False), aliases, start, width))
    return tuple(columns)


def _table(path: Path, source: str, name: str, found: Any) -> TableDeclaration:
    where = f"table {name}"
    _identifier(path, where, name)
    options = _check_options(path, where, found, TABLE_OPTIONS)
    file_format = _one_of(path, where, options, "format", FORMATS)
    if not isinstance(options.get("pattern"), str):
        raise _refuse(path, where, "pattern: give a glob such as tickets_*.csv")
    delivery_pattern = _typed(path, where, options, "delivery_pattern", str, None)
    if delivery_pattern is not None:
        try:
            groups = re.compile(delivery_pattern).groupindex
        except re.error as error:
            raise _refuse(path, where, f"delivery_pattern: not a regular expression: {error}") from None
        if "delivery" not in groups:
            raise _refuse(path, where, "delivery_pattern: name the group, as in (?P<delivery>\\d{8})")
    delimiter = _typed(path, where, options, "delimiter", str, None)
    if delimiter is not None and len(delimiter) != 1:
        raise _refuse(path, where, f"delimiter: expected one character, found {delimiter!r}")
    quote = _typed(path, where, options, "quote", str, '"')
    if len(quote) > 1:
        raise _refuse(path, where, f"quote: expected one character or an empty string, found {quote!r}")
    encoding = _typed(path, where, options, "encoding", str, "auto")
    if not _is_text_encoding(encoding):
        raise _refuse(
            path, where, f"encoding: {encoding!r} is none that is known; write auto, utf-8, gb18030, big5, latin-1 …"
        )
    count = _one_of(path, where, {"count": options.get("count", "characters")}, "count", ("characters", "bytes"))
    skip_lines = _typed(path, where, options, "skip_lines", int, 0)
    if skip_lines < 0:
        raise _refuse(path, where, f"skip_lines: {skip_lines} is negative")
    columns = _columns(path, where, options.get("columns"), file_format)
    names = {column.name for column in columns}
    key = tuple(snake_case(str(column)) for column in _typed(path, where, options, "key", list, []))
    version = _typed(path, where, options, "version", str, None)
    version = None if version is None else snake_case(version)
    for column in [*key, *([version] if version else [])]:
        if column not in names:
            raise _refuse(path, where, f"key/version: {column!r} is not among the columns")
    return TableDeclaration(
        source=source,
        name=name,
        pattern=options["pattern"],
        format=file_format,
        delivery=_one_of(path, where, options, "delivery", DELIVERY_MODES),
        columns=columns,
        delivery_pattern=delivery_pattern,
        encoding=encoding,
        delimiter=delimiter,
        quote=quote,
        header=_typed(path, where, options, "header", bool, True),
        count=count,
        skip_lines=skip_lines,
        sheet=_typed(path, where, options, "sheet", str, None),
        allow_empty_snapshot=_typed(path, where, options, "allow_empty_snapshot", bool, False),
        key=key,
        version=version,
        feeds=tuple(_typed(path, where, options, "feeds", list, [])),
    )


def read_declaration(path: Path) -> SourceDeclaration:
    """Read one declaration strictly.

    Raises:
        DeclarationError: anything unknown, missing or of the wrong kind, named with file, table and option.
    """
    text = path.read_text(encoding="utf-8")
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise DeclarationError(f"{path.name}: not readable as YAML: {error}") from None
    options = _check_options(path, "source", found, SOURCE_OPTIONS)
    name = _identifier(path, "source", options.get("source"))
    if name != path.stem:
        raise _refuse(path, "source", f"is {name!r}, but the file is named {path.name!r}; they must be equal")
    label = _typed(path, "source", options, "label", dict, {})
    if set(label) != {"en", "zh"}:
        raise _refuse(path, "label", "give both languages: {en: …, zh: …}")
    feeds = tuple(_identifier(path, "feeds", feed) for feed in _typed(path, "source", options, "feeds", list, []))
    given = _typed(path, "source", options, "tables", dict, {})
    tables = {str(table): _table(path, name, str(table), entry) for table, entry in given.items()}
    if not tables:
        raise _refuse(path, "tables", "declare at least one table")
    for table in tables.values():
        for feed in table.feeds:
            if feed not in feeds:
                raise _refuse(path, f"table {table.name}", f"feeds: {feed!r} is not among the source's feeds")
    return SourceDeclaration(
        source=name,
        label=label,
        time_zone=_zone(path, _typed(path, "source", options, "time_zone", str, "UTC")),
        required=_typed(path, "source", options, "required", bool, False),
        expected_every_seconds=_seconds(path, options.get("expected_every", "36h")),
        feeds=feeds,
        tables=tables,
        sha256=hashlib.sha256(json.dumps(found, sort_keys=True, default=str).encode()).hexdigest(),
    )


def load_declarations(names: Iterable[str] | None = None, folder: Path | None = None) -> dict[str, SourceDeclaration]:
    """Declarations by source name, of `names` or of every declared source.

    Raises:
        DeclarationError: a name has no declaration, or a declaration cannot be used.
    """
    root = SOURCES_FOLDER if folder is None else folder
    available = {path.stem: path for path in sorted(root.glob("*.yml"))}
    wanted = list(available) if names is None else list(names)
    for name in wanted:
        if name not in available:
            raise DeclarationError(
                f"source {name!r} has no declaration {name}.yml; declared are {', '.join(available) or 'none'}."
                " `csatlas source new` writes one from a sample file."
            )
    return {name: read_declaration(available[name]) for name in wanted}
