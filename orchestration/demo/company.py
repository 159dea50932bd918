"""Generate the built-in company: files in the inbox, and its known truth beside it.

Belongs here: the order of the parts and the two public functions. Does not belong here: what the parts do.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from orchestration.demo import dirt, systems, telephony, truth
from orchestration.demo.brand import BrandSurvey
from orchestration.demo.closed_loop import ClosedLoop
from orchestration.demo.delivery import Outbox
from orchestration.demo.field_work import FieldWork
from orchestration.demo.helpdesk import HelpDesk
from orchestration.demo.outreach import Outreach
from orchestration.demo.people import Agents, Table, size, stack, take
from orchestration.demo.plan import DAY, UTC_OFFSET, Plan, plan_for
from orchestration.demo.quality import Quality
from orchestration.demo.world import World

Progress = Callable[[str, int, int], None]
SOURCES = ("zendesk", "asterisk", "surveys", "crm", "billing", "retention")


@dataclass(frozen=True)
class GeneratedCompany:
    """What was written.

    Attributes:
        plan: from which everything follows.
        until: last day delivered.
        inbox: folder with one folder a source.
        truth_path: the known truth (never read by the pipeline).
        rows: rows written by table (`source.table`), planted ones included.
        files: files written by table.
        seconds: wall time.
    """

    plan: Plan
    until: date
    inbox: Path
    truth_path: Path
    rows: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


class DemoError(RuntimeError):
    """The company cannot be generated here; the message says why and what to do."""


def yesterday() -> date:
    """Yesterday on the company's clock: the default end of the history."""
    return (datetime.now(UTC) + timedelta(seconds=UTC_OFFSET)).date() - timedelta(days=1)


def generate(
    home_inbox: Path,
    *,
    seed: int = 7,
    customers: int = 5_000,
    months: int = 15,
    end: date | None = None,
    calls: int | None = None,
    tickets: int | None = None,
    call_detail: str = "full",
    dirty: bool = True,
    replace: bool = False,
    progress: Progress | None = None,
) -> GeneratedCompany:
    """Fill `home_inbox` with the company's deliveries up to `end`, and write `<home>/demo/truth.json`.

    Args:
        home_inbox: the inbox folder of a csatlas home (`<home>/inbox`).
        seed: another seed gives another company.
        customers: customers at the start of the history.
        months: calendar months of history; the month of `end` is the last.
        end: last day delivered (default: yesterday).
        calls: about how many calls there should be in all (default: 1.5 a customer and month).
        tickets: about how many tickets there should be in all (default: 0.34 a customer and month).
        call_detail: `full` or `lean` (about four log lines a call, no agent states between calls).
        dirty: plant damaged and contradictory data, counted in the truth.
        replace: remove an earlier demo from this home first; without it an existing one is an error.
        progress: called with (what, done, of) as the months go by.

    Raises:
        DemoError: the inbox holds files already (and `replace` is not set, or they are not a demo's).
        ValueError: an argument is out of bounds.
    """
    until = end or yesterday()
    first = plan_for(until, months, seed=seed, customers=customers).start
    # The company grows by half a per cent a month, and the last month is not over.
    size_months = customers * (1 + 0.0055 * months) * ((until - first).days + 1) / 30.4
    options: dict[str, object] = {"seed": seed, "customers": customers, "call_detail": call_detail, "dirty": dirty}
    if calls is not None:
        options["calls_per_customer_month"] = calls / size_months
    if tickets is not None:
        options["tickets_per_customer_month"] = tickets / size_months
    plan = plan_for(until, months, **options)
    demo = home_inbox.parent / "demo"
    _make_room(home_inbox, demo, replace)
    return _run(plan, home_inbox, plan.day_of(until), None, progress)


def next_day(home_inbox: Path, *, progress: Progress | None = None) -> GeneratedCompany:
    """Deliver one day more to the company that `generate` made in this home.

    The new files hold exactly what a longer `generate` would have delivered on that day.

    Raises:
        DemoError: there is no demo in this home.
    """
    stored = home_inbox.parent / "demo" / "company.json"
    if not stored.is_file():
        raise DemoError(
            f"{stored} is missing: there is no built-in company in this home yet. Run `csatlas demo` first."
        )
    plan, until = Plan.load(stored)
    day = plan.day_of(until) + 1
    return _run(plan, home_inbox, day, day, progress)


def _customer_file(plan: Plan, world: World, day: int) -> pl.DataFrame:
    return dirt.with_planted_customers(plan, systems.customers_table(plan, world.customers, world.subs, day))


def _contract_file(plan: Plan, world: World, day: int) -> pl.DataFrame:
    return dirt.with_planted_subscriptions(plan, systems.subscriptions_table(plan, world.customers, world.subs, day))


