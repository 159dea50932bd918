"""Root causes: the tree, what each costs, where it is more frequent than elsewhere, its words and cases, and what was done about it.

Belongs here: questions about causes to a snapshot. Does not belong here: how a cost is counted (the mart and its metrics) and how an answer
looks (pages, the command line). No text of a customer is in a snapshot; cases are named by their ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from statistics import NormalDist
from typing import Any

from dashboards.data import intervals
from dashboards.data.customers import Words
from dashboards.data.metrics import Filters, Metric, MetricValue, catalogue, metric_frame, metric_values
from dashboards.data.rows import rows_behind
from dashboards.data.snapshot import Snapshot
from dashboards.data.units import format_value
from dashboards.i18n import Translator

Rows = list[dict[str, Any]]

COSTS = (
    "cause_cases",
    "cause_dissatisfied",
    "cause_repeat_contacts",
    "cause_handling_cost",
    "cause_churned",
    "cause_fee_at_risk",
)
"""What hurts, each as a sum that can be ranked."""

RATES = (
    "cause_dissatisfaction_rate",
    "cause_repeat_rate",
    "cause_handling_cost_per_case",
    "cause_churn_rate",
)
"""The same by case, with intervals."""

DIMENSIONS = ("org_unit_id", "product_line", "customer_tier", "touch_point", "channel", "customer_kind", "owner")
MINIMUM_BASE = 30
"""Cases that a slice and the rest must have each before one is compared with the other."""

UNKNOWN = "unknown"
MOST_WORDS = 8
CASE_COLUMNS = (
    "complaint_id", "opened_on", "root_cause", "symptom", "org_unit_id", "product_line", "channel", "customer_tier", "cause_basis", "is_dissatisfied",
    "repeat_contacts", "handling_cost", "is_churned", "fee_at_risk",
)  # fmt: skip
_TABLES = ("dim_causes", "fct_cause_costs", "fct_cause_words", "fct_cause_candidates", "fct_cause_model_quality")


class CauseError(ValueError):
    """No such cause, or a snapshot without causes; the message says what there is."""


@dataclass(frozen=True)
class Cause:
    """One line of the taxonomy, as `dim_causes` has it; `depth` 0 is a top cause."""

    code: str
    parent: str | None
    owner: str
    cause_type: str | None
    is_people: bool
    resolution_codes: str | None
    name_en: str | None
    name_zh: str | None
    example_en: str | None
    example_zh: str | None
    is_active: bool
    depth: int

    def name(self, language: str) -> str:
        """Its name in the reader's language, else in the other, else the code."""
        names = (self.name_zh, self.name_en) if language == "zh" else (self.name_en, self.name_zh)
        return next((name for name in names if name), self.code)

    def example(self, language: str) -> str | None:
        """What is meant, in the reader's language if there is one."""
        return (self.example_zh if language == "zh" else self.example_en) or self.example_en or self.example_zh


@dataclass(frozen=True)
class Slice:
    """A cause in one value of a dimension against all other values.

    Attributes:
        hits, n: cases of the cause and all cases with the value; other_hits, other_n: the same without it.
        ratio: (hits / n) / (other_hits / other_n); None = too few cases, or no case of the cause elsewhere.
        low, high: 95 % interval of the ratio.
        stands_out: above 1 also when it is taken into account that many slices were looked at (Bonferroni).
    """

    value: str | None
    hits: int
    n: int
    other_hits: int
    other_n: int
    ratio: float | None
    low: float | None
    high: float | None
    stands_out: bool


def has_causes(snapshot: Snapshot) -> bool:
    """Whether the snapshot has what this module reads; one that an earlier program built has not."""
    found = snapshot.rows(
        "select count(distinct table_name) as n from information_schema.tables where table_name in (select unnest(?)) and table_schema = 'main'", [list(_TABLES)]
    )  # fmt: skip
    return int(found[0]["n"]) == len(_TABLES)


