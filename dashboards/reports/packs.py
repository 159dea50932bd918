"""The reports of the trade: which figures, tables and pictures each of them has.

Belongs here: what a report says and in what order. Does not belong here: computing (dashboards.data, facts), wording of what changed (sentences), looks (page).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import Any

from dashboards.data import reports as questions
from dashboards.data.customers import Words
from dashboards.data.metrics import Filters, Metric, MetricValue, catalogue, metric_frame, metric_values
from dashboards.data.snapshot import Snapshot
from dashboards.data.units import format_value
from dashboards.i18n import EMPTY, Translator, translator
from dashboards.reports import facts, sentences
from dashboards.reports.blocks import Bar, Bars, Block, Cell, Course, Items, Point, Report, Section, Sheet, Table
from dashboards.reports.charts import nice_ticks
from dashboards.reports.periods import Period, PeriodError, last_whole, period_of

COURSE_LENGTH: Mapping[str, int] = {"week": 13, "month": 12, "quarter": 8}
"""Periods that a course shows, the report's the last."""
MOST_CAUSES = 10
MOST_TOPICS = 10
LONG_WAIT_DAYS = 30
"""From so many days on, waiting for us asks for a decision."""


class ReportError(ValueError):
    """A report that cannot be made; the message says why and what is accepted."""


@dataclass(frozen=True)
class Pack:
    """One kind of report.

    Attributes:
        kinds: lengths of period that it can be about, the usual one first.
        headline: metrics that the sentences judge.
    """

    name: str
    kinds: tuple[str, ...]
    headline: tuple[str, ...]
    build: Callable[[Desk], list[Section]] = field(repr=False)