def _make_room(inbox: Path, demo: Path, replace: bool) -> None:
    present = sorted(path for source in SOURCES if (inbox / source).is_dir() for path in (inbox / source).iterdir())
    if not present:
        return
    if not (demo / "company.json").is_file():
        raise DemoError(
            f"{present[0]} is already there and was not made by `csatlas demo`. "
            "Choose another CSATLAS_HOME, or move the files away."
        )
    if not replace:
        raise DemoError(
            f"{inbox} already holds a built-in company. Add a day to it with `csatlas demo --next-day`, "
            "or make it anew with `csatlas demo --replace`."
        )
    for source in SOURCES:
        shutil.rmtree(inbox / source, ignore_errors=True)
    shutil.rmtree(demo, ignore_errors=True)


def _run(plan: Plan, inbox: Path, until: int, only: int | None, progress: Progress | None) -> GeneratedCompany:
    started = time.perf_counter()
    box = Outbox(plan, inbox, until, only)
    world, agents = World(plan), Agents(plan)
    desk, outreach, brand = HelpDesk(plan), Outreach(plan), BrandSurvey(plan)
    quality, loop = Quality(plan), ClosedLoop(plan)
    surveys, billing = systems.Surveys(plan, desk, agents), systems.Billing(plan)
    record = truth.Truth(plan, inbox.parent / "demo", until)
    last = plan.month_of_day(until)
    for month in range(last + 1):
        if progress:
            progress(f"{plan.day_date(plan.month_first_day(month)):%Y-%m}", month, last + 1)
        first, nxt = plan.month_days(month)
        joined = world.advance()
        customers = world.customers
        active = world.active_customers(month)
        arrivals = telephony.arrivals_of(plan, customers, month, joined.contacts)
        queued = take(arrivals, np.flatnonzero(arrivals["fate"] == 0))
        roster = telephony.make_roster(plan, agents, month, telephony.expected_calls(plan, month, queued))
        careers = agents.careers(month)
        desk_rows = desk.month(customers, roster, month, joined.issues, joined.contacts)
        tickets: Table = desk_rows.pop("facts")  # type: ignore[assignment]
        met: Table = desk_rows.pop("met")  # type: ignore[assignment]
        work: FieldWork = desk_rows.pop("field_work")  # type: ignore[assignment]
        for table, frame in desk_rows.items():
            box.add(table, frame)  # type: ignore[arg-type]
        outreach.sessions(desk_rows["zendesk.chats"])  # type: ignore[arg-type]
        notices = outreach.month(customers, world.subs, desk, roster, month, joined.outages, joined.issues)
        box.add("zendesk.chats", notices["zendesk.chats"])
        box.stream("asterisk.cdr", notices["asterisk.cdr"])
        agent_users = desk.agent_users(careers, month)
        if agent_users.height:
            box.add("zendesk.users", agent_users)
        box.add("zendesk.organizations", desk.organizations(customers, month, joined.joined))
        if month == 0:
            box.add("zendesk.groups", desk.groups())
            box.add("crm.external_measures", systems.external_measures())
        handled, marked = _calls(plan, box, roster, customers.frame(), arrivals, joined.contacts, first, nxt)
        record.calls(marked)
        answers = surveys.month(customers, joined, handled, tickets, world.grievance, active)
        survey_truth: Table = answers.pop("truth")  # type: ignore[assignment]
        for table, frame in answers.items():
            box.add(table, frame)  # type: ignore[arg-type]
        for table, rows in brand.month(customers, month, active, world.grievance).items():
            box.add(table, rows)
        box.add("crm.customer_identifiers", systems.identifiers(plan, customers, month, joined.joined))
        box.add("crm.quality_reviews", quality.month(agents, month, handled, tickets))
        promises = systems.commitments(plan, customers, month, tickets, joined.joined)
        box.add("crm.commitments", promises)
        box.stream("asterisk.cdr", systems.outbound_records(plan, customers, promises))
        box.add("crm.operational_events", systems.operational_events(plan, month, joined.outages))
        parties, roles = systems.parties(plan, customers, month, joined.joined)
        box.add("billing.parties", parties)
        box.add("billing.account_parties", roles)
        for table, frame in billing.month(customers, world.subs, world.stopped, joined).items():
            if frame.height:
                box.add(table, frame)
        box.add("retention.offers", systems.offers(plan, customers, month, joined.offers))
        box.add("retention.care", systems.care(plan, customers, month, active))
        box.add("retention.care", notices["retention.care"])
        box.snapshot("surveys.questions", month, lambda day: systems.questions())
        box.snapshot("crm.org_units", month, lambda day: systems.org_units(plan, day))
        box.snapshot("crm.agents", month, lambda day: systems.agents_table(plan, agents, day))
        box.snapshot(
            "crm.customers",
            month,
            partial(_customer_file, plan, world),
        )
        box.snapshot(
            "crm.corrective_actions",
            month,
            lambda day: quality.with_trainings(systems.corrective_actions(plan, day), day),
        )
        box.snapshot(
            "billing.subscriptions",
            month,
            partial(_contract_file, plan, world),
        )
        record.month(world, joined, tickets, survey_truth, handled, met, work)
        if plan.dirty:
            record.planted.extend(dirt.plant(plan, box, month))
        # After the damage, so that what is damaged does not depend on it.
        said: tuple[pl.DataFrame, pl.DataFrame] = (answers["surveys.responses"], answers["surveys.answers"])  # type: ignore[assignment]
        callbacks = loop.month(customers, desk, roster, month, *said)
        for table, frame in callbacks.items():
            box.add(table, frame)
        box.flush(month, month == last)
    if plan.dirty:
        record.planted.extend(dirt.plant_files(plan, box))
        record.planted.extend(dirt.snapshot_plants(plan, box))
    record.sections, record.further_tables["outreach"] = outreach.truth(until)
    record.sections["quality"] = quality.truth(until)
    record.sections["brand"] = brand.truth(until)
    record.sections["closed_loop"], record.further_tables["closed_loop"] = loop.truth(until)
    record.write(world, agents, box, only is not None)
    plan.save(inbox.parent / "demo" / "company.json", plan.day_date(until))
    if progress:
        progress("done", last + 1, last + 1)
    return GeneratedCompany(
        plan,
        plan.day_date(until),
        inbox,
        record.path,
        dict(sorted(box.rows.items())),
        dict(sorted(box.files.items())),
        time.perf_counter() - started,
    )


