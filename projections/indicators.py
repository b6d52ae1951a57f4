"""Churn indicators: which customers look as if they were about to leave, and what shows it. Reads the live tables.

Silence is told from the last contact on. The others compare months: the months of a window with as many before it.
A spell is a run of months in which an indicator holds; an alert stands for the whole of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import Connection, sql

from ledger.rulebook.model import BASIS, Indicator, instant_us
from ledger.vocabulary import instant_text
from projections.generations import Generation
from projections.values import instant

REMEMBERED_MONTHS = 24
"""How far back a spell is followed; an alert older than that never stands for a present one."""

# who is watched: active customers, not merged away, with the survivors' ids for what they did under others
ACTIVE = sql.SQL(
    "SELECT customer_id, from_at FROM {schema}.active_spells JOIN {schema}.customers USING (customer_id) "
    "WHERE until_at IS NULL AND from_at <= {asked} AND merged_into IS NULL"
)
WHO = sql.SQL("coalesce((SELECT survivor_id FROM {schema}.customer_groups AS g WHERE g.customer_id = {of}), {of})")
LAST_CONTACTS = sql.SQL(
    "SELECT {who}, max(received_at) FROM {schema}.contacts AS told "
    "WHERE customer_id IS NOT NULL AND merged_into IS NULL AND received_at <= {asked} GROUP BY 1"
)
CONTACTS = (
    "SELECT {who}, '', received_at, 1 FROM {schema}.contacts AS told WHERE customer_id IS NOT NULL "
    "AND merged_into IS NULL AND received_at >= {since} AND received_at <= {asked}"
)
MOMENTS = {
    "contact_drop": sql.SQL(CONTACTS),
    "spend_drop": sql.SQL(
        # an order told under two numbers that were merged is one
        "SELECT who, currency, purchased_at, amount FROM (SELECT DISTINCT ON (who, order_id) * "
        " FROM (SELECT *, {who} AS who FROM {schema}.purchases AS told) AS bought "
        " ORDER BY who, order_id, purchased_at, position) AS orders "
        "WHERE purchased_at >= {since} AND purchased_at <= {asked}"
    ),
    "negative_feedback": sql.SQL(
        CONTACTS + " AND kind = 'complaint' UNION ALL "
        "SELECT {who}, '', rated_at, 1 FROM {schema}.ratings AS told WHERE score * 10 < scale * 6 "
        "AND customer_id IS NOT NULL AND rated_at >= {since} AND rated_at <= {asked}"
    ),
}
"""(customer, currency, when, how much) of what each indicator adds up; no currency but of money."""
ALERTS = sql.SQL("SELECT customer_id, indicator, max(raised_at) FROM {schema}.alerts GROUP BY customer_id, indicator")


@dataclass(frozen=True)
class Sign:
    """An indicator that holds for a customer now, in a spell no alert stands for yet.

    spell: what names it among those of the customer and indicator; evidence: the figures that show it, in words.
    """

    customer_id: str
    indicator: str
    spell: str
    evidence: str


def signs(connection: Connection[Any], generation: Generation, asked: int) -> Iterator[Sign]:
    """All signs at a moment of asking (microseconds), by indicator and customer."""
    book = generation.rules.at(asked)
    watch = _Watch(connection, generation, book.time_zone, asked)
    for indicator in book.indicators:
        yield from watch.silent(indicator) if indicator.name == "silence" else watch.changed(indicator)


class _Watch:
    def __init__(self, connection: Connection[Any], generation: Generation, zone: str, asked: int) -> None:
        self.connection = connection
        self.generation = generation
        self.asked = asked
        self.now = instant(asked).astimezone(ZoneInfo(zone))
        self.active: Mapping[str, int] = dict(self._all(ACTIVE))
        self.alerted: Mapping[tuple[str, str], int] = {
            (customer, indicator): raised_at for customer, indicator, raised_at in self._all(ALERTS)
        }

    def _all(self, query: sql.SQL, **more: sql.Composable) -> list[tuple[Any, ...]]:
        schema = sql.Identifier(self.generation.schema)
        who = WHO.format(schema=schema, of=sql.SQL("told.customer_id"))
        asked = sql.Literal(self.asked)
        return self.connection.execute(query.format(schema=schema, who=who, asked=asked, **more)).fetchall()

    def silent(self, indicator: Indicator) -> Iterator[Sign]:
        """Those whose last contact, or becoming a customer where there was none, is that many months ago."""
        cutoff = instant_us(_months_before(self.now, indicator.months))
        last = dict(self._all(LAST_CONTACTS))
        for customer, since in sorted(self.active.items()):
            heard = last.get(customer)
            at = since if heard is None else max(heard, since)
            if at > cutoff or self.alerted.get((customer, indicator.name), at) > at:
                continue
            words = "no contact yet, customer since" if heard is None else "last contact"
            evidence = f"{words} {instant_text(instant(at))}; {indicator.months} months passed"
            yield Sign(customer, indicator.name, instant_text(instant(at)), evidence)

    def changed(self, indicator: Indicator) -> Iterator[Sign]:
        """Those for whom the months of the window fell, or rose, against as many before them."""
        # a fall is seen once its months are over, a rise at once
        latest = _month(self.now) - (indicator.name != "negative_feedback")
        furthest = latest - REMEMBERED_MONTHS - 2 * indicator.months
        series: dict[tuple[str, str], dict[int, int]] = defaultdict(lambda: defaultdict(int))
        since = sql.Literal(instant_us(_first_of(furthest, self.now)))
        for customer, currency, at, amount in self._all(MOMENTS[indicator.name], since=since):
            series[customer, currency][_month(instant(at).astimezone(self.now.tzinfo))] += int(amount)
        told = set[str]()
        for (customer, currency), months in sorted(series.items()):
            if customer not in self.active or customer in told or not _holds(indicator, months, latest):
                continue
            alerted = self.alerted.get((customer, indicator.name))
            if alerted is not None and self._same_spell(indicator, months, latest, alerted):
                continue
            before, within = _compared(indicator, months, latest)
            told.add(customer)
            unit = f" {currency} (minor units)" if currency else ""
            evidence = f"{within}{unit} in {_named(latest, indicator.months)}, {before} in as many months before"
            yield Sign(customer, indicator.name, _text(latest), evidence)

    def _same_spell(self, indicator: Indicator, months: Mapping[int, int], latest: int, alerted: int) -> bool:
        """Whether the indicator has held in every month since the alert."""
        raised = _month(instant(alerted).astimezone(self.now.tzinfo)) - (indicator.name != "negative_feedback")
        if raised < latest - REMEMBERED_MONTHS:
            return False
        return all(_holds(indicator, months, month) for month in range(raised, latest + 1))


def _compared(indicator: Indicator, months: Mapping[int, int], latest: int) -> tuple[int, int]:
    """The sums of the window before, and of the window that ends with the month."""
    length = indicator.months
    within = sum(months.get(month, 0) for month in range(latest - length + 1, latest + 1))
    before = sum(months.get(month, 0) for month in range(latest - 2 * length + 1, latest - length + 1))
    return before, within


def _holds(indicator: Indicator, months: Mapping[int, int], latest: int) -> bool:
    before, within = _compared(indicator, months, latest)
    if indicator.drop is None:
        return within >= indicator.at_least and within > before
    return before >= indicator.at_least and within * BASIS <= before * (BASIS - indicator.drop)


def _month(moment: datetime) -> int:
    return moment.year * 12 + moment.month - 1


def _first_of(month: int, like: datetime) -> datetime:
    return datetime(month // 12, month % 12 + 1, 1, tzinfo=like.tzinfo)


def _months_before(moment: datetime, months: int) -> datetime:
    """The same time of day that many months earlier; the last day of the month where it has fewer."""
    month = _month(moment) - months
    following = _first_of(month + 1, moment)
    length = (following - _first_of(month, moment)).days
    return moment.replace(year=month // 12, month=month % 12 + 1, day=min(moment.day, length))


def _text(month: int) -> str:
    return f"{month // 12}-{month % 12 + 1:02}"


def _named(latest: int, length: int) -> str:
    return _text(latest) if length == 1 else f"{_text(latest - length + 1)} to {_text(latest)}"
