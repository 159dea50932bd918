"""Panels that several pages have and that are more than a course or a split: the definitions of a family side by side."""

from __future__ import annotations

from dataclasses import asdict

import polars as pl
from dash import html

from dashboards.components.chart import as_table, chart_panel
from dashboards.data import queries
from dashboards.figures.slices import Slice, figure_height, slices_figure
from dashboards.pages import parts
from dashboards.pages.base import PageContext


def variants_panel(context: PageContext, family: str) -> html.Div | None:
    """What the definitions of a family say about the same facts, its default marked; None when there is one only."""
    t = context.t
    members = [metric for metric in queries.all_metrics(context.snapshot) if metric.family == family]
    if len(members) < 2:
        return None
    found, ignored = queries.family_variants(context.snapshot, family, context.filters(context.span))
    infos = {metric.name: metric for metric in members}
    same = [one for one in found if one.metric.unit == members[0].unit]
    slices = [
        Slice(
            infos[one.metric.name].label(t), one.value.value, one.value.low, one.value.high, one.value.numerator,
            one.value.denominator, one.value.n, one.value.is_small_base, one.metric.is_default,
        )
        for one in same
    ]  # fmt: skip
    title = t("part.variants")
    remark = parts.not_narrowed(t, ignored)
    texts = [remark] if remark else []
    texts.insert(0, t("contact_centre.marked", name=members[0].label(t)))
    return chart_panel(
        t,
        f"variants-{family}".replace("_", "-"),
        title,
        slices_figure(t, slices, members[0].unit, target=members[0].target),
        label=t("part.chart_label", name=title, period=t.period(context.span.start, context.span.end)),
        height=figure_height(len(slices)),
        href=parts.definition_href(context, members[0]),
        below=[
            *[html.P(text, className="remark") for text in texts],
            as_table(t, parts.slice_table(t, slices, members[0].unit, t("column.definition"), members[0].has_parts)),
        ],
        data=pl.DataFrame([asdict(one) for one in slices], infer_schema_length=None),
    )
