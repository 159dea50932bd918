"""Pictures of two orders: a week (days down, hours across), cohorts (months down, age across)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import plotly.graph_objects as go
import polars as pl

from dashboards import theme
from dashboards.components.values import format_part, format_value
from dashboards.i18n import Translator

# From light to dark in one hue: the order is seen without colour too.
LOW_IS_DARK = ((0.0, "#063a5b"), (0.35, "#1f79ad"), (0.7, "#8abcdc"), (1.0, "#eef5fa"))
CENSORED = "#ccd2d9"
"""Grey of cells of which nothing is known yet; the mark of the legend has it too."""
HIGH_IS_DARK = ((0.0, "#eef5fa"), (0.3, "#8abcdc"), (0.65, "#1f79ad"), (1.0, "#063a5b"))


def week_figure(t: Translator, frame: pl.DataFrame, column: str, unit: str | None, direction: str | None) -> go.Figure:
    """The chart. Cells without calls stay empty; dark is where there is more, or where it is worse.

    Args:
        frame: weekday (1 = Monday), `column` (the part of the day, `HH:MM`), value, numerator, denominator, n, is_small_base.
        unit, direction: of the metric.
    """
    rows = {(row["weekday"], row[column]): row for row in frame.to_dicts()}
    hours: Sequence[str] = sorted({hour for _, hour in rows})
    days = range(1, 8)
    scale = 100.0 if unit == "share" else 1.0
    values: list[list[float | None]] = []
    hover: list[list[str]] = []
    for day in days:
        values.append([])
        hover.append([])
        for hour in hours:
            row = rows.get((day, hour))
            value = None if row is None or row["value"] is None else row["value"] * scale
            values[-1].append(value)
            lines = [f"<b>{t(f'weekday.{day}')} {hour}</b>"]
            if row is None or row["value"] is None:
                lines.append(t("trend.no_contacts_hover"))
            else:
                lines.append(f"{t('trend.value')}: <b>{format_value(t, row['value'], unit)}</b>")
                if row["denominator"] is not None:
                    lines.append(f"{t('trend.n')}: {format_part(t, row['n'])}")
                if row["is_small_base"]:
                    lines.append(t("kpi.small_base"))
            hover[-1].append("<br>".join(lines))
    figure = go.Figure(
        go.Heatmap(
            x=list(range(len(hours))),
            y=list(days),
            z=values,
            hovertext=hover,
            hovertemplate="%{hovertext}<extra></extra>",
            hoverongaps=False,
            colorscale=[list(step) for step in (LOW_IS_DARK if direction == "up" else HIGH_IS_DARK)],
            xgap=1,
            ygap=1,
            colorbar={
                "thickness": 10,
                "outlinewidth": 0,
                "ticksuffix": "%" if unit == "share" else "",
                "tickfont": {"size": 11, "color": theme.MUTED},
                "nticks": 5,
            },
        )
    )
    figure.update_layout(template=theme.plotly_template(), dragmode=False)
    every = max(1, len(hours) // 5)
    every += every % 2  # whole hours
    figure.update_xaxes(
        tickvals=list(range(0, len(hours), every)), ticktext=list(hours[::every]), fixedrange=True, tickangle=0
    )
    figure.update_yaxes(
        tickvals=list(days),
        ticktext=[t(f"weekday.{day}") for day in days],
        autorange="reversed",
        fixedrange=True,
        showgrid=False,
    )
    return figure


def cohort_figure(t: Translator, frame: pl.DataFrame) -> go.Figure:
    """What remains of each cohort at each age; months that are not over are grey, for nothing is known of them.

    Args:
        frame: cohort_on, age_months, joined, active (null: not over yet).
    """
    months: list[date] = sorted(frame["cohort_on"].unique().to_list())
    ages: list[int] = sorted(frame["age_months"].unique().to_list())
    cells = {(row["cohort_on"], row["age_months"]): row for row in frame.to_dicts()}
    known: list[list[float | None]] = []
    unknown: list[list[int | None]] = []
    known_hover: list[list[str]] = []
    unknown_hover: list[list[str]] = []
    for month in months:
        known.append([])
        unknown.append([])
        known_hover.append([])
        unknown_hover.append([])
        for age in ages:
            row = cells.get((month, age))
            head = f"<b>{t.month(month)}</b> · {t('cohort.age', months=t.integer(age))}"
            share = None if row is None or row["active"] is None or not row["joined"] else row["active"] / row["joined"]
            known[-1].append(None if share is None else 100 * share)
            unknown[-1].append(1 if share is None and row is not None else None)
            base = "" if row is None else f"<br>{t('cohort.joined', count=t.integer(row['joined']))}"
            left = (
                ""
                if row is None
                else f"<br>{t('cohort.active', count=t.integer(row['active']))}: <b>{t.percent(share)}</b>"
            )
            known_hover[-1].append(head + base + left)
            unknown_hover[-1].append(f"{head}{base}<br>{t('cohort.censored')}")
    labels = [t.month(month) for month in months]
    shared = {"x": ages, "y": list(range(len(months))), "xgap": 1, "ygap": 1, "hoverongaps": False}
    figure = go.Figure()
    figure.add_heatmap(
        z=unknown,
        hovertext=unknown_hover,
        hovertemplate="%{hovertext}<extra></extra>",
        colorscale=[[0.0, CENSORED], [1.0, CENSORED]],
        showscale=False,
        **shared,
    )
    figure.add_heatmap(
        z=known,
        hovertext=known_hover,
        hovertemplate="%{hovertext}<extra></extra>",
        colorscale=[list(step) for step in LOW_IS_DARK],
        zmax=100,
        zmin=min((value for line in known for value in line if value is not None), default=0.0),
        colorbar={
            "thickness": 10,
            "outlinewidth": 0,
            "ticksuffix": "%",
            "tickfont": {"size": 11, "color": theme.MUTED},
            "nticks": 5,
        },
        **shared,
    )
    figure.update_layout(template=theme.plotly_template(), dragmode=False)
    every = max(1, -(-len(ages) // 8))
    figure.update_xaxes(
        tickvals=ages[::every], ticktext=[str(age) for age in ages[::every]], fixedrange=True, showgrid=False, tickangle=0,
        title={"text": t("cohort.axis"), "font": {"size": 12, "color": theme.MUTED}},
    )  # fmt: skip
    step = max(1, len(months) // 10)
    figure.update_yaxes(
        tickvals=list(range(0, len(months), step)), ticktext=labels[::step], autorange="reversed", fixedrange=True, showgrid=False
    )  # fmt: skip
    return figure