@dataclass(frozen=True)
class Desk:
    """All that a report is made from: a snapshot as its reader sees it, the units and days that it is about, a language."""

    snapshot: Snapshot
    pack: Pack
    units: tuple[str, ...]
    period: Period
    t: Translator

    @cached_property
    def words(self) -> Words:
        return Words(self.snapshot, self.t)

    @cached_property
    def metrics(self) -> Mapping[str, Metric]:
        return catalogue(self.snapshot)

    @cached_property
    def age(self) -> questions.DataAge:
        return questions.data_age(self.snapshot)

    @property
    def filters(self) -> Filters:
        return facts.period_filters(self.period, self.units)

    @cached_property
    def headline(self) -> list[facts.Figure]:
        return self.figures(self.pack.headline)

    def figures(self, names: Sequence[str]) -> list[facts.Figure]:
        return facts.figures(self.snapshot, names, self.period, self.units)

    def known(self, names: Sequence[str]) -> list[str]:
        return facts.known_here(self.snapshot, names, self.units)

    def name(self, metric: str) -> str:
        found = self.metrics[metric]
        return self.t.label(found.label_en, found.label_zh, metric)

    def value(self, metric: str, value: float | None) -> str:
        return format_value(self.t, value, self.metrics[metric].unit)

    def unit(self, unit: str | None) -> str:
        return self.t("rights.no_unit") if unit is None else self.words("org_unit_id", unit)

    def label(self, dimension: str, value: str | None) -> str:
        """A value of a dimension in words; of some dimensions the words are those of another."""
        return self.words({"cause": "topic", "symptom": "topic"}.get(dimension, dimension), value)

    def told(self, metric: str, one: MetricValue | None) -> Cell:
        """A value in a table: small bases faint, hidden ones said."""
        if one is None or one.value is None:
            return Cell(self.t("report.hidden") if one is not None and one.is_hidden else EMPTY, "muted")
        return Cell(self.value(metric, one.value), "muted" if one.is_small_base else "")

    # Blocks that several reports have

    def figure_table(self, names: Sequence[str], title: str = "") -> Table:
        """Figures beside those of the period before."""
        t = self.t
        rows = []
        for figure in self.figures(names):
            metric, unit = figure.metric, figure.metric.unit
            if figure.now.value is None and figure.before.value is None and not figure.now.is_hidden:
                continue  # nothing was counted in either period
            bounds = ""
            if figure.now.low is not None and figure.now.high is not None:
                low, high = (format_value(t, one, unit) for one in (figure.now.low, figure.now.high))
                bounds = t("report.interval", low=low, high=high)
            now = self.told(metric.name, figure.now)
            is_sure = figure.strength is not None and figure.strength > 1
            better = figure.is_better
            tone = "" if not is_sure or better is None else "better" if better else "worse"
            change = Cell(
                sentences.figure_change(t, figure, self.period), tone or "muted", sentences.interval_text(t, figure)
            )
            target = Cell(EMPTY, "muted")
            if metric.target is not None:
                state = figure.target_state
                words = {
                    "met": t("report.target.met"),
                    "open": t("report.target.open"),
                    "missed": t("report.target.missed"),
                }
                target = Cell(format_value(t, metric.target, unit), "", words.get(state or "", ""))
            n = EMPTY if metric.type not in ("ratio", "percentile") or not figure.now.n else t.integer(figure.now.n)
            name = Cell(
                self.name(metric.name),
                "",
                t("report.small_base") if figure.now.is_small_base and figure.now.value is not None else "",
            )
            rows.append(
                [name, Cell(now.text, now.tone, bounds), format_value(t, figure.before.value, unit), change, target, n]
            )
        columns = [t(f"report.column.{key}") for key in ("figure", "now", "before", "change", "target", "n")]
        return Table(title, columns, rows, frozenset(range(1, 6)), t("report.figures_note"), t("report.nothing"))

    def by_unit(self, names: Sequence[str], title: str = "") -> list[Block]:
        """Figures of the units one step below; nothing where there is only one."""
        below = questions.units_below(self.snapshot, self.units)
        there = self.known(names)
        if len(below) < 2 or not there:
            return []
        rows: list[list[str | Cell]] = []
        for unit in below:
            values = metric_values(self.snapshot, there, facts.period_filters(self.period, (unit,)))
            if any(one.value is not None or one.is_hidden for one in values.values()):
                rows.append([self.unit(unit), *(self.told(name, values[name]) for name in there)])
        whole = metric_values(self.snapshot, there, self.filters)
        rows.append([Cell(self.t("report.all_units"), "muted"), *(self.told(name, whole[name]) for name in there)])
        columns = [self.t("report.column.unit"), *(self.name(name) for name in there)]
        return [
            Table(
                title or self.t("report.by_unit"),
                columns,
                rows,
                frozenset(range(1, len(columns))),
                self.t("report.faint_note"),
            )
        ]

    def courses(self, names: Sequence[str]) -> list[Block]:
        """The course of each metric over the last periods of the report's kind."""
        t, kind = self.t, self.period.kind
        first = self.period.before(COURSE_LENGTH[kind] - 1)
        blocks: list[Block] = []
        for name in self.known(names):
            metric = self.metrics[name]
            frame = metric_frame(
                self.snapshot,
                [name],
                grain=kind,
                filters=Filters(start=first.start, end=self.period.end, units=self.units),
            )
            rows = {row["metric_time"]: row for row in frame.to_dicts()}
            points, at = [], first
            while at.start <= self.period.start:
                row = rows.get(at.start, {})
                faint = bool(row.get("is_small_base")) or at.end > self.age.complete_until
                label = (
                    t.short_month(at.start)
                    if kind == "month"
                    else t.short_date(at.start)
                    if kind == "week"
                    else t.grain_label(at.start, kind)
                )
                points.append(Point(at.start, label, row.get("value"), row.get("low"), row.get("high"), faint))
                at = period_of(kind, at.end + timedelta(days=1))
            known = [one for point in points for one in (point.value, point.low, point.high) if one is not None]
            if not known:
                continue
            target = metric.target
            if target is not None and not min(known) - (max(known) - min(known)) <= target <= max(known) + (
                max(known) - min(known)
            ):
                target = None
            low, high = (
                min([*known, *([target] if target is not None else [])]),
                max([*known, *([target] if target is not None else [])]),
            )
            if metric.type in ("count", "distinct"):
                low = min(0.0, low)
            ticks = [(one, self._tick(metric, one)) for one in nice_ticks(low, high)]
            told = [point for point in points if point.value is not None]
            alt = t(
                "report.course_alt", name=self.name(name), first=self.value(name, told[0].value), start=told[0].label,
                last=self.value(name, told[-1].value), end=told[-1].label,
            ) if told else self.name(name)  # fmt: skip
            note = "" if target is None else t("report.target_line", value=self.value(name, target))
            blocks.append(Course(self.name(name), points, ticks, alt, metric.unit, target, note))
        return blocks

    def _tick(self, metric: Metric, value: float) -> str:
        if metric.unit == "share":
            return self.t.percent(
                value, 0 if float(value * 100).is_integer() or abs(round(value * 100) - value * 100) < 1e-6 else 1
            )
        if metric.unit in ("count", "currency"):
            return self.t.compact(value)
        if metric.unit == "points":
            return self.t.number(value, 0 if float(value).is_integer() else 1)
        return self.value(metric.name, value)

    def bars(self, metric: str, by: str, *, most: int = 10, title: str = "", by_size: bool = False) -> list[Block]:
        """A metric by the values of a dimension, with intervals; the largest bases or values first."""
        if metric not in self.known([metric]) or by not in self.metrics[metric].dimensions:
            return []
        t, found = self.t, self.metrics[metric]
        frame = metric_frame(self.snapshot, [metric], by=[by], filters=self.filters)
        rows = [row for row in frame.to_dicts() if row["value"] is not None and row[by] is not None]
        rows.sort(key=lambda row: (-(row["value"] if by_size else row["n"] or 0.0), str(row[by])))
        is_count = found.type in ("count", "distinct", "stock")
        bars = [
            Bar(
                self.label(by, row[by]), row["value"], self.value(metric, row["value"]), row["low"], row["high"],
                "" if is_count else t("report.n", n=t.integer(row["n"])), bool(row["is_small_base"]),
            )
            for row in rows[:most]
        ]  # fmt: skip
        note = t("report.more_left", count=t.integer(len(rows) - most)) if len(rows) > most else ""
        named = title or t("report.metric_by", name=self.name(metric), dimension=t(f"dimension.{by}"))
        return [Bars(named, bars, note, found.target, empty=t("report.nothing"))] if bars else []

    def compared_slices(self, metric: str, by: str, *, most: int, title: str) -> Table:
        """A count by a dimension, beside the period before, with its share."""
        t = self.t
        columns = [
            t(f"dimension.{by}").capitalize(),
            *(t(f"report.column.{key}") for key in ("now", "before", "change", "share")),
        ]
        empty = Table(title, columns, [], frozenset(range(1, 5)), empty=t("report.nothing"))
        if metric not in self.known([metric]):
            return empty
        now, before = (
            {
                row[by]: row["value"]
                for row in metric_frame(
                    self.snapshot, [metric], by=[by], filters=facts.period_filters(one, self.units)
                ).to_dicts()
            }
            for one in (self.period, self.period.before())
        )
        total = metric_values(self.snapshot, [metric], self.filters)[metric].value
        ordered = sorted((key for key in now if now[key] is not None), key=lambda key: (-(now[key] or 0.0), str(key)))
        rows: list[list[str | Cell]] = []
        for key in ordered[:most]:
            value, earlier = now[key], before.get(key)
            ratio = (value / self.period.days) / (earlier / self.period.before().days) - 1 if earlier else None
            change = EMPTY if ratio is None else t.signed(ratio * 100) + "%"
            share = t.percent(value / total) if total else EMPTY
            rows.append([self.label(by, key), t.integer(value), t.integer(earlier), change, share])
        note = t("report.more_left", count=t.integer(len(ordered) - most)) if len(ordered) > most else ""
        return Table(title, columns, rows, frozenset(range(1, 5)), note, t("report.nothing"))

    def hard_blocks(self, most: int = 15) -> list[Block]:
        """What is old and open: for whom it waits, and the longest waiting one by one."""
        t, words = self.t, self.words
        holders = questions.hard_issues_by_holder(self.snapshot, self.units)
        listed = questions.hard_issues(self.snapshot, self.units, most)
        waiting = [
            [
                words("waits_for", row["waits_for"]), words("department", row["department"]) if row["department"] else EMPTY,
                t.integer(row["issues"]), t("report.days", count=t.integer(row["longest_days"])),
            ]
            for row in holders
        ]  # fmt: skip
        rows = [
            [
                Cell(row["reference"] or EMPTY, "", words("issue_kind", row["issue_kind"])), words("topic", row["topic"]),
                self.unit(row["org_unit_id"]), Cell(words("waits_for", row["waits_for"]), "", words("department", row["department"]) if row["department"] else ""),
                t.integer(row["age_days"]), t.integer(row["waiting_days"]),
            ]
            for row in listed
        ]  # fmt: skip
        total = listed[0]["total"] if listed else 0
        as_of = t("report.as_of", day=t.date(listed[0]["as_of"])) if listed else ""
        left = t("report.more_left", count=t.integer(total - len(rows))) if total > len(rows) else ""
        head = [t(f"report.hard.{key}") for key in ("waits_for", "department", "issues", "longest")]
        columns = [t(f"report.hard.{key}") for key in ("reference", "topic", "unit", "waits_for", "age", "waiting")]
        return [
            Table(t("report.hard.holders"), head, waiting, frozenset((2, 3)), empty=t("report.hard.none")),
            Table(
                t("report.hard.list"),
                columns,
                rows,
                frozenset((4, 5)),
                " ".join(filter(None, (as_of, left))),
                t("report.hard.none"),
            ),
        ]

    def hot_table(self) -> Table:
        """Bursts of complaints of the period."""
        t, words = self.t, self.words
        rows = [
            [
                Cell(words("topic", row["topic"]), "", words("product_line", row["product_line"]) if row["product_line"] else ""),
                self.unit(row["org_unit_id"]) if row["org_unit_id"] else words("place_level", row["place_level"]),
                t.period(row["first_on"], row["last_on"]), t.integer(row["customers"]), t.number(row["expected_customers"], 2),
                words("course", row["course"]), t.integer(row["open_complaints"]),
            ]
            for row in questions.hot_issues(self.snapshot, self.units, self.period.start, self.period.end)
        ]  # fmt: skip
        columns = [
            t(f"report.hot.{key}") for key in ("topic", "place", "days", "customers", "expected", "course", "open")
        ]
        return Table(t("report.hot.title"), columns, rows, frozenset((3, 4, 6)), empty=t("report.hot.none"))

    def training_table(self) -> Table:
        """Trainings that ran in the period, with their effect."""
        t, words = self.t, self.words
        rows = []
        for row in questions.trainings(self.snapshot, self.units, self.period.start, self.period.end):
            effect = Cell(t("report.training.not_known"), "muted")
            if row["effect"] is not None:
                bounds = (
                    sentences.difference_interval(t, row["low"], row["high"], "share") if row["low"] is not None else ""
                )
                tone = "better" if (row["low"] or 0) > 0 else "worse" if (row["high"] or 0) < 0 else ""
                effect = Cell(sentences.change_text(t, row["effect"], "share"), tone, bounds)
            days = (
                t.period(row["started_on"], row["done_on"])
                if row["done_on"]
                else t("report.since", day=t.date(row["started_on"]))
            )
            rows.append(
                [
                    Cell(row["improvement_action_id"], "", row["problem"] or ""), self.unit(row["org_unit_id"]), Cell(row["plan"] or EMPTY, "", days),
                    words("phase", row["phase"]), words("item", row["item"]) if row["item"] else EMPTY, effect,
                ]
            )  # fmt: skip
        columns = [t(f"report.training.{key}") for key in ("action", "unit", "plan", "phase", "item", "effect")]
        return Table(
            t("report.training.title"),
            columns,
            rows,
            frozenset((5,)),
            t("report.training.note") if rows else "",
            t("report.training.none"),
        )