def cause_tree(snapshot: Snapshot) -> list[Cause]:
    """The taxonomy in the order of the tree: each cause directly below its parent, by code."""
    lines = {row["root_cause"]: row for row in snapshot.rows("select * from dim_causes")}
    below: dict[str | None, list[str]] = {}
    for code, line in sorted(lines.items()):
        below.setdefault(line["parent_cause"] if line["parent_cause"] in lines else None, []).append(code)
    found: list[Cause] = []

    def walk(parent: str | None, depth: int) -> None:
        for code in below.get(parent, ()):
            line = lines[code]
            found.append(
                Cause(
                    code, line["parent_cause"], line["owner"], line["cause_type"], bool(line["is_people_cause"]), line["resolution_codes"],
                    line["name_en"], line["name_zh"], line["example_en"], line["example_zh"], bool(line["is_active"]), depth,
                )
            )  # fmt: skip
            walk(code, depth + 1)

    walk(None, 0)
    return found


def subtree(tree: Sequence[Cause], code: str) -> tuple[str, ...]:
    """A cause and all below it."""
    found = {code}
    for cause in tree:  # a parent comes before its children
        if cause.parent in found:
            found.add(cause.code)
    return tuple(cause.code for cause in tree if cause.code in found) or (code,)


def find_cause(snapshot: Snapshot, wanted: str) -> str:
    """The code of a cause by its code, its last part, or its name in either language.

    Raises:
        CauseError: none or several fit, or the snapshot has no causes.
    """
    if not has_causes(snapshot):
        raise CauseError("the published snapshot has no causes; run `csatlas refresh` first.")
    tree = cause_tree(snapshot)
    word = wanted.strip().lower()
    if word == UNKNOWN or any(cause.code == word for cause in tree):
        return word
    fitting = [
        cause.code
        for cause in tree
        if word and (cause.code.lower().rsplit(".", 1)[-1] == word or word in {(cause.name_en or "").lower(), (cause.name_zh or "").lower()})
    ]  # fmt: skip
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise CauseError(f"{wanted!r} may be {', '.join(fitting)}.")
    raise CauseError(
        f"there is no cause {wanted!r}; there are {', '.join([*(cause.code for cause in tree), UNKNOWN])}."
    )


def narrowed_to(filters: Filters, codes: Sequence[str]) -> Filters:
    """The slice of some causes."""
    return replace(filters, where={**filters.where, "root_cause": tuple(codes)})


def over_representation(
    snapshot: Snapshot, codes: Sequence[str], by: str, filters: Filters, minimum: int = MINIMUM_BASE
) -> list[Slice]:
    """Where a cause has a larger share of the complaints than elsewhere, the largest ratio first; slices without a ratio come last.

    The interval is that of a ratio of two shares (Katz et al. 1978). Cases are taken as independent; a customer with many cases makes it too narrow.

    Args:
        codes: the cause and those below it.
        by: dimension of `fct_cause_costs`.
        minimum: cases that the slice and the rest must have each.
    """
    frame = metric_frame(snapshot, ["cause_cases"], by=["root_cause", by], filters=filters)
    counts: dict[str | None, list[int]] = {}
    for row in frame.to_dicts():
        pair = counts.setdefault(row[by], [0, 0])
        pair[0] += int(row["value"] or 0) if row["root_cause"] in codes else 0
        pair[1] += int(row["value"] or 0)
    all_hits, all_n = (sum(pair[place] for pair in counts.values()) for place in (0, 1))
    judged = [
        value for value, (_, n) in counts.items() if min(n, all_n - n) >= minimum
    ]  # fmt: skip
    strict = NormalDist().inv_cdf(1 - 0.025 / max(1, len(judged)))
    found = []
    for value, (hits, n) in counts.items():
        rest, other = all_hits - hits, all_n - n
        ratio = (hits / n) / (rest / other) if value in judged and rest else None
        bounds = intervals.risk_ratio(hits, n, rest, other) if ratio is not None else None
        strictly = intervals.risk_ratio(hits, n, rest, other, strict) if ratio is not None else None
        low, high = bounds or (None, None)
        found.append(Slice(value, hits, n, rest, other, ratio, low, high, strictly is not None and strictly[0] > 1))
    return sorted(found, key=lambda one: (one.ratio is None, -(one.ratio or 0.0), str(one.value)))


def cause_costs(snapshot: Snapshot, codes: Sequence[str] | None, filters: Filters) -> dict[str, MetricValue]:
    """Every cost and rate over one slice; of some causes, or of all."""
    return metric_values(snapshot, [*COSTS, *RATES], narrowed_to(filters, codes) if codes else filters)


