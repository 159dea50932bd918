"""What happens: month after month customers join, pay, meet trouble, get in touch, are helped or not, stay or leave.

Belongs here: the light part of the company, needed whole to know any later day. Does not belong here: single calls and
their seconds (`telephony.py`), and how a system writes things down (`systems.py`).

The months follow each other from the first, and nothing in a month depends on how far the files will reach: so a day is
the same whether it is generated with the others or later on its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtr, ndtri

from orchestration.demo import words
from orchestration.demo.people import ENTERPRISE, Customers, Table, customer_block, size, stack, take
from orchestration.demo.plan import ACTION_FACTOR, BAD_MONTH, CHURN, DAY, PRICE_IN_TARIFF, Plan

ENQUIRY, REQUEST, REPAIR, COMPLAINT, ORDER = range(5)
KINDS = ["consult", "service_request", "repair", "complaint", "order"]
VOICE, WECHAT, NATIVE, CHAT, WEB, EMAIL, HALL, LETTER, API = range(9)
CHANNELS = ["voice", "wechat", "native_messaging", "chat", "web", "email", "hall", "letter", "api"]
CHANNEL_SHARE = np.array([0.70, 0.075, 0.06, 0.055, 0.04, 0.035, 0.028, 0.002, 0.005])
NEVER = 100_000
NATURAL, MALICIOUS, COMPETITIVE, NEGLIGENT = range(4)
CHURN_TYPES = ["natural", "malicious", "competitive", "negligent"]
KIND_SHARE = np.array([0.585, 0.17, 0.10, 0.055, 0.09])
RESOLVE_FIRST = np.array([0.88, 0.82, 0.66, 0.56, 0.87])
_HOURS = np.array(
    [
        0.5,
        0.3,
        0.2,
        0.15,
        0.15,
        0.3,
        0.8,
        2.2,
        5.6,
        8.2,
        8.8,
        7.8,
        5.6,
        5.9,
        7.4,
        7.9,
        7.6,
        6.5,
        5.6,
        5.7,
        5.4,
        4.2,
        2.0,
        0.9,
    ]
)
HOUR_SHARE = _HOURS / _HOURS.sum()
ISSUES_PER_CALL = 0.725


@dataclass
class Month:
    """What happened in one calendar month."""

    number: int
    issues: Table
    contacts: Table
    outages: Table
    churn: Table
    offers: Table
    joined: tuple[int, int]
    new_subscriptions: tuple[int, int]
    active_customers: int


@dataclass
class World:
    """The company's state after the months simulated so far; `advance` adds one."""

    plan: Plan
    months_done: int = 0
    customers: Customers = field(default_factory=Customers)
    subs: Table = field(default_factory=dict)
    grievance: np.ndarray = field(default_factory=lambda: np.zeros((0, 3), dtype=np.float32))
    protected: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int16))
    stopped: np.ndarray = field(default_factory=lambda: np.full(0, -1, dtype=np.int16))
    tickets: int = 0
    _later_issues: list[Table] = field(default_factory=list)
    _later_contacts: list[Table] = field(default_factory=list)

    # -- the month --------------------------------------------------------------------------------------------------

    def advance(self) -> Month:
        month = self.months_done
        joined = self._join(month)
        new_subs = self._subscribe(month, joined)
        offers = self._offers(month)
        churn = self._churn(month)
        outages = self._outages(month)
        issues = self._issues(month, churn, outages)
        contacts = self._contacts(month, issues)
        self._remember(month, issues)
        self.months_done += 1
        active = int(self.active_customers(month).sum())
        return Month(month, issues, contacts, outages, churn, offers, joined, new_subs, active)

    def active_customers(self, month: int) -> np.ndarray:
        first, _ = self.plan.month_days(month)
        active = np.zeros(self.customers.count, dtype=bool)
        active[self.subs["cust"][self.subs["end"] >= first]] = True
        return active

    def _join(self, month: int) -> tuple[int, int]:
        first = self.customers.count
        count = (
            self.plan.customers
            if month == 0
            else int(self.plan.rng("join", month).poisson(self.plan.customers * 0.0145))
        )
        facts, frame = customer_block(self.plan, month, count, first)
        self.customers.facts = stack([self.customers.facts, facts]) if first else facts
        self.customers.texts.append(frame)
        self.grievance = np.concatenate([self.grievance, np.zeros((count, 3), dtype=np.float32)])
        self.protected = np.concatenate([self.protected, np.full(count, -1, dtype=np.int16)])
        self.stopped = np.concatenate([self.stopped, np.full(count, -1, dtype=np.int16)])
        return first, first + count

    def _subscribe(self, month: int, joined: tuple[int, int]) -> tuple[int, int]:
        """Contracts of the new customers, and further ones of those already here."""
        rng = self.plan.rng("subscribe", month)
        facts = self.customers.facts
        first_day, next_day = self.plan.month_days(month)
        cust, product = [], []
        new = np.arange(*joined)
        kind = facts["kind"][new]
        for p, share in enumerate(((0.12, 0.42, 0.85), (0.90, 0.35, 0.75), (0.46, 0.90, 0.80))):
            has = rng.random(len(new)) < np.choose(kind, share)
            cust.append(new[has])
            product.append(np.full(int(has.sum()), p))
        have = np.concatenate(cust)
        bare = np.setdiff1d(new, have)
        cust.append(bare)
        product.append(np.ones(len(bare), dtype=np.int64))
        extra = np.flatnonzero((facts["kind"][new] == ENTERPRISE) & (rng.random(len(new)) < 0.6))
        lines = rng.integers(1, 4, len(extra))
        cust.append(np.repeat(new[extra], lines))
        product.append(rng.choice([0, 1, 1, 2], int(lines.sum())))
        if month > 0:
            before = np.flatnonzero(self.active_customers(month)[: joined[0]])
            more = before[rng.random(len(before)) < 0.006]
            cust.append(more)
            product.append(rng.choice([1, 1, 2, 2, 0], len(more)))
        c: np.ndarray = np.concatenate(cust).astype(np.int64)
        what: np.ndarray = np.concatenate(product).astype(np.int8)
        order = np.argsort(c, kind="stable")
        c, what = c[order], what[order]
        n = len(c)
        since = facts["since"][c]
        start = np.where(
            since < first_day,
            np.where(
                month == 0,
                since + (rng.random(n) * np.minimum(-since, 400)).astype(np.int64),
                rng.integers(first_day, next_day, n),
            ),
            since,
        )
        tariff = np.zeros(n, dtype=np.int8)
        fee = np.zeros(n)
        for q, tariffs in enumerate(words.TARIFFS):
            rows = np.flatnonzero(what == q)
            weights = np.array([0.34, 0.3, 0.2, 0.1, 0.06][: len(tariffs)])
            if q == 2:
                weights = np.array([0.45, 0.36, 0.19, 0.0])
            # Tariffs stand from cheap to dear: the more a customer minds the price, the cheaper is his.
            rank = PRICE_IN_TARIFF * -facts["price"][c[rows]] + np.sqrt(1 - PRICE_IN_TARIFF**2) * ndtri(
                rng.random(len(rows))
            )
            choice = np.searchsorted(np.cumsum(weights) / weights.sum(), ndtr(rank)).clip(0, len(tariffs) - 1)
            if q != 1:  # the last one is for enterprises
                firm = facts["kind"][c[rows]] == ENTERPRISE
                choice = np.where(
                    firm & (rng.random(len(rows)) < 0.6),
                    len(tariffs) - 1,
                    np.minimum(choice, len(tariffs) - (2 if q == 0 else 1)),
                )
            tariff[rows] = choice
            fee[rows] = np.array([t[1] for t in tariffs])[choice]
        before_count = size(self.subs)
        new_subs: Table = {
            "cust": c,
            "product": what,
            "tariff": tariff,
            "fee": fee,
            "start": start.astype(np.int64),
            "end": np.full(n, NEVER, dtype=np.int64),
            "end_type": np.full(n, -1, dtype=np.int8),
            "end_code": np.full(n, -1, dtype=np.int8),
            "contract": rng.choice([0, 12, 24, 24, 36], n).astype(np.int16),
        }
        self.subs = stack([self.subs, new_subs]) if before_count else new_subs
        return before_count, before_count + n

    def _offers(self, month: int) -> Table:
        """Retention offers of the month: to customers near a contract's end and to the aggrieved; a fifth held out."""
        rng = self.plan.rng("offers", month)
        active = self.active_customers(month)
        chance = np.where(active, 0.018 + 0.06 * np.minimum(self.grievance.sum(axis=1), 2.0), 0.0)
        cust = np.flatnonzero(rng.random(len(chance)) < chance)
        first, nxt = self.plan.month_days(month)
        control = rng.random(len(cust)) < 0.2
        accepted = ~control & (rng.random(len(cust)) < 0.36)
        self.protected[cust[accepted]] = month + 3
        outcome = np.where(control, 3, np.where(accepted, 0, np.where(rng.random(len(cust)) < 0.55, 1, 2)))
        at = (
            self.plan.epoch
            + rng.integers(first, max(first + 1, nxt - 8), len(cust)) * DAY
            + rng.integers(9 * 3600, 19 * 3600, len(cust))
        )
        return {
            "cust": cust,
            "control": control,
            "outcome": outcome,
            "t": at,
            "answer_t": at + rng.integers(3600, 5 * DAY, len(cust)),
            "cost": np.where(control, 0.0, rng.choice([10.0, 20.0, 30.0, 50.0], len(cust))),
        }

    def _churn(self, month: int) -> Table:
        """Who leaves in this month, of which type and for which cause; the weights of the causes sum to 1."""
        plan, facts = self.plan, self.customers.facts
        rng = plan.rng("churn", month)
        first, nxt = plan.month_days(month)
        active = self.active_customers(month)
        n = self.customers.count
        settled = facts["since"] < first - 60
        sums = self.grievance.sum(axis=1)
        due = np.zeros(n, dtype=bool)
        running = self.subs["end"] >= NEVER
        term = self.subs["contract"]
        into = (first - self.subs["start"]) / 30.44
        near = running & (term > 0) & (np.abs(into - np.maximum(np.round(into / np.maximum(term, 1)), 1) * term) < 1.5)
        due[self.subs["cust"][near]] = True
        hazard = np.zeros((n, 4))
        hazard[:, NATURAL] = CHURN["natural"] * np.where(facts["kind"] == ENTERPRISE, 0.7, 1.0)
        stopping = (
            facts["bad_payer"]
            & (self.stopped < 0)
            & active
            & settled
            & (rng.random(n) < CHURN["malicious_stop_paying"] * 1.6)
        )
        self.stopped[stopping] = month
        hazard[:, MALICIOUS] = np.where(
            (self.stopped >= 0) & (month - self.stopped >= 2), CHURN["malicious_leave_after_two_months"], 0.0
        )
        hazard[:, COMPETITIVE] = (
            CHURN["competitive"]
            * np.exp(CHURN["competitive_per_price_sensitivity"] * facts["price"])
            * np.where(due, CHURN["competitive_contract_end_factor"], 1.0)
            * 0.75
        )
        hazard[:, NEGLIGENT] = CHURN["negligent_base"] + CHURN["negligent_per_grievance"] * np.minimum(sums, 6.0)
        shield = np.where(self.protected >= month, CHURN["offer_accepted_factor"], 1.0)
        hazard[:, COMPETITIVE] *= shield
        hazard[:, NEGLIGENT] *= shield
        hazard *= (active & settled)[:, None]
        total = np.minimum(hazard.sum(axis=1), 0.95)
        leavers = np.flatnonzero(rng.random(n) < total)
        shares = hazard[leavers] / hazard[leavers].sum(axis=1, keepdims=True)
        kind = (rng.random(len(leavers))[:, None] > np.cumsum(shares, axis=1)).sum(axis=1).clip(0, 3)
        end_day = rng.integers(first + 2, nxt, len(leavers))
        grief = self.grievance[leavers]
        base = np.array([[0.6, 0.3, 0.1], [0.8, 0.1, 0.1], [0.85, 0.1, 0.05], [0.15, 0.5, 0.35]])[kind]
        weight = base * 0.6 + grief * np.where(kind == NEGLIGENT, 3.0, 0.4)[:, None]
        weight /= weight.sum(axis=1, keepdims=True)
        # All contracts end with four in five; with the others only one does.
        whole = (rng.random(len(leavers)) < 0.8) | (kind == MALICIOUS)
        mark = np.full(n, -1, dtype=np.int64)
        mark[leavers] = np.arange(len(leavers))
        mine = mark[self.subs["cust"]]
        candidates = np.flatnonzero((mine >= 0) & running & (self.subs["start"] < first))
        who = mine[candidates]
        ordinal = self._ordinal(who)
        ending = candidates[whole[who] | (ordinal == 0)]
        who = mine[ending]
        self.subs["end"][ending] = end_day[who]
        self.subs["end_type"][ending] = kind[who]
        codes = np.select(
            [kind == NATURAL, kind == MALICIOUS, kind == COMPETITIVE],
            [
                rng.choice([1, 1, 1, 2], len(leavers)),
                rng.choice([6, 6, 6, 7], len(leavers)),
                rng.choice([3, 3, 4, 8], len(leavers)),
            ],
            rng.choice([5, 5, 5, 9], len(leavers)),
        )
        noise = rng.random(len(leavers))
        codes = np.where(noise < 0.12, 0, np.where(noise < 0.2, 9, codes))
        self.subs["end_code"][ending] = codes[who]
        return {
            "sub": ending,
            "cust": leavers[who],
            "day": end_day[who],
            "type": kind[who],
            "weight": weight[who],
            "whole": whole[who],
            "leaver": who,
            "hazard": hazard[leavers][who],
        }

    @staticmethod
    def _ordinal(groups: np.ndarray) -> np.ndarray:
        """0, 1, 2 … within each group."""
        order = np.argsort(groups, kind="stable")
        ordered = groups[order]
        ordinal = np.empty(len(groups), dtype=np.int64)
        ordinal[order] = np.arange(len(groups)) - np.searchsorted(ordered, ordered)
        return ordinal

    def _outages(self, month: int) -> Table:
        rng = self.plan.rng("outages", month)
        count = int(rng.poisson(7)) + 2
        first, nxt = self.plan.month_days(month)
        begin = self.plan.epoch + (rng.random(count) * (nxt - first) + first) * DAY
        length = rng.lognormal(1.4, 0.7, count) * 3600
        return {
            "t": np.sort(begin.astype(np.int64)),
            "length": length.astype(np.int64),
            "city": rng.choice(24, count, p=words.CITY_WEIGHTS / words.CITY_WEIGHTS.sum()),
            "product": rng.choice([1, 2, 2], count),
            "no": month * 100 + np.arange(count),
        }

    # -- issues -----------------------------------------------------------------------------------------------------

    def _times(self, rng: np.random.Generator, month: int, count: int) -> np.ndarray:
        first, nxt = self.plan.month_days(month)
        weights = np.array([self.plan.day_weight(day) for day in range(first, nxt)])
        day = first + rng.choice(nxt - first, count, p=weights / weights.sum())
        hour = rng.choice(24, count, p=HOUR_SHARE)
        return self.plan.epoch + day * DAY + hour * 3600 + rng.integers(0, 3600, count)

    def _issues(self, month: int, churn: Table, outages: Table) -> Table:
        plan, facts, subs = self.plan, self.customers.facts, self.subs
        rng = plan.rng("issues", month)
        first, nxt = plan.month_days(month)
        active = self.active_customers(month)
        settled = np.minimum(1.0, np.where(facts["since"] >= first, 0.5, 1.0))
        province = facts["city"] // 4
        weight = np.where(active, facts["contact"] * settled, 0.0)
        if month == plan.bad_month:
            weight = weight * np.where(province == plan.bad_province, BAD_MONTH["demand_factor"], 1.0)
        season = (1 + 0.05 * np.sin((plan.day_date(first).month - 2) / 12 * 2 * np.pi)) * (nxt - first) / 30.4
        level = (
            plan.calls_per_customer_month
            * ISSUES_PER_CALL
            * season
            * active.sum()
            / max((facts["contact"] * active).sum(), 1e-9)
        )
        count = int(rng.poisson(weight.sum() * level))
        cumulative = np.cumsum(weight)
        cust = np.searchsorted(cumulative, rng.random(count) * cumulative[-1], side="right").clip(0, len(weight) - 1)
        kind = rng.choice(5, count, p=KIND_SHARE)
        t = self._times(rng, month, count)
        parts = [self._new(rng, cust, kind, t)]
        # Trouble of an outage: customers of the place with the product get in touch while it lasts.
        for row in range(size(outages)):
            hit = np.flatnonzero(
                (subs["end"] >= first)
                & (subs["start"] < nxt)
                & (subs["product"] == outages["product"][row])
                & (facts["city"][subs["cust"]] == outages["city"][row])
            )
            hit = hit[rng.random(len(hit)) < 0.05 * plan.calls_per_customer_month]
            when = outages["t"][row] + (rng.random(len(hit)) ** 1.5 * (outages["length"][row] + 1800)).astype(np.int64)
            part = self._new(
                rng,
                subs["cust"][hit],
                np.where(rng.random(len(hit)) < 0.85, REPAIR, COMPLAINT),
                when,
                product=subs["product"][hit].astype(np.int64),
                cause=words.CAUSE_INDEX["us.network.outage"],
            )
            part["outage"][:] = outages["no"][row]
            parts.append(part)
        # What leaving customers ask before they go.
        asked = np.flatnonzero(
            (rng.random(size(churn)) < 0.5) & np.isin(churn["type"], [NATURAL, COMPETITIVE]) & churn["whole"]
        )
        if len(asked):
            part = self._new(
                rng,
                churn["cust"][asked],
                np.full(len(asked), ENQUIRY),
                plan.epoch
                + np.maximum(first, churn["day"][asked] - rng.integers(1, 14, len(asked))) * DAY
                + rng.integers(9 * 3600, 20 * 3600, len(asked)),
            )
            part["topic"] = np.where(
                churn["type"][asked] == NATURAL, words.TOPIC_INDEX["move_house"], words.TOPIC_INDEX["number_porting"]
            )
            parts.append(part)
        # The burst of one new issue.
        if first <= plan.burst_day < nxt:
            pool = np.unique(subs["cust"][(subs["end"] >= first) & (subs["product"] == 1) & (subs["start"] < first)])
            pool = pool[facts["city"][pool] // 4 == plan.burst_province]
            pool = pool[rng.random(len(pool)) < 0.11]
            days = np.minimum(rng.exponential(2.2, len(pool)).astype(np.int64), plan.burst_days - 1)
            hour = rng.choice(24, len(pool), p=HOUR_SHARE)
            part = self._new(
                rng,
                pool,
                np.full(len(pool), COMPLAINT),
                plan.epoch + (plan.burst_day + days) * DAY + hour * 3600 + rng.integers(0, 3600, len(pool)),
                product=np.ones(len(pool), dtype=np.int64),
                cause=plan.burst_cause,
            )
            part["burst"][:] = True
            parts.append(part)
        # The bad month: repairs that nobody dispatches.
        if month == plan.bad_month:
            pool = np.flatnonzero(active & (province == plan.bad_province))
            pool = pool[rng.random(len(pool)) < 0.06 * plan.calls_per_customer_month]
            when = self._times(rng, month, len(pool))
            # It begins with a shock: three in ten of them come on the first two days.
            when = np.where(
                rng.random(len(pool)) < 0.3,
                plan.epoch + (first + rng.integers(0, 2, len(pool))) * DAY + (when - plan.epoch) % DAY,
                when,
            )
            parts.append(self._new(rng, pool, np.full(len(pool), COMPLAINT), when, cause=plan.action_cause))
        later = stack(self._later_issues) if self._later_issues else None
        if later is not None:
            due = later["t"] < plan.epoch + nxt * DAY
            parts.append(take(later, np.flatnonzero(due)))
            self._later_issues = [take(later, np.flatnonzero(~due))] if (~due).any() else []
        issues = stack(parts)
        # The corrective action prevents its share of the complaints of its cause in its scope.
        in_scope = (
            np.isin(issues["city"] // 4, plan.action_provinces)
            & (issues["cause"] == plan.action_cause)
            & (issues["kind"] == COMPLAINT)
            & (issues["t"] >= plan.epoch + plan.action_day * DAY)
        )
        prevented = in_scope & (rng.random(size(issues)) > ACTION_FACTOR)
        issues = take(issues, np.flatnonzero(~prevented))
        issues = take(issues, np.argsort(issues["t"], kind="stable"))
        self._fates(rng, month, issues)
        return issues

    def _new(
        self,
        rng: np.random.Generator,
        cust: np.ndarray,
        kind: np.ndarray,
        t: np.ndarray,
        product: np.ndarray | None = None,
        cause: int | None = None,
    ) -> Table:
        """Issues with everything but their fate."""
        facts, subs = self.customers.facts, self.subs
        n = len(cust)
        if product is None:
            order = getattr(self, "_order", None)
            if order is None or len(order) != size(subs):
                order = np.argsort(subs["cust"], kind="stable")
                self._order = order
                self._sorted_cust = subs["cust"][order]
            low = np.searchsorted(self._sorted_cust, cust)
            high = np.searchsorted(self._sorted_cust, cust, side="right")
            row = order[(low + (rng.random(n) * np.maximum(high - low, 1)).astype(np.int64)).clip(0, len(order) - 1)]
            product = subs["product"][row].astype(np.int64)
        causes = np.full(n, -1, dtype=np.int64)
        topic = np.full(n, words.TOPIC_INDEX["other"], dtype=np.int64)
        if cause is not None:
            causes[:] = cause
        else:
            for p in range(3):
                rows = np.flatnonzero((product == p) & (kind == COMPLAINT))
                causes[rows] = rng.choice(len(words.CAUSES), len(rows), p=words.CAUSE_BY_PRODUCT[p])
            rows = np.flatnonzero(kind == REPAIR)
            technical = [
                words.CAUSE_INDEX[c]
                for c in ("us.network.outage", "us.network.coverage", "device.modem_fault", "device.handset")
            ]
            share = np.array([[0.3, 0.0, 0.3, 0.4], [0.15, 0.6, 0.0, 0.25], [0.32, 0.0, 0.68, 0.0]])[product[rows]]
            causes[rows] = np.array(technical)[
                (rng.random(len(rows))[:, None] > np.cumsum(share, axis=1)).sum(axis=1).clip(0, 3)
            ]
        with_cause = np.flatnonzero(causes >= 0)
        cumulative = np.cumsum(words.CAUSE_TOPIC_MATRIX, axis=1)[causes[with_cause]]
        topic[with_cause] = (
            (rng.random(len(with_cause))[:, None] > cumulative).sum(axis=1).clip(0, len(words.TOPICS) - 1)
        )
        for k, position in ((ENQUIRY, 0), (REQUEST, 1), (ORDER, 2)):
            rows = np.flatnonzero((kind == k) & (causes < 0))
            names = list(words.KIND_TOPICS[position])
            share = np.array(list(words.KIND_TOPICS[position].values()), dtype=float)
            topic[rows] = np.array([words.TOPIC_INDEX[name] for name in names])[
                rng.choice(len(names), len(rows), p=share / share.sum())
            ]
        channel = rng.choice(len(CHANNELS), n, p=CHANNEL_SHARE / CHANNEL_SHARE.sum())
        firm = (facts["kind"][cust] == ENTERPRISE) & (rng.random(n) < 0.18)
        channel = np.where(firm, EMAIL, channel)
        return {
            "cust": cust.astype(np.int64),
            "kind": kind.astype(np.int64),
            "t": t.astype(np.int64),
            "product": product,
            "cause": causes,
            "topic": topic,
            "channel": channel,
            "city": facts["city"][cust].astype(np.int64),
            "english": facts["english"][cust].astype(np.int64),
            "outage": np.full(n, -1, dtype=np.int64),
            "burst": np.zeros(n, dtype=bool),
            "second_of": np.full(n, -1, dtype=np.int64),
        }

    def _fates(self, rng: np.random.Generator, month: int, issues: Table) -> None:
        """Whether and when each issue is solved, whether it becomes a ticket, what was promised."""
        plan = self.plan
        n = size(issues)
        issues["id"] = month * 100_000_000 + np.arange(n)
        bad = (issues["city"] // 4 == plan.bad_province) & (month == plan.bad_month)
        issues["bad"] = bad
        chance = RESOLVE_FIRST[issues["kind"]] + np.where(bad, BAD_MONTH["resolved_first_contact_points"], 0.0)
        issues["first"] = rng.random(n) < chance
        extra = np.where(issues["first"], 0, rng.geometric(0.62, n))
        issues["extra"] = np.minimum(extra, 5) * (rng.random(n) < 0.88)
        issues["solved"] = issues["first"] | (rng.random(n) < np.where(bad, 0.62, 0.8))
        # Every complaint is a ticket, then come repairs, then what else fits into the number that the plan asks for
        # (a twentieth of all are twins, spam and tests).
        wanted = plan.tickets_per_customer_month / max(plan.calls_per_customer_month * ISSUES_PER_CALL, 1e-9) / 1.05
        complaint, repair = issues["kind"] == COMPLAINT, issues["kind"] == REPAIR
        keep_repair = np.clip((wanted - 0.065) / 0.115, 0.0, 1.0)
        soft = np.array([0.16, 0.62, 0.0, 0.0, 0.62])[issues["kind"]] + np.where(issues["channel"] != VOICE, 0.34, 0.0)
        keep_soft = np.clip((wanted - 0.18) / 0.37, 0.0, 2.5)
        chance = np.where(complaint, 1.0, np.where(repair, keep_repair, np.minimum(soft * keep_soft, 1.0)))
        issues["ticket_flag"] = rng.random(n) < chance
        issues["ticket"] = np.where(issues["ticket_flag"], 100_000 + self.tickets + np.cumsum(issues["ticket_flag"]), 0)
        self.tickets += int(issues["ticket_flag"].sum())
        promise = issues["ticket_flag"] & (rng.random(n) < np.array([0.04, 0.10, 0.34, 0.42, 0.10])[issues["kind"]])
        issues["promise"] = promise
        issues["kept"] = promise & (rng.random(n) < np.where(bad, 0.55, 0.86))
        repair_factor = np.where(bad, BAD_MONTH["repair_time_factor"], 1.0)
        hours = (
            np.array([3.0, 14.0, 22.0, 30.0, 12.0])[issues["kind"]]
            * repair_factor
            * np.where(issues["first"], 1.0, 2.2)
        )
        issues["solve_seconds"] = (rng.lognormal(0, 0.75, n) * hours * 3600).astype(np.int64) + 300
        # A complaint that was not really mended comes back with the same cause one to four weeks later.
        again = (
            (issues["kind"] == COMPLAINT)
            & (rng.random(n) < np.where(issues["solved"], 0.07, 0.34))
            & (issues["second_of"] < 0)
            & ~issues["burst"]
        )
        issues["mended"] = issues["solved"] & ~again
        rows = np.flatnonzero(again)
        if len(rows):
            part = {
                name: issues[name][rows].copy()
                for name in (
                    "cust",
                    "kind",
                    "product",
                    "cause",
                    "topic",
                    "channel",
                    "city",
                    "english",
                    "outage",
                    "burst",
                )
            }
            part["t"] = (
                issues["t"][rows]
                + issues["solve_seconds"][rows]
                + (rng.gamma(2.0, 5.5, len(rows)) * DAY).astype(np.int64)
                + DAY
            )
            hour = rng.choice(24, len(rows), p=HOUR_SHARE)
            part["t"] = (
                (part["t"] - plan.epoch) // DAY * DAY + plan.epoch + hour * 3600 + rng.integers(0, 3600, len(rows))
            )
            # Never in the month that is being drawn (it is sorted and numbered already): those come a month later.
            nxt = plan.epoch + plan.month_first_day(month + 1) * DAY
            part["t"] = np.where(part["t"] < nxt, part["t"] + 28 * DAY, part["t"])
            part["t"] = np.where(part["t"] < nxt, part["t"] + 3 * DAY, part["t"])
            part["second_of"] = issues["id"][rows]
            order = list(self._later_issues[0]) if self._later_issues else list(part)
            self._later_issues.append({name: part[name] for name in order})

    # -- contacts ---------------------------------------------------------------------------------------------------

    def _contacts(self, month: int, issues: Table) -> Table:
        """Every time a customer gets in touch about an issue; what falls beyond the month waits for its own."""
        plan = self.plan
        rng = plan.rng("contacts", month)
        n = size(issues)
        times = 1 + issues["extra"]
        row = np.repeat(np.arange(n), times)
        ordinal = np.arange(len(row)) - np.repeat(np.cumsum(times) - times, times)
        delay = np.where(ordinal == 0, 0, rng.lognormal(3.2, 0.8, len(row)) * 3600).astype(np.int64)
        running = np.cumsum(delay) - np.repeat(
            np.concatenate([[0], np.cumsum(np.bincount(row, delay, n))[:-1]]), times
        ).astype(np.int64)
        t = issues["t"][row] + running
        # People get in touch again at hours at which people do.
        moved = np.flatnonzero(ordinal > 0)
        hour = rng.choice(24, len(moved), p=HOUR_SHARE)
        t[moved] = np.maximum(
            (t[moved] - plan.epoch) // DAY * DAY + plan.epoch + hour * 3600 + rng.integers(0, 3600, len(moved)),
            issues["t"][row[moved]] + 1200 * ordinal[moved],
        )
        channel = np.where((ordinal > 0) & (rng.random(len(row)) < 0.55), VOICE, issues["channel"][row])
        contacts: Table = {
            name: issues[name][row]
            for name in (
                "cust",
                "kind",
                "product",
                "cause",
                "topic",
                "city",
                "english",
                "bad",
                "ticket",
                "id",
                "promise",
                "kept",
                "burst",
            )
        }
        contacts |= {
            "ordinal": ordinal,
            "t": t,
            "channel": channel,
            "last": ordinal == times[row] - 1,
            "resolved": np.where(ordinal == times[row] - 1, issues["solved"][row], False)
            & ((ordinal > 0) | issues["first"][row]),
            "first": issues["first"][row],
        }
        parts = [contacts, *self._later_contacts]
        everything = stack(parts)
        end = plan.epoch + plan.month_first_day(month + 1) * DAY
        now = everything["t"] < end
        self._later_contacts = [take(everything, np.flatnonzero(~now))]
        current = take(everything, np.flatnonzero(now))
        return take(current, np.argsort(current["t"], kind="stable"))

    def _remember(self, month: int, issues: Table) -> None:
        """Grievances fade, and bad experience adds to them: what drives neglect into leaving."""
        self.grievance *= 0.62
        complaint = issues["kind"] == COMPLAINT
        harm = np.where(issues["solved"], np.where(complaint, 0.35, 0.0), np.where(complaint, 1.5, 0.55)) + np.where(
            issues["promise"] & ~issues["kept"], 0.5, 0.0
        )
        harm = harm + np.where(issues["bad"] & complaint, 0.4, 0.0)
        cause_type = np.where(issues["cause"] >= 0, words.CAUSE_TYPE_OF[issues["cause"].clip(0)], 1)
        np.add.at(self.grievance, (issues["cust"], cause_type), harm.astype(np.float32))