# The monthly work report

_SERVICE = (
    "calls_offered", "service_level", "average_speed_of_answer", "abandonment_rate", "tickets_created", "tickets_solved", "first_reply_median",
    "full_resolution_median", "sla_attainment", "reopen_rate", "repeat_contact_rate_7d",
)  # fmt: skip
_SATISFACTION = ("csat_top2", "csat_top2_weighted", "nps", "ces_top2", "survey_response_rate", "loop_contacted_rate")
_COMPLAINTS = (
    "complaint_case_count", "complaints_per_million_customers", "complaint_closed_rate", "complaint_stage_kept_rate", "complaint_close_median",
    "second_complaint_rate_30d", "repeat_complainant_rate_30d",
)  # fmt: skip
_STAFF = ("occupancy", "schedule_adherence", "average_handle_time", "transfer_rate")
_QUALITY = (
    "quality_reviews",
    "quality_score",
    "fatal_error_rate",
    "weak_item_share",
    "agents_at_review_minimum",
    "agents_at_review_target",
    "reviewed_contact_share",
)


def _monthly(desk: Desk) -> list[Section]:
    t = desk.t
    return [
        Section(t("report.monthly.staff"), [_staff_table(desk), desk.figure_table(_STAFF)]),
        Section(t("report.monthly.training"), [desk.training_table(), desk.figure_table(("quality_reviews", "quality_score", "fatal_error_rate", "agents_at_review_minimum"))]),
        Section(
            t("report.monthly.service"),
            [
                desk.figure_table(_SERVICE),
                *desk.courses(("calls_offered", "service_level", "tickets_created", "sla_attainment")),
                *desk.by_unit(("calls_offered", "service_level", "abandonment_rate", "tickets_created", "sla_attainment", "reopen_rate")),
            ],
        ),
        Section(
            t("report.monthly.satisfaction"),
            [
                desk.figure_table(_SATISFACTION),
                *desk.courses(("csat_top2", "nps")),
                *desk.by_unit(("csat_top2", "nps", "ces_top2", "survey_response_rate")),
            ],
        ),
        Section(
            t("report.monthly.complaints"),
            [desk.figure_table(_COMPLAINTS), *desk.courses(("complaint_case_count", "second_complaint_rate_30d")), desk.hot_table()],
        ),
        Section(t("report.monthly.hard"), desk.hard_blocks(), t("report.hard.lead")),
    ]  # fmt: skip


