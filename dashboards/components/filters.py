"""The filter bar: period with comparison, units, channels, products, customer kinds.

The controls exist once, in the shell; their choices come from the snapshot, their values from the URL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dash_mantine_components as dmc
from dash import html

from dashboards.i18n import Translator
from dashboards.state import COMPARISONS, PERIODS

PERIOD = "filter-period"
DAYS = "filter-days"
COMPARISON = "filter-comparison"
UNITS = "filter-units"
CHANNELS = "filter-channels"
PRODUCTS = "filter-products"
KINDS = "filter-kinds"
CLEAR = "filter-clear"
BAR = "filter-bar"
LISTS = (UNITS, CHANNELS, PRODUCTS, KINDS)


@dataclass(frozen=True)
class Choice:
    """One choice of a list filter; `depth` is its level in a tree."""

    value: str
    label: str
    depth: int = 0

    def option(self) -> dict[str, Any]:
        return {"value": self.value, "label": self.label, "depth": self.depth}


@dataclass(frozen=True)
class Choices:
    """The choices of all list filters."""

    units: Sequence[Choice] = ()
    channels: Sequence[Choice] = ()
    products: Sequence[Choice] = ()
    kinds: Sequence[Choice] = ()

    def options(self) -> tuple[list[dict[str, Any]], ...]:
        """Option lists in the order of `LISTS`."""
        return tuple(
            [choice.option() for choice in group] for group in (self.units, self.channels, self.products, self.kinds)
        )


def _list_filter(t: Translator, control: str, label: str, choices: Sequence[Choice]) -> dmc.MultiSelect:
    return dmc.MultiSelect(
        id=control,
        label=label,
        placeholder=t("filter.all"),
        data=[choice.option() for choice in choices],
        value=[],
        searchable=True,
        clearable=True,
        hidePickedOptions=False,
        nothingFoundMessage=t("filter.none_found"),
        renderOption={"function": "csatlasTreeOption"},
        clearButtonProps={"aria-label": f"{t('filter.clear_one')}: {label}"},
        comboboxProps={"withinPortal": True},
        maxDropdownHeight=320,
        size="sm",
        className="filter filter-list",
    )


def filter_bar(t: Translator, choices: Choices) -> html.Section:
    """The bar with all controls at their defaults."""
    return html.Section(
        [
            dmc.Select(
                id=PERIOD,
                label=t("filter.period"),
                data=[{"value": name, "label": t(f"period.{name}")} for name in PERIODS],
                allowDeselect=False,
                size="sm",
                className="filter",
            ),
            # In a box of its own: the picker puts one around itself, without the class that makes it two columns wide.
            html.Div(
                dmc.DatePickerInput(
                    id=DAYS,
                    label=t("filter.days"),
                    placeholder=t("filter.days_placeholder"),
                    type="range",
                    allowSingleDateInRange=True,
                    valueFormat="YYYY年M月D日" if t.language == "zh" else "D MMM YYYY",
                    numberOfColumns=1,
                    size="sm",
                    className="filter",
                ),
                className="filter-days",
            ),
            dmc.Select(
                id=COMPARISON,
                label=t("filter.comparison"),
                data=[{"value": name, "label": t(f"comparison.{name}")} for name in COMPARISONS],
                allowDeselect=False,
                size="sm",
                className="filter",
            ),
            _list_filter(t, UNITS, t("filter.unit"), choices.units),
            _list_filter(t, CHANNELS, t("filter.channel"), choices.channels),
            _list_filter(t, PRODUCTS, t("filter.product"), choices.products),
            _list_filter(t, KINDS, t("filter.kind"), choices.kinds),
            html.Button(t("filter.clear"), id=CLEAR, type="button", n_clicks=0, className="filter-clear"),
        ],
        id=BAR,
        className="filters",
        **{"aria-label": t("filter.title")},
    )
