"""The first draft of a new source from one sample file: a declaration and a staging model that compile.

Belongs here: guessing (which file, which columns, which times and codes) and writing the guess down with its doubts.
Does not belong here: reading files, for which the sample goes through the loader itself into a home that is thrown
away; the words of the guesses, which stand in `vocabulary`.
"""

from __future__ import annotations

import difflib
import json
import re
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import openpyxl
import pyarrow as pa
import yaml

from orchestration.contracts import Feed, FeedColumn, load_contracts
from orchestration.settings import Settings
from orchestration.sources import reading
from orchestration.sources.declarations import DeclarationError, SourceDeclaration, TableDeclaration, read_declaration
from orchestration.sources.files import WORKBOOK_ERRORS, FileResult, LoadAborted, load_inbox
from orchestration.sources.rawstore import LOAD_COLUMNS, quoted, raw_table
from orchestration.sources.reading import FileRefused
from orchestration.sources.vocabulary import COLUMN_NAMES, VALUE_NAMES, words

MAX_SAMPLE_BYTES = 512 << 20
_VALUES_READ = 2_000
_CODES_WRITTEN = 60
_TITLES_WITHIN = 20
_ENOUGH = 0.6
"""Share of a column's values that must be of a kind: a sample may be damaged, and its first column not all numbers."""
_DATES = {
    "%Y/%m/%d": "", "%Y.%m.%d": "", "%Y%m%d": "", "%Y年%m月%d日": "", "%d.%m.%Y": "", "%d.%m.%y": "",
    "%d/%m/%Y": "dm", "%m/%d/%Y": "md", "%d-%m-%Y": "dm", "%m-%d-%Y": "md", "%d/%m/%y": "dm", "%m/%d/%y": "md",
}  # fmt: skip
_CLOCKS = (
    "",
    " %H:%M:%S",
    " %H:%M",
    " %H:%M:%S.%f",
    "T%H:%M:%S",
    " %I:%M %p",
    " %I:%M:%S %p",
    "%H%M%S",
    " %H点%M分",
    " %H时%M分%S秒",
)
_ISO = r"\d{4}-\d{1,2}-\d{1,2}([ T]\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?\s*(Z|[+-]\d{2}(:?\d{2})?)?)?"
_OFFSET = r".*\d{1,2}:\d{2}.*(Z|[+-]\d{2}(:?\d{2})?)"
_BOOLEANS = frozenset(("true", "t", "yes", "y", "1", "是", "false", "f", "no", "n", "0", "否"))
_NUMBERS = ("bigint", "integer", "double", "decimal")


class NewSourceError(ValueError):
    """No draft can be written; the message says what to do. Nothing was written."""