def _staff_table(desk: Desk) -> Table:
    t = desk.t
    found = questions.staff(desk.snapshot, desk.units, desk.period.start, desk.period.end)
    below = questions.units_below(desk.snapshot, desk.units)
    parents = questions.unit_parents(desk.snapshot)
    sums: dict[str | None, list[float]] = {}
    for row in found:
        place = row["org_unit_id"]
        seen: set[str] = set()
        while place is not None and place not in below and place not in seen:
            seen.add(place)
            place = parents.get(place)
        key = place if place in below else row["org_unit_id"]
        entry = sums.setdefault(key, [0, 0, 0])
        for index, name in enumerate(("employed", "joined", "gone")):
            entry[index] += row[name]
    order = {unit: index for index, unit in enumerate(below)}
    rows: list[list[str | Cell]] = [
        [desk.unit(unit), *(t.integer(value) for value in entry)]
        for unit, entry in sorted(sums.items(), key=lambda item: (order.get(item[0] or "", 10_000), str(item[0])))
    ]
    if len(rows) > 1:
        totals = [sum(entry[index] for entry in sums.values()) for index in range(3)]
        rows.append([Cell(t("report.all_units"), "muted"), *(t.integer(value) for value in totals)])
    columns = [t("report.column.unit"), *(t(f"report.staff.{key}") for key in ("employed", "joined", "gone"))]
    return Table(t("report.staff.title"), columns, rows, frozenset((1, 2, 3)), empty=t("report.nothing"))


# The weekly quality report and the monthly sheets


def _weekly(desk: Desk) -> list[Section]:
    t = desk.t
    return [
        Section(
            t("report.weekly.results"),
            [
                desk.figure_table(_QUALITY),
                *desk.courses(("quality_score", "weak_item_share")),
                *desk.bars("quality_item_score", "item"),
                *desk.bars("quality_score", "contact_kind"),
                *desk.by_unit(("quality_reviews", "quality_score", "fatal_error_rate", "weak_item_share")),
            ],
        ),
        Section(t("report.weekly.weak"), [_weak_table(desk)], t("report.weekly.weak_lead")),
        Section(t("report.weekly.plan"), [_training_plan(desk), desk.training_table()], t("report.weekly.plan_lead")),
    ]


def _weak_table(desk: Desk) -> Table:
    t, words = desk.t, desk.words
    rows = [
        [
            desk.unit(row["org_unit_id"]), words("item", row["item"]), t.integer(row["judged"]), ", ".join(row["weak_agents"]) or EMPTY,
            ", ".join(row["suspected_agents"]) or EMPTY, t.percent(row["weak_below"], 0),
        ]
        for row in questions.weak_items(desk.snapshot, desk.units, desk.period.start)
    ]  # fmt: skip
    columns = [t(f"report.weak.{key}") for key in ("unit", "item", "judged", "weak", "suspected", "bound")]
    return Table(t("report.weak.title"), columns, rows, frozenset((2, 5)), empty=t("report.weak.none"))