def cause_words(snapshot: Snapshot, codes: Sequence[str], most: int = MOST_WORDS) -> Rows:
    """Words that speak for a cause, by language; several customers' cases have each of them."""
    return snapshot.rows(
        "select text_language, root_cause, word, cases from fct_cause_words where list_contains(?, root_cause)"
        " qualify row_number() over (partition by text_language order by weight desc, word) <= ? order by text_language, weight desc, word",
        [list(codes), most],
    )


def cause_cases(snapshot: Snapshot, codes: Sequence[str] | None, filters: Filters, limit: int) -> Rows:
    """The newest cases of a cause (of all causes: None) with what each cost; no text."""
    wanted = narrowed_to(filters, codes) if codes else filters
    return rows_behind(snapshot, "cause_cases", wanted, limit=limit).frame.select(CASE_COLUMNS).to_dicts()


def cause_candidates(snapshot: Snapshot) -> Rows:
    """Groups of unknown complaints that may be new causes, the largest first."""
    return snapshot.rows("select * from fct_cause_candidates order by candidate")


def model_quality(snapshot: Snapshot) -> Rows:
    """The test of the classifier in use, by language and cause, the worst first."""
    return snapshot.rows(
        "select text_language, root_cause, cases, answered, predicted, hits, precision_share, recall_share, f1, macro_f1, learned_until, tested_from, tested_to"
        " from fct_cause_model_quality where is_used and cases > 0 order by text_language = 'all' desc, text_language, f1, root_cause"
    )


def improvement_actions(snapshot: Snapshot) -> Rows:
    """Corrective actions and training in the order of the cycle, with what is known of their effect."""
    return snapshot.rows(
        "select source, improvement_action_id, action_kind, problem, plan, root_cause, org_unit_id, phase, complaints_before, complaints_after, open_complaints,"
        " effect_method, rate_ratio, ratio_low, ratio_high, verdict, reason, started_on, done_on, checked_on from fct_improvement_actions"
        " order by list_position(['plan', 'do', 'check', 'act', 'cancelled'], phase), started_on desc, improvement_action_id"
    )


def improvement_effects(snapshot: Snapshot) -> Rows:
    """The effect of each action by each method, with its interval and its placebo tests."""
    return snapshot.rows(
        "select * from fct_improvement_effects where rate_ratio is not null order by improvement_action_id, method"
    )


def profile(snapshot: Snapshot, code: str, filters: Filters, *, grain: str = "month", cases: int = 5) -> dict[str, Any]:
    """All that is said of one cause on one page: its line and place, costs, course, slices that stand out, words, newest cases, actions."""
    tree = cause_tree(snapshot)
    codes = subtree(tree, code)
    line = next((cause for cause in tree if cause.code == code), None)
    path: list[str] = []
    above: str | None = code
    by_code: Mapping[str, Cause] = {cause.code: cause for cause in tree}
    while above is not None and above in by_code and above not in path:
        path.insert(0, above)
        above = by_code[above].parent
    course = metric_frame(snapshot, ["cause_cases"], grain=grain, filters=narrowed_to(filters, codes))
    slices = {by: over_representation(snapshot, codes, by, filters) for by in DIMENSIONS if by != "owner"}
    costs = cause_costs(snapshot, codes, filters)
    return {
        "root_cause": code,
        "cause": None if line is None else asdict(line),
        "path": path,
        "below": [other for other in codes if other != code],
        "costs": costs,
        "all": cause_costs(snapshot, None, filters),
        "course": course.select("metric_time", "value").to_dicts(),
        "slices": {by: [one for one in found if one.stands_out] for by, found in slices.items()},
        "words": cause_words(snapshot, codes),
        "cases": cause_cases(snapshot, codes, filters, cases),
        "actions": [action for action in improvement_actions(snapshot) if action["root_cause"] in codes],
    }