def _calls(
    plan: Plan,
    box: Outbox,
    roster: telephony.Roster,
    texts: pl.DataFrame,
    arrivals: Table,
    contacts: Table,
    first: int,
    stop: int,
) -> tuple[Table, Table]:
    """Simulate the month's calls, log them, and return the answered ones that belong to a contact, and those that agents marked as nobody's.

    The whole month is simulated even when only its beginning is delivered: what is drawn from its calls (who is
    surveyed, who is reviewed) must not depend on how far the files reach.
    """
    handled: list[Table] = []
    marked: list[Table] = []
    for days in telephony.day_chunks(arrivals, first, stop):
        base, leg = telephony.simulate_days(plan, roster, arrivals, days)
        written = (
            range(days.start, min(days.stop, box.until + 1))
            if box.only is None
            else range(max(days.start, box.only - dirt.LATE_DAYS), min(days.stop, box.only + 1))
        )
        duty = take(
            roster.rows,
            np.concatenate(
                [np.arange(s.start, s.stop) for (_, day), s in roster.slices.items() if day in days]
                or [np.zeros(0, dtype=np.int64)]
            ),
        )
        if len(written):
            phones = telephony.phones_of(base, texts)
            box.stream("asterisk.queue_log", telephony.event_lines(plan, base, leg, phones, roster, days))
            box.stream("asterisk.cdr", dirt.late_records(plan, telephony.call_records(plan, base, leg, phones)))
            box.stream("crm.rosters", systems.roster_rows(plan, duty))
            box.stream("crm.agent_states", systems.state_rows(plan, duty, leg if plan.call_detail == "full" else {}))
        handled.append(_handled(plan, base, leg, contacts))
        marked.append(telephony.marked_calls(base, leg))
    return (stack(handled), stack(marked)) if handled else ({}, {})


def _handled(plan: Plan, base: Table, leg: Table, contacts: Table) -> Table:
    """Answered calls with a contact behind them: what surveys, reviews and the truth need of a call."""
    answered = np.flatnonzero((leg["outcome"] == telephony.ANSWERED) & ~leg["moved"])
    row = leg["row"][answered]
    first_wait = np.zeros(size(base), dtype=np.int64)
    np.add.at(first_wait, leg["row"], leg["wait"])
    transferred = np.zeros(size(base), dtype=bool)
    transferred[leg["row"][leg["moved"]]] = True
    keep = base["contact"][row] >= 0
    answered, row = answered[keep], row[keep]
    contact = base["contact"][row]
    end = plan.epoch + base["day"][row] * DAY + leg["at"][answered] + leg["wait"][answered] + leg["talk"][answered]
    return {
        "start": base["t"][row],
        "serial": base["serial"][row],
        "cust": base["cust"][row],
        "ticket": base["ticket"][row],
        "product": base["product"][row],
        "kind": base["kind"][row],
        "bad": contacts["bad"][contact],
        "resolved": contacts["resolved"][contact] & (contacts["ordinal"][contact] == 0),
        "wait": first_wait[row],
        "transferred": transferred[row],
        "agent": leg["agent"][answered],
        "end": end,
        "id": contacts["id"][contact],
        "day": base["day"][row],
    }