def _training_plan(desk: Desk) -> Table:
    """Whom to train in what, the most urgent first: items with weak agents by what is lacking, then those with several suspected ones."""
    t, words = desk.t, desk.words
    needs = [
        row
        for row in questions.weak_items(desk.snapshot, desk.units, desk.period.start)
        if row["weak"] or row["suspected"] > 1
    ]
    rows = [
        [
            t.integer(index), words("item", row["item"]), desk.unit(row["org_unit_id"]),
            ", ".join([*row["weak_agents"], *row["suspected_agents"]]), t("report.plan.team") if row["weak"] + row["suspected"] > 2 else t("report.plan.coach"),
            sentences.change_text(t, row["shortfall"] / (row["weak"] + row["suspected"]), "share").lstrip("+"),
        ]
        for index, row in enumerate(needs, 1)
    ]  # fmt: skip
    columns = [t(f"report.plan.{key}") for key in ("rank", "item", "unit", "who", "how", "lacking")]
    return Table(
        t("report.plan.title"),
        columns,
        rows,
        frozenset((5,)),
        t("report.plan.note") if rows else "",
        t("report.plan.none"),
    )


def _quality(desk: Desk) -> list[Section]:
    t = desk.t
    sheets = questions.agent_sheets(desk.snapshot, desk.units, desk.period.start)
    agents: dict[str, dict[str, dict[str, Any]]] = {}
    for row in sheets:
        agents.setdefault(row["agent_id"], {})[row["item"]] = row
    rows: list[list[str | Cell]] = []
    cards: list[Block] = []
    for agent, items in agents.items():
        whole = items.get("all") or next(iter(items.values()))
        rows.append([agent, desk.unit(whole["org_unit_id"]), _score(t, whole), _places(t, whole), t.integer(whole["fatal_errors"]), t.integer(whole["reviews"]),
                     t.integer(whole["contacts_handled"]), Cell(t.percent(whole["csat_top2"]), "muted" if (whole["csat_answers"] or 0) < 30 else "", t("report.n", n=t.integer(whole["csat_answers"])))])  # fmt: skip
        if whole["reviews"]:
            cards.append(_agent_sheet(desk, agent, whole, items))
    columns = [
        t(f"report.sheet.{key}") for key in ("agent", "unit", "score", "places", "fatal", "reviews", "contacts", "csat")
    ]
    settled = all(row["is_settled"] for row in sheets)
    note = " ".join([t("report.sheet.note"), *([] if settled else [t("report.sheet.not_settled")])])
    return [
        Section(
            t("report.quality.all"),
            [
                desk.figure_table(_QUALITY),
                *desk.bars("quality_item_score", "item"),
                *desk.courses(("quality_score",)),
                Table(t("report.sheet.title"), columns, rows, frozenset((2, 3, 4, 5, 6, 7)), note, t("report.nothing")),
            ],
        ),
        Section(t("report.quality.sheets"), cards or [Items("", [], t("report.nothing"))], t("report.quality.sheets_lead")),
    ]  # fmt: skip


def _score(t: Translator, row: Mapping[str, Any]) -> Cell:
    bounds = "" if row["low"] is None else t("report.interval", low=t.percent(row["low"]), high=t.percent(row["high"]))
    return Cell(t.percent(row["score"]), "" if row["reviews"] and row["reviews"] >= 4 else "muted", bounds)


def _places(t: Translator, row: Mapping[str, Any]) -> str:
    if row["best_place"] is None:
        return EMPTY
    return t(
        "report.sheet.place",
        best=t.integer(row["best_place"]),
        worst=t.integer(row["worst_place"]),
        of=t.integer(row["ranked_agents"]),
    )


def _agent_sheet(desk: Desk, agent: str, whole: Mapping[str, Any], items: Mapping[str, Mapping[str, Any]]) -> Sheet:
    t, words = desk.t, desk.words
    order = [item for item in sorted(items) if item != "all"] + ["all"]
    rows = [
        [words("item", item), _score(t, items[item]), t.percent(items[item]["company_score"])]
        for item in order
        if item in items
    ]
    columns = [t("report.sheet.item"), t("report.sheet.score"), t("report.sheet.company")]
    hint = t(
        "report.sheet.hint", unit=desk.unit(whole["org_unit_id"]), reviews=t.integer(whole["reviews"]), fatal=t.integer(whole["fatal_errors"]),
        contacts=t.integer(whole["contacts_handled"]),
    )  # fmt: skip
    return Sheet(agent, hint, Table("", columns, rows, frozenset((1, 2))))


# The meeting pack on complaints


