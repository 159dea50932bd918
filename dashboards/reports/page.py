"""A report as one HTML file: styles and pictures inside, no script, no request to any host. It prints on A4 with page numbers.

Everything that comes from data is escaped. The file carries a content security policy of its own that allows nothing but its styles.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from dashboards import theme
from dashboards.i18n import Translator, translator
from dashboards.reports.blocks import Bars, Block, Cell, Course, Items, Report, Section, Sheet, Table
from dashboards.reports.charts import bar_svg, course_svg

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

SHORT_TABLE = 8
"""Tables of up to so many rows stay on one page; longer ones repeat their headings, and no row is cut."""

TIGHT = 8
"""Texts of up to so many characters are not wrapped in a table: Chinese wraps anywhere, and a short word broken in two is hard to read."""

_STYLE = """
*{box-sizing:border-box}
html{-webkit-print-color-adjust:exact;print-color-adjust:exact}
body{margin:0;background:%(ground)s;color:%(ink)s;font:14px/1.5 %(font)s}
main{max-width:860px;margin:0 auto;padding:28px 32px 40px;background:#fff}
header{border-bottom:2px solid %(accent)s;padding-bottom:12px;margin-bottom:18px}
h1{font-size:24px;line-height:1.25;margin:0 0 4px}
h2{font-size:17px;margin:30px 0 4px;padding-bottom:4px;border-bottom:1px solid %(line)s}
h3{font-size:13.5px;margin:0 0 6px}
p{margin:0}
.scope{font-size:15px}.quiet,.lead,.note{color:%(muted)s}.lead{font-size:13px;margin:2px 0 0}.note{font-size:11.5px;margin-top:4px}
.said{background:%(soft)s;border-left:4px solid %(accent)s;padding:12px 16px;margin:0 0 8px}
.said h2{border:0;margin:0 0 6px;padding:0;font-size:14px}
.said ol{margin:0;padding-left:20px}.said li{margin:4px 0}
.block{margin-top:16px}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:0 26px;align-items:start}
.pair>.block{min-width:0}
table{border-collapse:collapse;width:100%%;font-size:12.5px}
th,td{text-align:left;vertical-align:top;padding:4px 8px 4px 0;border-bottom:1px solid %(line)s;overflow-wrap:break-word}
th:last-child,td:last-child{padding-right:0}
thead th{color:%(muted)s;font-weight:600;font-size:11.5px;vertical-align:bottom;border-bottom:1px solid %(faint)s}
tbody th{font-weight:500;min-width:8.5em}.sheet tbody th,.bars tbody th{min-width:0}
.tight{white-space:nowrap}.tight .hint{white-space:normal}
.number{text-align:right;font-variant-numeric:tabular-nums}
.hint{display:block;color:%(muted)s;font-size:11px;font-weight:400}
.better{color:%(better)s;font-weight:600}.worse{color:%(worse)s;font-weight:600}.muted{color:%(muted)s}
.bars td,.bars th{border-bottom:0;padding:2px 8px 2px 0;vertical-align:middle}
.bars th{width:32%%}.bars td:last-child{white-space:nowrap;width:1%%}
svg{display:block}.course{width:100%%;height:auto}.course text{font-family:inherit}.bar{width:100%%;height:14px}
ul,ol.items{margin:0;padding-left:28px;font-size:13px}li{margin:2px 0}
.empty{color:%(muted)s;font-size:13px}
.sheets{display:grid;grid-template-columns:1fr 1fr;gap:14px 26px;margin-top:14px}
.sheet{border:1px solid %(line)s;border-radius:6px;padding:10px 12px;min-width:0}
footer{margin-top:30px;border-top:1px solid %(line)s;padding-top:8px;color:%(muted)s;font-size:11.5px}
@media (max-width:640px){main{padding:16px}.pair,.sheets{grid-template-columns:minmax(0,1fr)}.wide{overflow-x:auto}}
@page{size:A4;margin:16mm 14mm 18mm;@bottom-right{content:counter(page) " / " counter(pages);font:9pt %(font)s;color:%(muted)s}@bottom-left{content:"%(foot)s";font:9pt %(font)s;color:%(muted)s}}
@media print{
body{background:#fff;font-size:9.6pt}main{max-width:none;padding:0}
h1{font-size:17pt}h2{font-size:12.5pt;break-after:avoid}h3{break-after:avoid;font-size:10pt}
table{font-size:8.6pt}thead{display:table-header-group}thead th,.note,.hint,footer{font-size:7.8pt}
tr,thead,.sheet,.course,.said,.bars,li,.short{break-inside:avoid}.lead{break-after:avoid}.note{break-before:avoid}
.pair{break-inside:avoid}.wide{overflow:visible}
}
"""


def _style(foot: str) -> str:
    # What stands in a CSS string: no quote, backslash or markup of a name of a unit takes effect.
    safe = "".join(sign if sign.isalnum() or sign in " ·-–.,()（）年月日，" else f"\\{ord(sign):x} " for sign in foot)
    return _STYLE % {
        "ground": theme.GROUND, "ink": theme.INK, "font": theme.FONT, "accent": theme.ACCENT, "line": theme.LINE, "muted": theme.MUTED,
        "soft": theme.ACCENT_SOFT, "faint": theme.FAINT, "better": theme.BETTER, "worse": theme.WORSE, "foot": safe,
    }  # fmt: skip


def report_html(report: Report) -> str:
    """The whole file."""
    t = translator(report.language)
    named = f"{report.title} · {report.scope} · {report.period}"
    said = "".join(f"<li>{escape(sentence)}</li>" for sentence in report.sentences)
    compared = f'<p class="quiet">{escape(report.compared)}</p>' if report.compared else ""
    return (
        f'<!DOCTYPE html>\n<html lang="{t.html_language}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="referrer" content="no-referrer"><title>{escape(named)}</title><style>{_style(named)}</style></head><body><main>'
        f'<header><h1>{escape(report.title)}</h1><p class="scope">{escape(report.scope)} · {escape(report.period)}</p>{compared}</header>'
        f'<section class="said" aria-label="{escape(t("report.said"))}"><h2>{escape(t("report.said"))}</h2><ol>{said}</ol></section>'
        + "".join(_section(t, section) for section in report.sections)
        + f"<footer>{''.join(f'<p>{escape(fact)}</p>' for fact in report.facts)}</footer></main></body></html>\n"
    )


def _section(t: Translator, section: Section) -> str:
    lead = f'<p class="lead">{escape(section.lead)}</p>' if section.lead else ""
    return f"<section><h2>{escape(section.title)}</h2>{lead}{_blocks(t, section.blocks)}</section>"


def _blocks(t: Translator, blocks: Sequence[Block]) -> str:
    """Courses and bars stand in pairs, cards in a grid, the rest over the whole width."""
    out: list[str] = []
    waiting: list[str] = []
    sheets: list[str] = []

    def flush() -> None:
        while waiting:
            pair = [waiting.pop(0) for _ in range(min(2, len(waiting)))]
            out.append(f'<div class="pair">{"".join(pair)}</div>')
        if sheets:
            out.append(f'<div class="sheets">{"".join(sheets)}</div>')
            sheets.clear()

    for block in blocks:
        if isinstance(block, Course | Bars):
            if sheets:
                flush()
            waiting.append(_bars(block) if isinstance(block, Bars) else _course(block))
        elif isinstance(block, Sheet):
            if waiting:
                flush()
            sheets.append(
                f'<div class="sheet"><h3>{escape(block.title)}</h3><p class="note">{escape(block.hint)}</p>{_bare_table(block.table)}</div>'
            )
        else:
            flush()
            out.append(_items(block) if isinstance(block, Items) else _table(block))
    flush()
    return "".join(out)


def _head(title: str) -> str:
    return f"<h3>{escape(title)}</h3>" if title else ""


def _note(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>' if text else ""


def _course(course: Course) -> str:
    return f'<div class="block">{_head(course.title)}{course_svg(course)}{_note(course.note)}</div>'


def _bars(bars: Bars) -> str:
    if not bars.bars:
        return f'<div class="block">{_head(bars.title)}<p class="empty">{escape(bars.empty)}</p></div>'
    known = [value for bar in bars.bars for value in (bar.value, bar.high, bar.low) if value is not None] + (
        [bars.reference] if bars.reference is not None else []
    )
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    bottom = min(0.0, low) if bars.from_zero else low - (high - low) * 0.15
    rows = "".join(
        f'<tr><th scope="row">{escape(bar.label)}</th><td>{bar_svg(bar, bottom, high, bars.reference)}</td>'
        f'<td class="number{" muted" if bar.is_faint else ""}">{escape(bar.text)}{_hint(bar.hint)}</td></tr>'
        for bar in bars.bars
    )
    return f'<div class="block">{_head(bars.title)}<table class="bars"><tbody>{rows}</tbody></table>{_note(bars.note)}</div>'


def _hint(text: str) -> str:
    return f'<span class="hint">{escape(text)}</span>' if text else ""


def _cell(value: str | Cell) -> str:
    if isinstance(value, str):
        return escape(value)
    text = escape(value.text)
    return (f'<span class="{value.tone}">{text}</span>' if value.tone else text) + _hint(value.hint)


def _bare_table(table: Table) -> str:
    def kind(index: int, value: str | Cell | None = None) -> str:
        classes = ["number"] if index in table.numbers else []
        text = value.text if isinstance(value, Cell) else value
        if text is not None and len(text) <= TIGHT:
            classes.append("tight")
        return f' class="{" ".join(classes)}"' if classes else ""

    head = "".join(f'<th scope="col"{kind(index)}>{escape(name)}</th>' for index, name in enumerate(table.columns))
    body = "".join(
        "<tr>"
        + "".join(
            f'<th scope="row">{_cell(value)}</th>' if index == 0 else f"<td{kind(index, value)}>{_cell(value)}</td>"
            for index, value in enumerate(row)
        )
        + "</tr>"
        for row in table.rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _table(table: Table) -> str:
    content = (
        f'<div class="wide">{_bare_table(table)}</div>' if table.rows else f'<p class="empty">{escape(table.empty)}</p>'
    )
    kind = "block short" if len(table.rows) <= SHORT_TABLE else "block"
    return f'<div class="{kind}">{_head(table.title)}{content}{_note(table.note)}</div>'


def _items(items: Items) -> str:
    if not items.items:
        return f'<div class="block">{_head(items.title)}<p class="empty">{escape(items.empty)}</p></div>'
    tag = "ol" if items.is_numbered else "ul"
    listed = "".join(f"<li>{escape(item)}</li>" for item in items.items)
    return f'<div class="block">{_head(items.title)}<{tag} class="items">{listed}</{tag}></div>'
