"""Customers, in four tabs: loyalty, churn, tiers and money."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
from dash import html

from dashboards.components import states
from dashboards.components.chart import as_table, chart_panel, legend, plain_table
from dashboards.components.grid import Column, data_grid
from dashboards.components.section import section
from dashboards.components.values import format_value
from dashboards.data import customer_lists, queries
from dashboards.data.customers import Words
from dashboards.figures.bridge import Step, bridge_figure
from dashboards.figures.curves import Curve, curves_figure
from dashboards.figures.heat import cohort_figure
from dashboards.pages import customers_panels as panels
from dashboards.pages import parts
from dashboards.pages.base import Page, PageContext

PATH = "/customers"
CURVE_HEIGHT = 300
MOST_AT_RISK = 500
MOST_COHORTS = 24
FLOWS = (("new_fee", 1), ("reactivated_fee", 1), ("expansion_fee", 1), ("contraction_fee", -1), ("lost_fee", -1))
RUNGS = ("potential", "new", "satisfied", "retained", "loyal", "left")
QUADRANTS = ("true", "latent", "spurious", "none", "unknown")
BANDS = ("high", "medium", "low", "unknown")
AGES = ("not_due", "1-30", "31-60", "61-90", "91+")


def render(context: PageContext) -> html.Div:
    """The page with the tab that the address asks for."""
    return parts.tabbed_page(context, "customers", PATH, TABS, details=parts.period_details(context))


def _loyalty(context: PageContext) -> list[Any]:
    t = context.t
    return [
        section(
            "headline",
            t("kpi.section"),
            parts.cards(
                context,
                (
                    "true_loyalty_rate", "inertia_rate", "inertia_fee", "loyalty_known_rate", "stated_retention_rate",
                    "stayed_of_stayers_rate",
                ),
            ),
        ),
        section(
            "quadrants",
            t("customers.quadrants"),
            parts.panels(
                parts.split_panel(context, "loyalty_customers", "loyalty_quadrant", keep=QUADRANTS, as_bars=True),
                *parts.trend_panels(context, ["true_loyalty_rate"]),
                parts.split_panel(context, "inertia_customers", "held_by", as_bars=True, title=t("customers.held_by")),
                *parts.trend_panels(context, ["inertia_rate"]),
            ),
            lead=t("customers.quadrants_lead"),
        ),
        section(
            "ladder",
            t("customers.ladder"),
            parts.panels(
                parts.split_panel(context, "loyalty_ladder_share", "rung", keep=RUNGS, as_bars=True, title=t("customers.rungs")),
                parts.pair_panel(
                    context,
                    ("stated_retention_rate", "stayed_rate_180d"),
                    t("customers.stated_and_real"),
                    (t("customers.stated"), t("customers.real")),
                    "stated-and-real",
                ),
                panels.ladder_flow(context),
                panels.stated_and_stayed(context),
                panels.ladder_dwell(context),
                panels.loyalty_effects(context),
            ),
        ),
        section("inertia", t("customers.watch"), *panels.inertia_watch(context)),
    ]  # fmt: skip


def _churn(context: PageContext) -> list[Any]:
    t = context.t
    return [
        section(
            "headline",
            t("kpi.section"),
            parts.cards(
                context,
                (
                    "logo_churn", "revenue_churn", "net_revenue_retention", "gross_revenue_retention", "departures",
                    "customers_at_high_risk", "revenue_at_churn_risk", "win_back_rate",
                ),
            ),
        ),
        section(
            "rates",
            t("customers.rates"),
            parts.panels(
                *parts.trend_panels(context, ["logo_churn"]),
                parts.pair_panel(
                    context,
                    ("net_revenue_retention", "gross_revenue_retention"),
                    t("customers.retention"),
                    (t("customers.net"), t("customers.gross")),
                    "retention",
                ),
                parts.split_panel(context, "logo_churn", "customer_kind"),
                parts.split_panel(context, "logo_churn", "org_unit_id"),
                _bridge(context),
                _cohorts(context),
            ),
        ),
        section(
            "why",
            t("customers.why"),
            parts.panels(
                panels.churn_matrix(context),
                parts.split_panel(context, "departures", "end_reason", as_bars=True),
                _survival(context, "customer_kind"),
                _survival(context, "customer_tier"),
            ),
            lead=t("customers.why_lead"),
        ),
        section(
            "risk",
            t("customers.risk"),
            parts.panels(
                parts.split_panel(context, "expected_departures", "risk_band", keep=BANDS, as_bars=True),
                parts.split_panel(context, "revenue_at_churn_risk", "reason_1", as_bars=True),
            ),
            *_risk_list(context),
            lead=t("customers.risk_lead"),
        ),
        section("win-back", t("customers.win_back"), *panels.win_back(context), lead=t("customers.win_back_lead")),
    ]  # fmt: skip


def _risk_list(context: PageContext) -> list[Any]:
    """Who may leave, with the reasons of the score and what was heard from them lately."""
    t = context.t
    filters = context.filters(context.span)
    rows, total = customer_lists.risk_list(context.snapshot, filters, limit=MOST_AT_RISK)
    words = Words(context.snapshot, t)
    without = customer_lists.not_scored(context.snapshot, filters)
    notes = []
    if context.view.channels:
        notes.append(parts.not_narrowed(t, ["channel"]))
    if without:
        listed = t("part.and").join(
            f"{words('no_score_reason', row['reason'])} {t.integer(row['customers'])}" for row in without
        )
        notes.append(t("customers.not_scored", reasons=listed))
    remarks = [html.P(note, className="remark") for note in notes if note]
    heading = html.H3(t("customers.risk_list"), className="list-head")
    if not rows:
        return [heading, states.empty(t, t("customers.nobody_scored")), *remarks]
    shown = [
        {
            "customer": row["customer_key"],
            "band": words("risk_band", row["risk_band"]),
            "probability": row["churn_probability"] * 100,
            "fee": row["monthly_fee"],
            "value": row["value_at_risk"],
            "reasons": t("part.and").join(words("risk_reason", row[name]) for name in ("reason_1", "reason_2", "reason_3") if row[name]),
            "signals": t("part.and").join(words("signal", signal) for signal in row["signals"] or ()),
            "unit": words("org_unit_id", row["org_unit_id"]),
            "kind": words("customer_kind", row["customer_kind"]),
            "product": words("product_line", row["product_line"]),
        }
        for row in rows
    ]  # fmt: skip
    columns = [
        Column("customer", t("customers.customer"), "customer", width=150),
        Column("band", t("customers.band"), width=120),
        Column("probability", t("customers.probability"), "number", width=165),
        Column("fee", t("customers.fee"), "number", width=160),
        Column("value", t("customers.at_stake"), "number", width=165),
        Column("reasons", t("customers.reasons"), "long", width=320, wraps=True),
        Column("signals", t("customers.signals", days=str(customer_lists.WARNING_DAYS)), "long", width=220, wraps=True),
        Column("unit", t("filter.unit"), width=160, wraps=True),
        Column("kind", t("filter.kind"), width=110),
        Column("product", t("filter.product"), width=110),
    ]
    note = t(
        "customers.risk_shown", shown=t.integer(len(rows)), total=t.integer(total), day=t.date(rows[0]["scored_on"])
    )
    return [
        heading,
        data_grid(t, "customers-risk", columns, shown, label=t("customers.risk_list"), height_rows=12),
        html.P(note, className="lead"),
        *remarks,
    ]


def _remarks(context: PageContext) -> list[Any]:
    """What months of cohorts and money are not narrowed by."""
    view = context.view
    ignored = [name for name, chosen in (("channel", view.channels), ("product_line", view.products)) if chosen]
    text = parts.not_narrowed(context.t, ignored)
    return [html.P(text, className="remark")] if text else []


def _bridge(context: PageContext) -> html.Div:
    """From the fees at the start of the period to those at its end."""
    t = context.t
    title = t("customers.bridge")
    bridge = customer_lists.retention_bridge(context.snapshot, context.filters(context.span))
    if bridge is None:
        return parts.empty_panel(t, "bridge", title, t("customers.no_whole_month"), _remarks(context))
    amounts = bridge.amounts
    steps = [
        Step(t("customers.fee_at_start"), amounts["fee_at_start"], is_total=True),
        *(Step(t(f"customers.{name}"), sign * amounts[name]) for name, sign in FLOWS),
        Step(t("customers.fee_at_end"), amounts["fee_at_end"], is_total=True),
    ]
    start = amounts["fee_at_start"]
    kept = start - amounts["contraction_fee"] - amounts["lost_fee"]
    months = t.month(bridge.first) if bridge.months == 1 else f"{t.month(bridge.first)} – {t.month(bridge.last)}"
    remark = t("customers.bridge_months", months=months)
    if start > 0:
        remark += " " + t(
            "customers.bridge_shares",
            gross=t.percent(kept / start),
            net=t.percent((kept + amounts["expansion_fee"]) / start),
        )
    table = plain_table(
        [t("customers.step"), t("customers.amount")],
        [
            [step.label, format_value(t, step.amount, "currency") if step.is_total else t.signed(step.amount, 2)]
            for step in steps
        ],
        last_is_text=False,
    )
    return chart_panel(
        t,
        "bridge",
        title,
        bridge_figure(t, steps),
        label=t("part.chart_label", name=title, period=months),
        height=CURVE_HEIGHT,
        note=t("customers.a_month"),
        below=[html.P(remark, className="remark"), *_remarks(context), as_table(t, table)],
        data=pl.DataFrame({"step": [step.label for step in steps], "amount": [step.amount for step in steps]}),
    )


def _cohorts(context: PageContext) -> html.Div:
    """What remains of the customers who came in the same month."""
    t = context.t
    title = t("customers.cohorts")
    frame = customer_lists.cohorts(context.snapshot, context.filters(context.span), most=MOST_COHORTS)
    if not frame.height or frame["active"].null_count() == frame.height:
        return parts.empty_panel(t, "cohorts", title, t("customers.no_cohort"), _remarks(context))
    # Ages that no cohort has reached would be an empty half of the picture.
    oldest = frame.filter(pl.col("active").is_not_null())["age_months"].max()
    shown = frame.filter(pl.col("age_months") <= oldest)
    ages = [age for age in (1, 3, 6, 12) if age in shown["age_months"].to_list()]
    share = {
        (row["cohort_on"], row["age_months"]): None if row["active"] is None else row["active"] / row["joined"]
        for row in shown.filter(pl.col("joined") > 0).to_dicts()
    }
    joined = {row["cohort_on"]: row["joined"] for row in shown.to_dicts()}
    table = plain_table(
        [t("cohort.month"), t("cohort.size"), *(t("cohort.age", months=t.integer(age)) for age in ages)],
        [
            [
                t.month(month),
                t.integer(joined[month]),
                *(
                    t("cohort.not_yet") if share.get((month, age)) is None else t.percent(share[month, age])
                    for age in ages
                ),
            ]
            for month in sorted(joined)
        ],
        last_is_text=False,
    )
    return chart_panel(
        t,
        "cohorts",
        title,
        cohort_figure(t, shown),
        label=title,
        height=CURVE_HEIGHT + 60,
        below=[
            legend([("key key-censored", t("cohort.censored"))]),
            html.P(t("customers.all_cohorts"), className="remark"),
            *_remarks(context),
            as_table(t, table),
        ],
        data=shown,
    )


def _survival(context: PageContext, kind: str) -> html.Div:
    t = context.t
    rows = [row for row in queries.survival_curves(context.snapshot) if row["stratum_kind"] == kind]
    title = t("customers.survival", dimension=t(f"dimension.{kind}"))
    panel = f"survival-{kind.replace('_', '-')}"
    if not rows:
        return parts.empty_panel(t, panel, title, t("state.empty.no_rows"))
    labels = queries.value_labels(context.snapshot, kind, t.language)
    curves, cells = [], []
    for stratum in sorted({row["stratum"] for row in rows}):
        mine = [row for row in rows if row["stratum"] == stratum]
        name = parts.value_name(t, labels, stratum)
        begins = mine[0]["from_days"]
        if begins > 0:
            # Too few were observed before that age: the curve is about those who reach it, and its name says so.
            name = t("customers.survival_late", name=name, days=t.integer(begins))
        curves.append(
            Curve(
                name,
                [begins, *(row["days"] for row in mine)],
                [1.0, *(row["survival"] for row in mine)],
                [
                    f"<b>{name}</b>",
                    *(
                        f"<b>{name}</b><br>{t('customers.after', days=t.integer(row['days']))}: {t.percent(row['survival'])}"
                        f"<br>{t('customers.at_risk')}: {t.integer(row['at_risk'])}"
                        for row in mine
                    ),
                ],
                [1.0, *(row["low"] if row["low"] is not None else row["survival"] for row in mine)],
                [1.0, *(row["high"] if row["high"] is not None else row["survival"] for row in mine)],
            )
        )
        year = [row for row in mine if row["days"] <= 365]
        cells.append(
            [
                name,
                t.percent(None if begins > 0 else year[-1]["survival"] if year else 1.0),
                t.integer(mine[0]["median_days"]),
                t.integer(mine[0]["at_risk"]),
            ]
        )
    table = plain_table(
        [
            parts.heading(t(f"dimension.{kind}")),
            t("customers.after_a_year"),
            t("customers.median_days"),
            t("customers.at_risk"),
        ],
        cells,
        last_is_text=False,
    )
    return chart_panel(
        t,
        panel,
        title,
        curves_figure(curves, t("customers.days"), in_steps=True),
        label=title,
        height=CURVE_HEIGHT,
        below=[
            html.P(t("customers.all_data"), className="remark"),
            as_table(t, table),
        ],
        data=pl.DataFrame(rows, infer_schema_length=None),
    )


def _tiers(context: PageContext) -> list[Any]:
    t = context.t
    grades = queries.tier_grades(context.snapshot)
    return [
        section(
            "headline",
            t("kpi.section"),
            parts.cards(context, ("tier_customers", "tier_up_rate", "tier_down_rate", "tier_held_share", "tier_standard_attainment", "money_top_20_share")),
        ),
        section(
            "pyramid",
            t("customers.pyramid"),
            parts.panels(
                parts.split_panel(context, "tier_customers", "grade", keep=grades, as_bars=True, title=t("customers.tier_customers")),
                parts.split_panel(context, "tier_money_share", "grade", keep=grades, as_bars=True, title=t("customers.tier_money")),
                parts.split_panel(context, "tier_value_per_customer", "grade", keep=grades, as_bars=True, title=t("customers.tier_value")),
                panels.standards(context),
            ),
            lead=t("customers.pyramid_lead"),
        ),
        section("schemes", t("customers.schemes"), *panels.tier_scheme(context, PATH), lead=t("customers.schemes_lead")),
        section(
            "moves",
            t("customers.moves"),
            parts.panels(
                parts.pair_panel(
                    context,
                    ("tier_up_rate", "tier_down_rate"),
                    t("customers.up_and_down"),
                    (t("customers.up"), t("customers.down")),
                    "up-and-down",
                ),
                _lorenz(context),
            ),
        ),
    ]  # fmt: skip


def _lorenz(context: PageContext) -> html.Div:
    t = context.t
    rows = queries.lorenz_points(context.snapshot)
    title = t("customers.lorenz")
    if not rows:
        return parts.empty_panel(t, "lorenz", title, t("state.empty.no_rows"))
    # The widest population: the one that names most kinds of customers.
    widest = max({row["customer_kinds"] for row in rows}, key=lambda kinds: (kinds.count(";"), kinds))
    rows = [row for row in rows if row["customer_kinds"] == widest and row["best_first_share"] is not None]
    labels = queries.value_labels(context.snapshot, "basis", t.language)
    curves = []
    for basis in sorted({row["basis"] for row in rows}, reverse=True):
        mine = [row for row in rows if row["basis"] == basis]
        name = parts.value_name(t, labels, basis)
        curves.append(
            Curve(
                name,
                [row["customer_percent"] for row in mine],
                [row["best_first_share"] for row in mine],
                [
                    f"<b>{name}</b><br>{t('customers.best', percent=row['customer_percent'], share=t.percent(row['best_first_share']))}"
                    for row in mine
                ],
            )
        )
    table = plain_table(
        [t("customers.best_customers"), *(curve.name for curve in curves)],
        [
            [f"{percent}%", *(t.percent(dict(zip(curve.x, curve.y, strict=True)).get(percent)) for curve in curves)]
            for percent in (1, 5, 10, 20, 50, 80)
        ],
        last_is_text=False,
    )
    return chart_panel(
        t,
        "lorenz",
        title,
        curves_figure(curves, t("customers.best_customers"), diagonal=True, x_percent=True),
        label=title,
        height=CURVE_HEIGHT,
        below=[
            html.P(t("customers.as_of", month=t.month(rows[0]["evaluated_month"])), className="remark"),
            as_table(t, table),
        ],
        data=pl.DataFrame(rows, infer_schema_length=None),
    )


def _money(context: PageContext) -> list[Any]:
    t = context.t
    return [
        section(
            "headline",
            t("kpi.section"),
            parts.cards(
                context,
                (
                    "billed_amount", "arrears_amount", "arrears_share", "arrears_accounts", "arrears_cure_rate",
                    "lifetime_value_per_customer", "money_gini", "bill_shock_rate",
                ),
            ),
        ),
        section(
            "arrears",
            t("customers.arrears"),
            parts.panels(
                *parts.trend_panels(context, ["arrears_amount", "arrears_share"]),
                parts.split_panel(context, "arrears_amount", "bucket", keep=AGES[1:], as_bars=True, title=t("customers.buckets")),
                parts.split_panel(context, "arrears_share", "customer_kind"),
                parts.split_panel(context, "arrears_roll_rate", "bucket", keep=AGES, as_bars=True, title=t("customers.roll_rate")),
                *parts.trend_panels(context, ["arrears_recovery_rate"]),
            ),
        ),
        section(
            "value",
            t("customers.value"),
            parts.panels(
                *parts.trend_panels(context, ["billed_amount"]),
                parts.split_panel(context, "lifetime_value_per_customer", "customer_kind", as_bars=True),
                parts.split_panel(context, "lifetime_value", "customer_kind", as_bars=True),
                parts.split_panel(context, "expected_margin_12_months", "customer_kind", as_bars=True),
            ),
            lead=t("customers.value_lead"),
        ),
    ]  # fmt: skip


TABS: dict[str, Callable[[PageContext], list[Any]]] = {
    "loyalty": _loyalty,
    "churn": _churn,
    "tiers": _tiers,
    "money": _money,
}

PAGE = Page(key="customers", path=PATH, render=render)