def _complaints(desk: Desk) -> list[Section]:
    t = desk.t
    causes = _cause_rows(desk)
    board = questions.improvement_board(desk.snapshot, desk.units)
    decisions = _decisions(desk, causes, board)
    return [
        Section(t("report.complaints.decisions"), [Items("", decisions, t("report.decide.none"), is_numbered=True)], t("report.decide.lead")),
        Section(
            t("report.complaints.numbers"),
            [
                desk.figure_table(_COMPLAINTS),
                *desk.courses(("complaint_case_count", "complaint_stage_kept_rate")),
                *desk.by_unit(("complaint_case_count", "complaints_per_million_customers", "complaint_stage_kept_rate", "second_complaint_rate_30d")),
            ],
        ),
        Section(t("report.complaints.causes"), _cause_blocks(desk, causes), t("report.causes.lead")),
        Section(
            t("report.complaints.second"),
            [
                desk.figure_table(("second_complaint_share", "second_complaint_rate_7d", "second_complaint_rate_30d", "second_complaint_rate_90d", "complaint_next_day_check_rate", "complaint_check_holds_rate", "complaint_fix_hold_rate_30d")),
                *desk.bars("second_complaint_rate_30d", "product_line", most=6),
                *desk.bars("second_complaint_rate_30d", "cause", most=6),
            ],
            t("report.second.lead"),
        ),
        Section(t("report.complaints.issues"), [desk.hot_table(), *desk.hard_blocks(10)], t("report.hard.lead")),
        Section(
            t("report.complaints.promises"),
            [
                desk.figure_table(("ledger_kept_rate", "ledger_late_rate", "ledger_broken_rate", "ledger_unrecorded_share", "callback_in_time_rate", "callback_reached_rate")),
                *desk.bars("ledger_kept_rate", "act"),
                *desk.bars("complaint_stage_kept_rate", "complaint_stage"),
            ],
            t("report.promises.lead"),
        ),
        Section(t("report.complaints.pdca"), _board_blocks(desk, board), t("report.pdca.lead")),
    ]  # fmt: skip


_CAUSE_COLUMNS = (
    "cause_cases",
    "cause_handling_cost",
    "cause_handling_cost_per_case",
    "cause_dissatisfaction_rate",
    "cause_repeat_rate",
    "cause_fee_at_risk",
)


def _cause_rows(desk: Desk) -> list[dict[str, Any]]:
    """Causes with their costs and owner, the dearest in handling first."""
    names = desk.known(_CAUSE_COLUMNS)
    if "cause_cases" not in names or "cause_handling_cost" not in names:
        return []
    found: dict[str | None, dict[str, Any]] = {}
    frame = metric_frame(desk.snapshot, names, by=["root_cause", "owner"], filters=desk.filters)
    for row in frame.to_dicts():
        entry = found.setdefault(row["root_cause"], {"root_cause": row["root_cause"], "owner": row["owner"]})
        entry[row["metric"]] = row
    rows = [row for row in found.values() if row.get("cause_cases", {}).get("value")]
    return sorted(
        rows, key=lambda row: (-(row.get("cause_handling_cost", {}).get("value") or 0.0), str(row["root_cause"]))
    )


def _cause_blocks(desk: Desk, causes: Sequence[Mapping[str, Any]]) -> list[Block]:
    t = desk.t
    names = desk.known(_CAUSE_COLUMNS)
    whole = metric_values(desk.snapshot, names, desk.filters) if names else {}
    rows = []
    for cause in causes[:MOST_CAUSES]:
        cells: list[str | Cell] = []
        for name in names:
            one = cause.get(name) or {}
            cells.append(
                Cell(
                    desk.value(name, one.get("value")),
                    "muted" if one.get("is_small_base") and one.get("value") is not None else "",
                )
            )
        rows.append(
            [
                Cell(
                    desk.words("root_cause", cause["root_cause"]),
                    "",
                    desk.words("owner", cause["owner"]) if cause["owner"] else "",
                ),
                *cells,
            ]
        )
    if rows:
        rows.append([Cell(t("report.causes.all"), "muted"), *(desk.told(name, whole[name]) for name in names)])
    columns = [t("report.causes.cause"), *(desk.name(name) for name in names)]
    left = t("report.more_left", count=t.integer(len(causes) - MOST_CAUSES)) if len(causes) > MOST_CAUSES else ""
    table = Table(
        t("report.causes.title"),
        columns,
        rows,
        frozenset(range(1, len(columns))),
        " ".join(filter(None, (left, t("report.faint_note")))),
        t("report.nothing"),
    )
    return [
        table,
        *desk.bars("cause_cases", "root_cause", most=8, by_size=True),
        *desk.bars("cause_handling_cost", "root_cause", most=8, by_size=True),
    ]


def _effect(t: Translator, row: Mapping[str, Any], words: Words) -> Cell:
    verdict = words("verdict", row["verdict"])
    if row["rate_ratio"] is None:
        return Cell(verdict, "muted", words("improvement_reason", row["reason"]) if row["reason"] else "")
    tone = {"fell": "better", "rose": "worse"}.get(row["verdict"], "")
    bounds = t("report.interval", low=t.number(row["ratio_low"], 2), high=t.number(row["ratio_high"], 2))
    return Cell(verdict, tone, t("report.pdca.ratio", ratio=t.number(row["rate_ratio"], 2), interval=bounds))