@dataclass(frozen=True)
class CreatedSource:
    """What was written, and what a person must look at.

    Attributes:
        paths: files written; the last one, dbt_project.yml, was changed by one line.
        notes: doubts and gaps of the guess, in words.
    """

    paths: tuple[Path, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Times:
    """How a column writes times: strptime formats, none of them for ISO."""

    formats: tuple[str, ...] = ()
    offset: bool = False
    epoch: bool = False
    ambiguous: bool = False


@dataclass
class _SampleColumn:
    """A column of the sample: its raw name, its name in the file (whose capitals part words) and its values."""

    name: str
    said: str
    values: list[str]
    times: _Times | None = None

    def share(self, pattern: str) -> float:
        return (
            sum(1 for value in self.values if re.fullmatch(pattern, value)) / len(self.values) if self.values else 0.0
        )

    @property
    def decimal(self) -> str | None:
        """Decimal mark of a column of numbers; None for anything else."""
        if not self.values or self.share(r"[+-]?[\d.,]*\d") < _ENOUGH:
            return None
        comma = sum(1 for value in self.values if re.fullmatch(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+", value))
        point = sum(1 for value in self.values if re.fullmatch(r"[+-]?(\d+|\d{1,3}(,\d{3})+)\.\d+", value))
        return "," if comma > point else "."

    @property
    def grouped(self) -> list[str]:
        """Values with grouping marks, which no converter accepts."""
        return [
            value
            for value in self.values
            if re.fullmatch(
                r"[+-]?\d{1,3}([.,]\d{3})+[.,]\d+|[+-]?\d{1,3}(,\d{3}){2,}|[+-]?\d{1,3}(\.\d{3}){2,}", value
            )
        ]


@dataclass
class _Sample:
    """The sample as the loader read it."""

    file: str
    table: TableDeclaration
    columns: list[_SampleColumn]
    result: FileResult
    notes: list[str] = field(default_factory=list)


def create_source(name: str, feed: str, sample: Path, project_root: Path) -> CreatedSource:
    """Write the declaration, the staging model and the dbt source of a new source, and switch it on in dbt_project.yml.

    Args:
        name: name of the source.
        feed: feed that the sample supplies.
        sample: a file as the source sends it.
        project_root: clone of csatlas to write into.

    Returns:
        The files written and what to look at in them.

    Raises:
        NewSourceError: bad or taken name, unknown feed, a sample that cannot be read; nothing was written.
    """
    declaration_path = project_root / "orchestration" / "sources" / f"{name}.yml"
    staging = project_root / "dbt_project" / "models" / "staging" / name
    project_path = project_root / "dbt_project" / "dbt_project.yml"
    _check_name(name)
    project_text = project_path.read_text(encoding="utf-8")
    project_vars = yaml.safe_load(project_text).get("vars") or {}
    taken = [path for path in (declaration_path, staging) if path.exists()]
    if taken or name in (project_vars.get("sources") or {}):
        where = taken[0].relative_to(project_root) if taken else "the var `sources` of dbt_project/dbt_project.yml"
        raise NewSourceError(
            f"source {name!r} exists already: {where}. Choose another name, or add a table to that declaration by hand (docs/sources.md)."
        )
    contracts = load_contracts(project_root / "dbt_project" / "models" / "intermediate" / "feeds")
    if feed not in contracts:
        close = difflib.get_close_matches(feed, contracts, n=1)
        raise NewSourceError(
            f"there is no feed {feed!r}{f'; did you mean {close[0]!r}?' if close else '.'} Feeds: {', '.join(contracts)}"
        )
    new_project_text = _with_source(project_text, name, feed)
    zone = str(project_vars.get("default_time_zone", "UTC"))
    draft = _Draft(name, contracts[feed], _read_sample(name, feed, sample), zone)
    texts = {
        declaration_path: draft.declaration(),
        staging / f"_{name}__sources.yml": draft.dbt_sources(),
        staging / f"stg_{name}__{feed}.sql": draft.model(),
    }
    _check_declaration(name, texts[declaration_path])
    staging.mkdir(parents=True)
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    project_path.write_text(new_project_text, encoding="utf-8")
    return CreatedSource((*texts, project_path), tuple(draft.notes))


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or len(name) > 40:
        raise NewSourceError(
            f"{name!r} is no name for a source; use up to 40 lower-case letters, digits and single underscores, beginning with a letter, such as help_desk."
        )
    if name in ("meta", "raw_meta"):
        raise NewSourceError(f"{name!r} is taken by csatlas itself; choose another name.")


def _check_declaration(name: str, text: str) -> None:
    """Hold the draft against the strict reader before anything is written."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.yml"
        path.write_text(text, encoding="utf-8")
        try:
            read_declaration(path)
        except DeclarationError as error:
            raise NewSourceError(
                f"the sample's columns make no valid declaration ({error}). Rename them in the sample, or write {name}.yml by hand."
            ) from None


def _with_source(text: str, name: str, feed: str) -> str:
    """dbt_project.yml with one more line in the var `sources`; every other character stays.

    Raises:
        NewSourceError: the file is not laid out as a block that a line can be added to.
    """
    line = f"{name}: [{feed}]"
    lines = text.splitlines(keepends=True)
    before = yaml.safe_load(text)
    expected = {**(before.get("vars", {}).get("sources") or {}), name: [feed]}
    start = next((i for i, found in enumerate(lines) if re.match(r"vars:\s*(#.*)?$", found)), None)
    head = next(
        (
            i
            for i, found in enumerate(lines)
            if start is not None and i > start and re.match(r"\s+sources:\s*(\{\s*\}\s*)?(#.*)?$", found)
        ),
        None,
    )
    if head is not None:
        lines[head] = re.sub(r"(sources:)\s*\{\s*\}", r"\1", lines[head])
        depth = len(lines[head]) - len(lines[head].lstrip())
        last, indent = head, depth + 2
        for i in range(head + 1, len(lines)):
            found = len(lines[i]) - len(lines[i].lstrip())
            if lines[i].strip() and found <= depth:
                break
            if lines[i].strip() and not lines[i].lstrip().startswith("#"):
                indent = found if last == head else indent
                last = i
        if not lines[last].endswith("\n"):
            lines[last] += "\n"
        changed = "".join([*lines[: last + 1], " " * indent + line + "\n", *lines[last + 1 :]])
        try:
            after = yaml.safe_load(changed)
        except yaml.YAMLError:
            after = None
        if after and {**before, "vars": {**before["vars"], "sources": expected}} == after:
            return changed
    raise NewSourceError(
        f"dbt_project/dbt_project.yml has no block `vars:` / `sources:` that a line can be added to. Write it as a block with one source a line, such as `{line}`."
    )


# ---- the sample ---------------------------------------------------------------------------------------------------


def _read_sample(source: str, feed: str, sample: Path) -> _Sample:
    """Load the sample as the nightly job would, into a home that is thrown away."""
    if not sample.is_file():
        raise NewSourceError(f"there is no file {sample}. Give the path of a file as the source sends it.")
    size = sample.stat().st_size
    if size == 0:
        raise NewSourceError(f"{sample.name} is empty. Give a sample with a header and some rows.")
    if size > MAX_SAMPLE_BYTES:
        raise NewSourceError(
            f"{sample.name} has {size:,} bytes; a sample may have {MAX_SAMPLE_BYTES:,}. Give its first thousands of lines."
        )
    file = unicodedata.normalize("NFC", sample.name)
    with tempfile.TemporaryDirectory(prefix="csatlas-sample-") as folder:
        home = Path(folder)
        try:
            table, header = _probe(source, feed, sample, file, home)
            notes = _name_notes(table, file)
            link = home / "inbox" / source / sample.name
            link.parent.mkdir(parents=True)
            link.symlink_to(sample.resolve())
            settings = Settings(home=home)
            probe = SourceDeclaration(
                source, {"en": source, "zh": source}, "UTC", False, 3600, (feed,), {table.name: table}
            )
            (result,) = load_inbox(settings, {source: probe}, "sample").files or (None,)
        except (FileRefused, LoadAborted, OSError) as error:
            raise NewSourceError(_unreadable(sample.name, str(error), home)) from None
        if result is None or result.status != "loaded":
            why = (
                "its name says that it is temporary or hidden; rename it"
                if result is None
                else result.message or result.status
            )
            raise NewSourceError(_unreadable(sample.name, why, home))
        with duckdb.connect(str(settings.raw_path), read_only=True) as connection:
            columns, header = _loaded_columns(connection, table, header)
    if result.rows == result.damaged:
        shown = f"all {result.rows} records are damaged" if result.rows else "it has a header and no rows"
        raise NewSourceError(
            f"{sample.name} has no rows to learn from: {shown}. Give a sample with some rows; what damages a record stands in docs/bad-input.md."
        )
    _check_header(sample.name, table, header)
    if result.damaged:
        notes.append(f"{result.damaged} of the sample's {result.rows} records are damaged; they will be quarantined.")
    notes += [f"the header: {warning}" for warning in result.warnings if "more than once" in warning]
    if table.skip_lines:
        notes.append(
            f"the first {table.skip_lines} lines of the sample are taken for a title and skipped; if other files have none, take `skip_lines` out."
        )
    _find_times(columns)
    return _Sample(file, table, columns, result, notes)


def _unreadable(file: str, why: str, home: Path) -> str:
    """The loader's words, without the home that is gone when they are read."""
    said = re.sub(r"^(is|has) ", r"it \1 ", re.sub(rf"{re.escape(str(home))}\S*/", "", why))
    return f"the sample {file} cannot be read: {said}"


def _probe(source: str, feed: str, sample: Path, file: str, home: Path) -> tuple[TableDeclaration, list[str]]:
    """A declaration without columns, under which the loader keeps all columns that come; and the header of a text file."""
    base = file.removesuffix(".gz").removesuffix(".zip")
    scratch = home / "probe"
    scratch.mkdir()
    content = reading.unpacked(sample, scratch)
    file_format = _format_of(content, base)
    stem, pattern, delivery_pattern = _pattern_of(base)
    name = reading.snake_case(stem)
    name = name if re.fullmatch(r"[a-z][a-z0-9_]*", name) and len(name) <= 40 else feed
    separator, header = None, []
    if file_format in ("delimited", "json_lines"):
        encoding = reading.detect_encoding(content)
        if encoding != "utf-8":
            content = reading.transcoded(content, encoding, scratch / "transcoded.txt")
    if file_format == "json_lines" and not _has_object(content):
        raise NewSourceError(
            f"none of the first lines of {file} is a JSON object; csatlas reads JSON lines, one object a line."
        )
    skip = 0
    if file_format == "excel":
        skip = _title_rows(content)
    if file_format == "delimited":
        if reading.has_old_line_ends(content):
            content = reading.with_line_feeds(content, scratch / "line_feeds.txt")
        with content.open("rb") as stream:
            lines = reading.read_lines(stream, 40)
        skip = _title_lines(lines)
        _check_not_fixed_width(file, lines)
        bare = TableDeclaration(source, name, pattern, file_format, "delta", (), skip_lines=skip)
        found, separator = reading.read_header(content, bare, None)
        header = found.found
        if len(header) < 2:
            raise NewSourceError(
                f"{file} has one column only ({header[0] if header else ''!r:.80}): no delimiter was found. A file of fixed width needs its columns"
                " declared by hand with `start` and `width` (docs/sources.md)."
            )
    return TableDeclaration(
        source, name, pattern, file_format, "delta", (), delivery_pattern, delimiter=separator, skip_lines=skip
    ), header


def _title_rows(content: Path) -> int:
    """Rows of a sheet before the first that has several cells: a title, an empty row. 0 when no row has several."""
    try:
        book = openpyxl.load_workbook(content, read_only=True, data_only=True)
        try:
            sheet = book[book.sheetnames[0]]
            sheet.reset_dimensions()
            for number, values in enumerate(sheet.iter_rows(values_only=True, max_row=_TITLES_WITHIN)):
                if sum(value is not None for value in values) > 1:
                    return number
        finally:
            book.close()
    except WORKBOOK_ERRORS:
        return 0  # the loader will say what is wrong with the workbook
    return 0


def _title_lines(lines: Sequence[str]) -> int:
    """Lines before the header that have at most half its delimiters, when the lines after it agree on their fields."""
    filled = [line for line in lines if line.strip()]
    if len(filled) < 4:
        return 0
    delimiter = reading.find_delimiter(filled[len(filled) // 2 :], '"')
    most = Counter(line.count(delimiter) for line in filled[len(filled) // 2 :]).most_common(1)[0][0]
    first = next((number for number, line in enumerate(lines) if most and line.count(delimiter) >= most), 0)
    titles = [line for line in lines[:first] if line.strip()]
    if first > _TITLES_WITHIN or any(
        line.count(delimiter) > most / 2 or line.lower().startswith("sep=") for line in titles
    ):
        return 0
    return first if titles else 0


def _check_not_fixed_width(file: str, lines: Sequence[str]) -> None:
    """Lines of one length that no delimiter parts are records of fixed width, whose columns nobody can guess.

    Raises:
        NewSourceError: they are.
    """
    texts = [line.rstrip("\r\n") for line in lines if line.strip()]
    delimiter = reading.find_delimiter(texts, '"')
    alike = len({len(text) for text in texts}) == 1 or len({len(text.encode("gb18030")) for text in texts}) == 1
    parted = min((text.count(delimiter) for text in texts), default=0)
    if len(texts) > 2 and len(texts[0]) >= 20 and alike and parted < 2 and re.search(r"\d", texts[0]):
        raise NewSourceError(
            f"{file} looks like fixed width: its lines all have {len(texts[0])} characters and no delimiter parts them. Declare its columns by hand"
            " with `start` and `width`; docs/sources.md shows such a declaration, and a staging model is written as in docs/your-own-data.md."
        )


def _has_object(content: Path) -> bool:
    with content.open("rb") as stream:
        for line in reading.read_lines(stream, 1_000):
            try:
                found = json.loads(line)
            except (json.JSONDecodeError, RecursionError):
                continue
            if isinstance(found, dict) and found:
                return True
    return False


def _format_of(content: Path, base: str) -> str:
    suffix = (
        Path(base).suffix if content.suffix.lower() not in (".xlsx", ".parquet", ".jsonl", ".json") else content.suffix
    ).lower()
    with content.open("rb") as stream:
        start = stream.read(2048)
    if start.startswith(b"PAR1"):
        return "parquet"
    if start.startswith(b"PK\x03\x04"):
        return "excel"
    if start.startswith(b"\xd0\xcf\x11\xe0") or suffix == ".xls":
        raise NewSourceError(f"{base} is a workbook of the old format .xls; save it as .xlsx or CSV.")
    if suffix in (".xlsx", ".xlsm"):
        return "excel"
    if suffix in (".parquet", ".pq"):
        return "parquet"
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"[") and suffix in (".json", ".jsonl", ".ndjson"):
        raise NewSourceError(
            f"{base} is one JSON document; csatlas reads JSON lines, one object a line. Have it exported so, or convert it with `jq -c '.[]'`."
        )
    return "json_lines" if suffix in (".jsonl", ".ndjson", ".json") or text.startswith(b'{"') else "delimited"


def _pattern_of(base: str) -> tuple[str, str, str | None]:
    """Name without its date, glob and delivery pattern of a file name."""
    stem, dot, extension = base.rpartition(".")
    stem, extension = (stem, dot + extension) if dot and stem else (base, "")

    def literal(text: str) -> str:
        return re.sub(r"([*?[])", r"[\1]", text)

    for digits in (r"\d{8}", r"\d{14}", r"\d{4}-\d{2}-\d{2}"):
        found = re.search(rf"(?<!\d){digits}(?!\d)", stem)
        if found:
            bare = (stem[: found.start()] + stem[found.end() :]).strip("_-. ")
            return (
                bare,
                literal(stem[: found.start()]) + "*" + literal(stem[found.end() :] + extension),
                f"(?P<delivery>{digits})",
            )
    return stem, literal(stem) + "*" + literal(extension), None


def _name_notes(table: TableDeclaration, file: str) -> list[str]:
    notes = []
    if table.delivery_pattern is None:
        notes.append(
            f"the name {file} has no date: deliveries are ordered by the files' time of change. Better put the day into the name and into `delivery_pattern`."
        )
    if not table.pattern.rsplit(".", 1)[0].strip("*"):
        notes.append(
            f"the pattern {table.pattern} takes every file of its kind; make it narrower when the source sends a second one."
        )
    return notes


def _loaded_columns(
    connection: duckdb.DuckDBPyConnection, table: TableDeclaration, header: list[str]
) -> tuple[list[_SampleColumn], list[str]]:
    row = connection.execute("select header from raw_meta.files").fetchone()
    header = header or (json.loads(row[0]) if row else [])
    said = dict(zip(reading.unique_names(header), header, strict=True))
    found = [str(row[0]) for row in connection.execute(f"describe {raw_table(table)}").fetchall()]
    columns = []
    for name in found:
        if name in LOAD_COLUMNS:
            continue
        rows = connection.execute(
            f"select trim({quoted(name)}) as text from {raw_table(table)} where _problem is null and trim({quoted(name)}) <> ''"
            f" group by text order by min(_record_number) limit {_VALUES_READ}"
        ).fetchall()
        columns.append(_SampleColumn(name, said.get(name, name), [str(row[0]) for row in rows]))
    return columns, header


def _check_header(file: str, table: TableDeclaration, header: Sequence[str]) -> None:
    """A first line of numbers and times is data: without names nothing can be guessed."""
    times = [name for name in header if re.fullmatch(rf"{_ISO}|\d+[./]\d+[./]\d+.*", name.strip())]
    data = times + [name for name in header if re.fullmatch(r"[+-]?\d[\d.,]*", name.strip()) and name not in times]
    if not times and 2 * len(data) <= len(header):
        return  # a column may well be called 2026
    if data and table.format in ("delimited", "excel"):
        raise NewSourceError(
            f"the first line of {file} looks like data, not like column names ({', '.join(data[:3])}). Put a line with names above it in the sample;"
            " if the real files have none, set `header: false` in the declaration afterwards."
        )


# ---- times --------------------------------------------------------------------------------------------------------


def _find_times(columns: list[_SampleColumn]) -> None:
    """How each column writes times. Whether day or month stands first is decided by all columns of the file together."""
    with duckdb.connect(":memory:") as connection:
        parsed = {column.name: _parsing(connection, column.values) for column in columns}
    total = {"dm": 0, "md": 0}
    for formats in parsed.values():
        for order in total:
            total[order] += max((len(found) for name, found in formats.items() if _order(name) == order), default=0)
    known = total["dm"] != total["md"]
    away = "md" if total["dm"] >= total["md"] else "dm"
    for column in columns:
        column.times = _times(
            column, {name: found for name, found in parsed[column.name].items() if _order(name) != away}, not known
        )


def _order(strptime: str) -> str:
    return next((order for date, order in _DATES.items() if strptime.startswith(date)), "")


def _parsing(connection: duckdb.DuckDBPyConnection, values: Sequence[str]) -> dict[str, set[int]]:
    """Per strptime format the positions of the values that dbt will be able to read with it."""
    found: dict[str, set[int]] = {}
    if (
        sum(1 for value in values if re.match(r"\d", value) and re.search(r"\d{8}|[./年-]\d", value))
        < _ENOUGH * len(values)
        or not values
    ):
        return found
    # As an Arrow table: a list of thousands of texts as a parameter costs the driver a look for a module a text.
    connection.register("sample", pa.table({"i": range(len(values)), "value": list(values)}))
    for name in [date + clock for date in _DATES for clock in _CLOCKS]:
        rows = connection.execute(
            "select i from sample where try_strptime(value, ?) >= timestamp '1900-01-01'", [name]
        ).fetchall()
        if rows:
            found[name] = {int(row[0]) for row in rows}
    connection.unregister("sample")
    return found


def _times(column: _SampleColumn, parsed: Mapping[str, set[int]], order_unknown: bool) -> _Times | None:
    if not column.values:
        return None
    if column.share(_ISO) >= _ENOUGH:
        return _Times(offset=column.share(_OFFSET) >= _ENOUGH)
    chosen: list[str] = []
    covered: set[int] = set()
    while len(chosen) < 3:
        best = max(parsed, key=lambda name: len(parsed[name] - covered), default=None)
        if best is None or not parsed[best] - covered:
            break
        chosen.append(best)
        covered |= parsed[best]
    if len(covered) >= _ENOUGH * len(column.values):
        return _Times(tuple(chosen), ambiguous=order_unknown and bool(_order(chosen[0])))
    seconds = [value for value in column.values if re.fullmatch(r"\d{9,10}(\.\d+)?", value)]
    return _Times(epoch=True) if len(seconds) == len(column.values) else None


# ---- the draft ----------------------------------------------------------------------------------------------------


def _similarity(sample: _SampleColumn, feed_column: str, feed: Feed) -> float:
    """How much a sample column's name says that it is the feed's column: 0 (nothing) to 1 (the same words)."""
    left, right = words(sample.said), words(feed_column)
    if not left:
        return 0.85 if feed_column == feed.event_time else 0.0
    if sample.name == feed_column:
        return 1.0
    if left == right:
        return 0.98
    if any(left == words(hint) for hint in COLUMN_NAMES.get(feed_column, ())):
        return 0.95
    entity = words(feed.key[0]) - {"id"}
    for without, score in ((entity, 0.9), ({"id"}, 0.85), (entity | {"id"}, 0.8)):
        if left - without and left - without == right - without:
            return score
    if difflib.SequenceMatcher(None, " ".join(sorted(left)), " ".join(sorted(right))).ratio() >= 0.9:
        return 0.75
    return 0.7 if len(right) > 1 and right < left and len(left - right) == 1 else 0.0


def _fits(column: _SampleColumn, data_type: str) -> bool:
    """Whether the values can be of the feed column's type; an empty column can be of any."""
    if not column.values:
        return True
    if data_type in ("timestamp", "date"):
        return column.times is not None and (data_type == "timestamp" or not column.times.epoch)
    if data_type.startswith(_NUMBERS):
        return column.decimal is not None
    if data_type == "boolean":
        return sum(1 for value in column.values if value.lower() in _BOOLEANS) >= _ENOUGH * len(column.values)
    return True


def _jinja(text: str) -> str:
    """Text as a string of a Jinja expression."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _yaml_name(name: str) -> str:
    return (
        name
        if re.fullmatch(r"\w+", name) and yaml.safe_load(f"{name}: 1") == {name: 1}
        else json.dumps(name, ensure_ascii=False)
    )


class _Draft:
    """The guess and its texts."""

    def __init__(self, source: str, feed: Feed, sample: _Sample, zone: str) -> None:
        self.source, self.feed, self.sample, self.zone = source, feed, sample, zone
        self.table = sample.table
        self.notes = list(sample.notes)
        with duckdb.connect(":memory:") as connection:
            rows = connection.execute(
                "select keyword_name from duckdb_keywords() where keyword_category <> 'unreserved'"
            ).fetchall()
        self._keywords = {str(row[0]) for row in rows}
        self.constants: dict[str, str] = {}
        self.scores: dict[str, float] = {}
        self.mapped = self._map()
        used = {column.name for column in self.mapped.values()}
        self.version = next(
            (
                c
                for c in sample.columns
                if c.name not in used and words(c.said) == {"updated"} and c.times and not c.times.epoch
            ),
            None,
        )
        if self.version:
            used.add(self.version.name)
        self.unused = [column.name for column in sample.columns if column.name not in used]
        self._expressions = {
            column.name: self._expression(column, self.mapped[column.name])
            for column in feed.columns
            if column.name in self.mapped
        }
        self._note_gaps()

    def _map(self) -> dict[str, _SampleColumn]:
        """Feed column -> sample column, the surest pairs first, each column once."""
        pairs = []
        for place, wanted in enumerate(self.feed.columns):
            for column in self.sample.columns:
                score = _similarity(column, wanted.name, self.feed) if _fits(column, wanted.data_type) else 0.0
                if (
                    score
                    and wanted.values
                    and column.values
                    and not any(self._value_of(code, wanted) for code in column.values)
                ):
                    # None of its codes means anything here. Another column may be meant; where an unknown code costs the row,
                    # only the very name is enough.
                    score -= 0.1 if wanted.unknown == "flag" or score >= 0.98 else 0.5
                if score >= 0.7:
                    pairs.append((-score, place, wanted.name, column))
        found: dict[str, _SampleColumn] = {}
        for score, _, wanted_name, column in sorted(pairs, key=lambda pair: pair[:2]):
            if wanted_name not in found and all(column is not taken for taken in found.values()):
                found[wanted_name] = column
                self.scores[wanted_name] = -score
        if self.feed.name == "customer_identifiers" and "identifier_kind" not in found:
            self._identifier(found)
        return found

    def _identifier(self, found: dict[str, _SampleColumn]) -> None:
        """A column of telephone numbers or addresses tells the kind by its name."""
        for column in self.sample.columns:
            kind = next((kind for kind in ("phone", "email", "contract") if kind in words(column.said)), None)
            if (
                kind
                and (found.get("identifier_value", column) is column)
                and column not in [found[n] for n in found if n != "identifier_value"]
            ):
                found["identifier_value"] = column
                self.constants["identifier_kind"] = kind
                return

    def _sql(self, name: str) -> str:
        return name if re.fullmatch(r"[a-z][a-z0-9_]*", name) and name not in self._keywords else quoted(name)

    def _expression(self, wanted: FeedColumn, column: _SampleColumn) -> str:
        """One item of the select list."""
        name, raw = wanted.name, self._sql(column.name)
        if wanted.data_type in ("timestamp", "date") and column.times:
            return self._time_expression(wanted, column, column.times)
        if wanted.data_type in ("timestamp", "date"):
            # The sample says nothing about an empty column: a file mostly writes all its times in one way.
            alike = next((c for c in self.sample.columns if c.times and not c.times.epoch), None)
            self.notes.append(
                f"{column.name}: the sample has no value; it is read as {alike.name if alike else 'ISO'} is."
            )
            return self._time_expression(wanted, column, alike.times if alike and alike.times else _Times())
        if wanted.data_type.startswith(_NUMBERS):
            if column.grouped:
                self.notes.append(
                    f"{column.name}: values such as {column.grouped[0]} have grouping marks, which are not accepted: these rows will be quarantined. Have the source leave them out."
                )
            if column.decimal == ",":
                return f"{{{{ number_column({_jinja(raw)}, '{name}', decimal=',') }}}}"
        if wanted.data_type == "boolean":
            return f"{{{{ boolean_column({_jinja(raw)}, '{name}') }}}}"
        if wanted.values:
            return self._codes(wanted, column, raw)
        return raw if raw == name else f"{raw} as {name}"

    def _time_expression(self, wanted: FeedColumn, column: _SampleColumn, times: _Times) -> str:
        raw = self._sql(column.name)
        if times.epoch:
            return f"{{{{ epoch_column({_jinja(raw)}, '{wanted.name}') }}}}"
        if times.ambiguous and column.values:
            self.notes.append(
                f"{column.name}: {column.values[0]!r} may have the day or the month first; it is read as {times.formats[0]}. If the month is first, exchange %d and %m."
            )
        options = []
        if wanted.data_type == "timestamp" and not times.offset:
            options.append(f"tz='{self.zone}'")
        if times.formats:
            texts = [_jinja(text) for text in times.formats]
            options.append(f"format={texts[0] if len(texts) == 1 else '[' + ', '.join(texts) + ']'}")
        macro = "timestamp_column" if wanted.data_type == "timestamp" else "date_column"
        return f"{{{{ {macro}({', '.join([_jinja(raw), repr(wanted.name), *options])}) }}}}"

    def _value_of(self, code: str, wanted: FeedColumn) -> str | None:
        """Accepted value that a code of the sample stands for, if that can be told."""
        plain = re.sub(r"[\s_-]+", "_", code.strip().lower())
        if plain in wanted.values:
            return plain
        return next((value for value in wanted.values if plain in VALUE_NAMES.get(value, ())), None)

    def _codes(self, wanted: FeedColumn, column: _SampleColumn, raw: str) -> str:
        codes = {
            value.lower(): self._value_of(value, wanted)
            for value in column.values
            if len(value) <= 60 and value.isprintable()
        }
        unknown = [code for code, value in codes.items() if value is None]
        if unknown:
            shown = ", ".join(repr(code) for code in unknown[:10]) + (" …" if len(unknown) > 10 else "")
            fate = "quarantined" if wanted.unknown == "quarantine" else "flagged and read as 'unknown'"
            self.notes.append(
                f"{column.name}: could not tell what {shown} means for {wanted.name}; such rows will be {fate}. Name them in map_values; accepted are {', '.join(wanted.values)}."
            )
        known = {code: value for code, value in codes.items() if value is not None}
        if len(codes) > _CODES_WRITTEN:
            known = dict(list(known.items())[:_CODES_WRITTEN])
        if known and all(value in wanted.values for value in column.values):
            return raw if raw == wanted.name else f"{raw} as {wanted.name}"
        if not known:
            return raw if raw == wanted.name else f"{raw} as {wanted.name}"
        pairs = ", ".join(f"{_jinja(code)}: '{value}'" for code, value in known.items())
        return f"{{{{ map_values({_jinja(raw)}, '{wanted.name}', {{{pairs}}}) }}}}"

    def _note_gaps(self) -> None:
        for column in self.feed.columns:
            required = column.required or column.name == self.feed.key[0]
            if not required or column.name in self.mapped or column.name in self.constants:
                continue
            hint = ""
            if self.feed.key == (column.name,) and self.feed.event_time:
                hint = " If the file is a log without an id, `log_lines` makes one (docs/your-own-data.md)."
            elif column.values:
                hint = f" If it is the same for all rows, write it as a text: '{column.values[0]}' as {column.name}. Accepted are {', '.join(column.values)}."
            self.notes.append(
                f"{column.name} ({column.description.rstrip('.')}) is required and could not be guessed: every row will be quarantined until it is mapped.{hint}"
            )
        local = [
            c.name
            for n, c in self.mapped.items()
            if c.times and not c.times.offset and not c.times.epoch and self._type(n) == "timestamp"
        ]
        if local:
            self.notes.append(
                f"the times of {', '.join(local)} name no zone; they are read on the clock of {self.zone}. Change tz and time_zone if the source's clock is another."
            )
        if self.key and self.version is None:
            self.notes.append(
                f"no column tells when a row was last changed: of two rows of one key ({', '.join(self.key)}) the newer delivery counts."
            )
        if self.unused:
            self.notes.append(f"columns of the sample that nothing was made of: {', '.join(self.unused)}.")

    def _type(self, name: str) -> str:
        return next(column.data_type for column in self.feed.columns if column.name == name)

    @property
    def key(self) -> list[str]:
        """Natural key of the raw table: the sample's columns for the feed's key; none when its first part is not known."""
        if self.feed.key[0] not in self.mapped:
            return []
        return [self.mapped[name].name for name in self.feed.key if name in self.mapped]

    def declaration(self) -> str:
        """Text of orchestration/sources/<source>.yml."""
        table, label = self.table, self.source.replace("_", " ").capitalize()
        required = {self.mapped[c.name].name for c in self.feed.columns if c.required and c.name in self.mapped}
        lines = [
            f"# First draft, guessed from the sample {_comment(self.sample.file)}. Read it and correct it; docs/sources.md has every option.",
            f"source: {self.source}",
            f"label: {{en: {json.dumps(label)}, zh: {json.dumps(label)}}}",
            f"time_zone: {self.zone}",
            "required: false          # true: nothing is published while it is late",
            "expected_every: 36h",
            f"feeds: [{self.feed.name}]",
            "tables:",
            f"  {table.name}:",
            f"    pattern: {json.dumps(table.pattern, ensure_ascii=False)}",
            *([f"    delivery_pattern: {json.dumps(table.delivery_pattern)}"] if table.delivery_pattern else []),
            f"    format: {table.format}",
            *(
                [f"    encoding: auto       # the sample is {self.sample.result.encoding}"]
                if table.format in ("delimited", "json_lines")
                else []
            ),
            *([f"    delimiter: {json.dumps(table.delimiter)}"] if table.delimiter else []),
            *(
                [f"    skip_lines: {table.skip_lines}        # a title stands above the header of the sample"]
                if table.skip_lines
                else []
            ),
            "    delivery: delta      # each file has what is new or changed; snapshot: each file has everything, and what is absent is gone",
            f"    key: [{', '.join(_yaml_name(name) for name in self.key)}]",
            f"    version: {_yaml_name(self.version.name) if self.version else 'null'}",
            f"    feeds: [{self.feed.name}]",
            "    columns:",
            *[
                f"      {_yaml_name(column.name)}: {{{'required: true' if column.name in required else ''}}}"
                for column in self.sample.columns
            ],
        ]
        return "\n".join(lines) + "\n"

    def dbt_sources(self) -> str:
        """Text of _<source>__sources.yml."""
        entry = {
            "name": self.source,
            "description": f"{self.source.replace('_', ' ').capitalize()}, as loaded from its inbox files.",
            "database": "raw",
            "schema": f"raw_{self.source}",
            "tables": [{"name": self.table.name}],
        }
        return yaml.safe_dump({"version": 2, "sources": [entry]}, sort_keys=False, allow_unicode=True)

    def model(self) -> str:
        """Text of stg_<source>__<feed>.sql."""
        lines = [
            f"{{{{ config(enabled='{self.source}' in var('sources')) }}}}",
            "",
            f"-- First draft, guessed from {_comment(self.sample.file)}. Read it and correct it; docs/your-own-data.md says how.",
            *_comment_list("-- Columns of the sample that nothing was made of: ", self.unused),
            "select",
        ]
        for column in self.feed.columns:
            if column.name in self.constants:
                lines.append(f"    '{self.constants[column.name]}' as {column.name},")
            elif column.name in self.mapped:
                doubt = (
                    f" -- a weak guess: {_comment(column.description)}"
                    if self.scores.get(column.name, 1.0) < 0.8
                    else ""
                )
                lines.append(f"    {self._expressions[column.name]},{doubt}")
            else:
                lines.append(f"    -- could not guess: {column.name} ({_comment(column.description).rstrip('.')})")
        if self.version and self.version.times:
            formats = self.version.times.formats
            lines.append(
                f"    {{{{ version_column({_jinja(self._sql(self.version.name))}{f', format={_jinja(formats[0])}' if formats else ''}) }}}},"
            )
        lines += [
            f"    {{{{ load_facts('{self.table.name}') }}}}",
            f"from {{{{ source('{self.source}', '{self.table.name}') }}}}",
        ]
        return "\n".join(lines) + "\n"


def _comment(text: str) -> str:
    """Text that may stand in a comment of a model, which dbt renders too."""
    return re.sub(r"[{}%#\s]+", " ", "".join(letter if letter.isprintable() else " " for letter in text)).strip()


def _comment_list(start: str, names: Iterable[str]) -> list[str]:
    found = list(names)
    return [start + ", ".join(found)] if found else []
