"""The executive's three sentences of what changed, from facts by rules: the clearest change, what is behind it, and targets and age of the data.

The same facts give the same sentences. When nothing moved beyond chance, they say so.
"""

from __future__ import annotations

from collections.abc import Sequence

from dashboards.data.customers import Words
from dashboards.data.headlines import ChangeParts
from dashboards.data.reports import DataAge
from dashboards.data.units import format_value
from dashboards.i18n import Translator
from dashboards.reports.facts import Figure, beyond_chance, strongest
from dashboards.reports.periods import Period

MOST_NAMED = 3
"""Most figures that a sentence names after the first."""


def metric_name(t: Translator, figure: Figure) -> str:
    metric = figure.metric
    return t.label(metric.label_en, metric.label_zh, metric.name)


def change_text(t: Translator, value: float | None, unit: str) -> str:
    """A difference in the unit of a metric, with its sign."""
    if value is None:
        return t.signed(None)
    match unit:
        case "share":
            return t("unit.points_change", value=t.signed(value * 100))
        case "points":
            return t("report.points", value=t.signed(value))
        case "count":
            return t.signed(value, 0)
        case "seconds" | "minutes" | "currency":
            text = format_value(t, abs(value), unit)
            return text if not value else ("+" if value > 0 else "\u2212") + text
        case _:
            return t.signed(value, 2)


def figure_change(t: Translator, figure: Figure, period: Period) -> str:
    """The change of a figure: of a count in per cent a day (periods differ in length), else the difference."""
    change = figure.change
    if change is None:
        return t.signed(None)
    if figure.metric.type in ("count", "distinct") and figure.before.value:
        ratio = ((figure.now.value or 0.0) / period.days) / (figure.before.value / period.before().days) - 1
        return t.signed(ratio * 100) + "%"
    return change_text(t, change, figure.metric.unit)


def interval_text(t: Translator, figure: Figure) -> str:
    """Bounds of the change, in the same form; empty where it was not judged."""
    if figure.low is None or figure.high is None:
        return ""
    if figure.metric.type == "count":
        low, high = (t.signed((bound - 1) * 100) + "%" for bound in (figure.low, figure.high))
        return t("report.interval", low=low, high=high)
    return difference_interval(t, figure.low, figure.high, figure.metric.unit)


def difference_interval(t: Translator, low: float, high: float, unit: str) -> str:
    """Bounds of a difference; the unit of points once, after the second."""
    if unit in ("share", "points"):
        return t(
            "report.interval", low=t.signed(low * (100 if unit == "share" else 1)), high=change_text(t, high, unit)
        )
    return t("report.interval", low=change_text(t, low, unit), high=change_text(t, high, unit))


def _from_to(t: Translator, figure: Figure, period: Period) -> dict[str, str]:
    unit = figure.metric.unit
    bounds = interval_text(t, figure)
    change = figure_change(t, figure, period)
    return {
        "name": metric_name(t, figure),
        "before": format_value(t, figure.before.value, unit),
        "now": format_value(t, figure.now.value, unit),
        "change": t("report.say.with_interval", change=change, interval=bounds) if bounds else change,
    }


def _judgement(t: Translator, figure: Figure) -> str:
    if figure.is_better is None:
        return t("report.say.neutral")
    return t("report.say.better") if figure.is_better else t("report.say.worse")


def _joined(t: Translator, names: Sequence[str]) -> str:
    shown = list(names[:MOST_NAMED])
    text = t("report.say.comma").join(shown)
    left = len(names) - len(shown)
    return t("report.say.and_more", names=text, count=t.integer(left)) if left else text