def profile_lines(
    found: Mapping[str, Any], metrics: Mapping[str, Metric], words: Words, t: Translator, period: str
) -> list[str]:
    """A profile in lines of plain text, in the reader's language; `metrics`: those of `cost_metrics`."""
    code, line = found["root_cause"], found["cause"]
    said = [f"{t('causes.show.profile', name=words('root_cause', code))} · {period}"]
    facts = [t("causes.show.code", code=code)]
    if line is not None:
        facts.append(t("causes.owner", owner=words("owner", line["owner"])))
        if line["cause_type"]:
            facts.append(t("causes.type", type=words("cause_type", line["cause_type"])))
        if line["resolution_codes"]:
            facts.append(t("causes.codes", codes=line["resolution_codes"].replace(";", ", ")))
    said.append(" · ".join(facts))
    if len(found["path"]) > 1:
        said.append(t("causes.show.place", path=" > ".join(words("root_cause", one) for one in found["path"])))
    if found["below"]:
        named = t("customer.and").join(words("root_cause", one) for one in found["below"])
        said.append(t("causes.show.covers", names=named))
    if line is not None:
        example = line["example_zh"] if t.language == "zh" else line["example_en"]
        said += [example] if example else []
    said += ["", t("causes.show.costs")]
    for name, metric in metrics.items():
        mine, all_of = found["costs"][name], found["all"][name]
        text = f"  {t.label(metric.label_en, metric.label_zh, name)}: {format_value(t, mine.value, metric.unit)}"
        if mine.low is not None and mine.high is not None:
            low, high = (format_value(t, bound, metric.unit) for bound in (mine.low, mine.high))
            text += f" ({t('kpi.interval', low=low, high=high)}, n {t.integer(mine.n)})"
        if metric.type == "count" and mine.value is not None and all_of.value:
            text += f" · {t('causes.show.of_all', share=t.percent(mine.value / all_of.value))}"
        elif metric.type != "count":
            text += f" · {t('causes.all')}: {format_value(t, all_of.value, metric.unit)}"
        said.append(text)
    course = [f"{row['metric_time']:%Y-%m} {t.integer(row['value'] or 0)}" for row in found["course"]]
    said += [
        "",
        t("causes.show.trend"),
        f"  {' · '.join(course) or t('causes.show.nothing')}",
        "",
        t("causes.show.slices"),
    ]
    slices = [
        t(
            "causes.show.slice", dimension=t(f"dimension.{by}"), value=words(by, one.value), ratio=t.number(one.ratio, 2),
            low=t.number(one.low, 2), high=t.number(one.high, 2),
        )
        for by, ones in found["slices"].items()
        for one in ones
    ]  # fmt: skip
    said += [f"  {text}" for text in slices or [t("causes.show.nothing")]]
    said += ["", t("causes.words")]
    for language in sorted({row["text_language"] for row in found["words"]}):
        own = [row["word"] for row in found["words"] if row["text_language"] == language]
        said.append(f"  {words('text_language', language)}: {' · '.join(own)}")
    said += [] if found["words"] else [f"  {t('causes.show.nothing')}"]
    said += ["", t("causes.show.cases")]
    for case in found["cases"]:
        parts = [case["opened_on"].isoformat(), case["complaint_id"]]
        dimensions = (
            ("symptom", "topic"),
            ("product_line", "product_line"),
            ("channel", "channel"),
            ("org_unit_id", "org_unit_id"),
        )
        parts += [words(dimension, case[name]) for name, dimension in dimensions if case[name]]
        said.append(f"  {' · '.join(parts)}")
    said += [] if found["cases"] else [f"  {t('causes.show.nothing')}"]
    said += ["", t("causes.show.actions")]
    for action in found["actions"]:
        effect = words("verdict", action["verdict"])
        if action["rate_ratio"] is not None:
            bounds = t("kpi.interval", low=t.number(action["ratio_low"], 2), high=t.number(action["ratio_high"], 2))
            effect += f" {t.number(action['rate_ratio'], 2)} ({bounds})"
        said.append(
            f"  {action['improvement_action_id']} {action['problem']} · {words('phase', action['phase'])} · {effect}"
        )
    said += [] if found["actions"] else [f"  {t('causes.show.nothing')}"]
    return said


def cost_metrics(snapshot: Snapshot) -> dict[str, Metric]:
    """The metrics of costs and rates, as the catalogue has them."""
    known = catalogue(snapshot)
    return {name: known[name] for name in (*COSTS, *RATES) if name in known}


def last_day(snapshot: Snapshot) -> date:
    """The last day of the data, on which a profile ends."""
    (row,) = snapshot.rows("select coalesce(data_until, cast(built_at as date)) as day from meta.snapshot")
    day: date = row["day"]
    return day