def _board_blocks(desk: Desk, board: Sequence[Mapping[str, Any]]) -> list[Block]:
    t, words = desk.t, desk.words
    rows = []
    for row in board:
        days = [t("report.pdca.started", day=t.date(row["started_on"]))] if row["started_on"] else []
        days += [t("report.pdca.done", day=t.date(row["done_on"]))] if row["done_on"] else []
        days += [t("report.pdca.checked", day=t.date(row["checked_on"]))] if row["checked_on"] else []
        cause = words("root_cause", row["root_cause"]) if row["root_cause"] else ""
        counts = f"{t.integer(row['complaints_before'])} → {t.integer(row['complaints_after'])}"
        rows.append(
            [
                Cell(words("phase", row["phase"]), "", row["improvement_action_id"]), Cell(row["problem"] or EMPTY, "", cause),
                Cell(row["plan"] or EMPTY, "", t("report.say.comma").join(days)), Cell(desk.unit(row["org_unit_id"]), "", row["owner_agent_id"] or ""),
                _effect(t, row, words), counts, t.integer(row["open_complaints"]), t.integer(row["customers_again"]),
            ]
        )  # fmt: skip
    columns = [
        t(f"report.pdca.{key}")
        for key in ("phase", "problem", "plan", "owner", "effect", "complaints", "left", "again")
    ]
    note = " ".join([t("report.pdca.note"), t("report.as_of", day=t.date(board[0]["as_of"]))]) if board else ""
    return [Table(t("report.pdca.title"), columns, rows, frozenset((5, 6, 7)), note, t("report.pdca.none"))]