def what_changed(t: Translator, figures: Sequence[Figure], period: Period) -> str:
    """The first sentence."""
    judged = sum(figure.strength is not None for figure in figures)
    against = period.before().label(t)
    if not judged:
        return t("report.say.too_little", period=against)
    moved = beyond_chance(figures)
    if not moved:
        return t("report.say.quiet", count=t.integer(judged), period=against)
    first, others = moved[0], moved[1:]
    verb = "rose" if (first.change or 0.0) > 0 else "fell"
    text = t(
        f"report.say.{verb}", judgement=_judgement(t, first), count=t.integer(judged), **_from_to(t, first, period)
    )
    if others:
        listed = [
            t(
                "report.say.other",
                name=metric_name(t, one),
                change=figure_change(t, one, period),
                judgement=_judgement(t, one),
            )
            for one in others
        ]
        text += t("report.say.others", names=_joined(t, listed))
    return text


def what_is_behind(
    t: Translator, words: Words, figures: Sequence[Figure], split: ChangeParts | None, period: Period
) -> str:
    """The second sentence: level, mix and the largest contributor of the clearest change; without one, what came nearest.

    Args:
        split: that of the figure that the first sentence is about.
    """
    moved = beyond_chance(figures)
    if not moved:
        nearest = strongest(figures)
        if nearest is None:
            return t("report.say.no_nearest")
        if (nearest.strength or 0.0) > 1:
            judged = sum(figure.strength is not None for figure in figures)
            return t("report.say.nearest_of_many", count=t.integer(judged), **_from_to(t, nearest, period))
        return t("report.say.nearest", **_from_to(t, nearest, period))
    figure, unit = moved[0], moved[0].metric.unit
    if split is None:
        return t("report.say.no_split", name=metric_name(t, figure))
    sign = 1 if (figure.change or 0.0) > 0 else -1
    top = max(split.parts, key=lambda one: (sign * one.amount, str(one.value)))
    facts = {
        "name": metric_name(t, figure),
        "dimension": t(f"dimension.{split.dimension}"),
        "value": words(split.dimension, None if top.value == "unknown" else top.value),
        "part": change_text(t, top.amount, unit),
        "before": format_value(t, top.before, unit),
        "now": format_value(t, top.after, unit),
    }
    if figure.metric.type == "count":
        return t("report.say.counted", **facts)
    kind = "mostly_mix" if abs(split.mix) > abs(split.level) else "mostly_level"
    return t(
        f"report.say.{kind}", level=change_text(t, split.level, unit), mix=change_text(t, split.mix, unit), **facts
    )


def where_it_stands(t: Translator, figures: Sequence[Figure], age: DataAge, period: Period) -> str:
    """The third sentence: targets and the age of the data."""
    states: dict[str, list[Figure]] = {"met": [], "open": [], "missed": []}
    for figure in figures:
        if figure.target_state is not None:
            states[figure.target_state].append(figure)

    def named(state: str) -> str:
        return _joined(
            t,
            [
                t(
                    "report.say.of_target",
                    name=metric_name(t, one),
                    value=format_value(t, one.now.value, one.metric.unit),
                    target=format_value(t, one.metric.target, one.metric.unit),
                )
                for one in states[state]
            ],
        )

    if states["missed"] and states["open"]:
        targets = t("report.say.missed_and_open", missed=named("missed"), open=named("open"))
    elif states["missed"]:
        targets = t("report.say.missed", names=named("missed"))
    elif states["open"]:
        targets = t("report.say.open", names=named("open"))
    elif states["met"]:
        targets = t("report.say.all_met", count=t.integer(len(states["met"])))
    else:
        targets = t("report.say.no_target")
    if period.end > age.complete_until:
        data = t("report.say.not_over", day=t.date(age.complete_until))
    else:
        data = t("report.say.age", day=t.date(age.complete_until), published=t.date(age.built_at.date()))
    late = t("report.say.late", reasons=age.stale) if age.stale else ""
    return t("report.say.stands", targets=targets, data=data + late)


def three_sentences(
    t: Translator, words: Words, figures: Sequence[Figure], split: ChangeParts | None, age: DataAge, period: Period
) -> tuple[str, str, str]:
    """All three, in their order."""
    return (
        what_changed(t, figures, period),
        what_is_behind(t, words, figures, split, period),
        where_it_stands(t, figures, age, period),
    )