def _decisions(desk: Desk, causes: Sequence[Mapping[str, Any]], board: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the meeting has to decide, by rules: each line follows from a fact on the pages below."""
    t, words = desk.t, desk.words
    said: list[str] = []
    for row in questions.hot_issues(desk.snapshot, desk.units, desk.period.start, desk.period.end):
        if row["course"] == "running" or row["open_complaints"]:
            place = desk.unit(row["org_unit_id"]) if row["org_unit_id"] else words("place_level", row["place_level"])
            key = "report.decide.hot" if row["course"] == "running" else "report.decide.hot_open"
            said.append(
                t(
                    key,
                    topic=words("topic", row["topic"]),
                    place=place,
                    customers=t.integer(row["customers"]),
                    open=t.integer(row["open_complaints"]),
                )
            )
    for action in board:
        facts_of = {"action": action["improvement_action_id"], "problem": action["problem"] or EMPTY}
        if (
            action["phase"] in ("check", "act")
            and action["verdict"] in ("not_seen", "rose")
            and action["rate_ratio"] is not None
        ):
            said.append(
                t(
                    f"report.decide.{action['verdict']}",
                    ratio=t.number(action["rate_ratio"], 2),
                    low=t.number(action["ratio_low"], 2),
                    high=t.number(action["ratio_high"], 2),
                    **facts_of,
                )
            )
        elif action["is_wearing_off"]:
            said.append(t("report.decide.wearing_off", **facts_of))
        if action["phase"] == "check" and action["done_on"]:
            said.append(t("report.decide.unchecked", day=t.date(action["done_on"]), **facts_of))
        if action["phase"] in ("check", "act") and action["open_complaints"]:
            said.append(t("report.decide.left_over", count=t.integer(action["open_complaints"]), **facts_of))
    running = {row["root_cause"] for row in board if row["phase"] in ("plan", "do", "check")}
    for cause in [one for one in causes if one["root_cause"] not in (None, "unknown")][:3]:
        code = cause["root_cause"]
        if not any(other and (code == other or code.startswith(f"{other}.")) for other in running):
            cost = cause.get("cause_handling_cost", {}).get("value")
            said.append(
                t("report.decide.no_action", cause=words("root_cause", code), owner=words("owner", cause["owner"]), cost=desk.value("cause_handling_cost", cost), cases=t.integer(cause["cause_cases"]["value"]))
            )  # fmt: skip
    for row in questions.hard_issues_by_holder(desk.snapshot, desk.units):
        if (row["longest_days"] or 0) >= LONG_WAIT_DAYS:
            holder = (
                words("department", row["department"]) if row["department"] else words("waits_for", row["waits_for"])
            )
            said.append(
                t(
                    "report.decide.hard",
                    count=t.integer(row["issues"]),
                    holder=holder,
                    days=t.integer(row["longest_days"]),
                )
            )
    return said


# Satisfaction and demand


def _demand(desk: Desk) -> list[Section]:
    t = desk.t
    return [
        Section(
            t("report.demand.satisfaction"),
            [
                desk.figure_table(("csat_top2", "csat_top2_weighted", "nps", "ces_top2", "reputation", "satisfaction_index", "loyalty_index")),
                *desk.courses(("csat_top2", "nps")),
                *desk.bars("csat_top2", "channel", most=8),
                *desk.bars("csat_top2", "product_line", most=8),
                *desk.by_unit(("csat_top2", "nps", "ces_top2")),
            ],
        ),
        Section(t("report.demand.who"), [desk.figure_table(("survey_invitations", "survey_responses", "survey_response_rate", "survey_effective_n"))]),
        Section(
            t("report.demand.why"),
            [_driver_table(desk), *desk.bars("comment_topic_csat", "comment_topic", most=8), *desk.bars("comment_topic_share", "comment_topic", most=8, by_size=True)],
            t("report.demand.why_lead"),
        ),
        Section(
            t("report.demand.demand"),
            [
                desk.figure_table(("contacts", "customers_contacting", "contacts_per_customer", "repeat_contact_rate_7d", "contact_reason_known_rate", "fcr_no_repeat_7d")),
                *desk.courses(("contacts", "repeat_contact_rate_7d")),
                desk.compared_slices("contacts", "topic", most=MOST_TOPICS, title=t("report.demand.topics")),
                desk.compared_slices("contacts", "product_line", most=8, title=t("report.demand.products")),
                *desk.bars("contact_kind_share", "contact_kind", most=6),
                *desk.bars("contacts", "channel", most=8, by_size=True),
            ],
            t("report.demand.demand_lead"),
        ),
    ]  # fmt: skip


def _driver_table(desk: Desk) -> Table:
    t, words = desk.t, desk.words
    # Computed for the whole organisation: a report about some units does not show them as theirs.
    found = [] if desk.units else questions.drivers(desk.snapshot, 5)
    rows = [
        [
            Cell(words("factor", row["factor"]), "", words("population", row["population"])), words("effect_sign", row["effect_sign"]),
            Cell(t.percent(row["share"]), "", t("report.interval", low=t.percent(row["share_low"]), high=t.percent(row["share_high"]))), t.integer(row["answers_used"]),
        ]
        for row in found
    ]  # fmt: skip
    columns = [t(f"report.drivers.{key}") for key in ("factor", "sign", "share", "answers")]
    note = t("report.drivers.note", period=t.period(found[0]["period_start"], found[0]["period_end"])) if found else ""
    return Table(t("report.drivers.title"), columns, rows, frozenset((2, 3)), note, t("report.drivers.none"))


PACKS: Mapping[str, Pack] = {
    pack.name: pack
    for pack in (
        Pack("weekly", ("week",), ("quality_reviews", "quality_score", "fatal_error_rate", "weak_item_share"), _weekly),
        Pack(
            "monthly",
            ("month", "week", "quarter"),
            ("service_level", "average_speed_of_answer", "abandonment_rate", "sla_attainment", "reopen_rate", "repeat_contact_rate_7d", "csat_top2", "nps", "ces_top2",
             "complaint_case_count", "complaint_close_kept_rate", "quality_score", "calls_offered", "tickets_created", "survey_response_rate"),
            _monthly,
        ),
        Pack(
            "complaints",
            ("month", "week", "quarter"),
            ("complaint_case_count", "complaint_closed_rate", "complaint_close_kept_rate", "complaint_first_answer_kept_rate", "second_complaint_rate_30d", "second_complaint_share",
             "repeat_complainant_rate_30d", "ledger_kept_rate", "ledger_broken_rate", "cause_people_share", "cause_dissatisfaction_rate"),
            _complaints,
        ),
        Pack("quality", ("month",), ("quality_reviews", "quality_score", "fatal_error_rate", "weak_item_share", "agents_at_review_minimum"), _quality),
        Pack(
            "demand",
            ("month", "week", "quarter"),
            ("csat_top2", "nps", "ces_top2", "survey_response_rate", "contacts", "repeat_contact_rate_7d", "fcr_no_repeat_7d", "contact_reason_known_rate"),
            _demand,
        ),
    )
}  # fmt: skip
"""The reports by name."""


def find_pack(name: str) -> Pack:
    """A report by name.

    Raises:
        ReportError: there is none of that name.
    """
    if name not in PACKS:
        raise ReportError(f"There is no report {name!r}; there are {', '.join(PACKS)}.")
    return PACKS[name]


def choose_period(snapshot: Snapshot, pack: Pack, period: Period | None = None, as_of: date | None = None) -> Period:
    """The period of a report: the one that is given, or the newest that was over on a day (default: the last complete day of the data).

    Raises:
        PeriodError: the report is not made for periods of that length.
    """
    if period is None:
        return last_whole(pack.kinds[0], as_of or questions.data_age(snapshot).complete_until)
    if period.kind not in pack.kinds:
        raise PeriodError(f"The report {pack.name} is made by {' or '.join(pack.kinds)}, not by {period.kind}.")
    return period


def build_report(
    snapshot: Snapshot,
    pack_name: str,
    *,
    units: Sequence[str] = (),
    language: str = "en",
    period: Period | None = None,
    as_of: date | None = None,
) -> Report:
    """A report from a snapshot, as the snapshot's reader may see it.

    Args:
        units: what it is about, with all units below; empty = all that the reader sees.
        period, as_of: see `choose_period`.

    Raises:
        ReportError: no such report, or a unit that is not there or not the reader's to see.
        PeriodError: a length of period that the report does not have.
    """
    t = translator(language)
    pack = find_pack(pack_name)
    for unit in units:
        if not questions.has_unit(snapshot, unit):
            raise ReportError(f"There is no unit {unit!r} that this report may be about.")
    shown = choose_period(snapshot, pack, period, as_of)
    desk = Desk(snapshot, pack, tuple(units), shown, t)
    scope_units = list(units) or sorted(snapshot.viewer.units or ())
    scope = t("report.say.comma").join(desk.unit(unit) for unit in scope_units) if scope_units else t("report.whole")
    moved = facts.beyond_chance(desk.headline)
    split = facts.explained(snapshot, moved[0], shown, desk.units) if moved else None
    said = sentences.three_sentences(t, desk.words, desk.headline, split, desk.age, shown)
    foot = [
        t("report.foot.data", version=desk.age.version, day=t.date(desk.age.complete_until), moment=t.moment(desk.age.built_at)),
        t("report.foot.numbers"),
    ]  # fmt: skip
    if snapshot.viewer.is_limited:
        foot.append(t("report.foot.limited", units=scope))
    return Report(
        pack.name, language, t(f"report.title.{pack.name}"), scope, f"{shown.label(t)}", t("report.compared", period=shown.before().label(t)),
        said, pack.build(desk), foot,
    )  # fmt: skip
