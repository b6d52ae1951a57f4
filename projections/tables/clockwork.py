"""Clocks (DOMAIN section 5): from a table's rows and the rule book's targets to deadlines, outcomes and elapsed time.

All clocks of a table are worked out together, one row per row and target, then set beside the table's columns. Working
time is measured by joining the calendars' segments on the day of an instant; wall time measures as itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from ledger.rulebook.calendars import offsets
from ledger.rulebook.expressions import Kind
from ledger.rulebook.model import Target
from ledger.rulebook.rules import Rules, Versioned
from projections.tables.definition import Inputs, beside, without
from projections.tables.expressions import CLOCK_COLUMNS, condition
from projections.tables.fold import how_many

DAY_US = 86_400_000_000
SHIFT_US = DAY_US * 1_000_000  # keeps the remainder positive for instants before 1970
NO_TIME = ibis.null("int64")


def local_day(instant: ir.Value, zone: str) -> ir.Value:
    """The local day an instant falls on: integers only, whole remainder, so that every engine agrees."""
    return whole_day(instant + _offset(instant, offsets(zone)))


def _offset(instant: ir.Value, segments: Sequence[tuple[int, int]]) -> ir.Value:
    """The offset from UTC, found by halving the list of changes."""
    if len(segments) == 1:
        return ibis.literal(segments[0][1], "int64")
    middle = len(segments) // 2
    return ibis.ifelse(
        instant < ibis.literal(segments[middle][0], "int64"),
        _offset(instant, segments[:middle]),
        _offset(instant, segments[middle:]),
    )


@dataclass(frozen=True)
class Clocked:
    """A table whose clocks are wanted: its rows, its key, and the targets on it.

    pauses: rows (key[0], paused_at, resumed_at); group: rows (key[0], received_at, joined_at) of what was merged into
    a row of key[0], for clocks that start at `received_at` of the first part of the key.
    """

    rows: ir.Table
    key: tuple[str, ...]
    schema: Mapping[str, Kind]
    targets: Sequence[Versioned[Target]]
    pauses: ir.Table | None = None
    group: ir.Table | None = None


def clock_columns(table: str, rules: Rules) -> dict[str, Kind]:
    """The columns that the clocks of the rules add to a table."""
    return {f"{clock}_{part}": kind for clock in rules.clocks(table) for part, kind in CLOCK_COLUMNS.items()}


def with_clocks(clocked: Clocked, inputs: Inputs) -> ir.Table:
    """The rows with the columns of all their clocks."""
    if not clocked.targets:
        return clocked.rows
    rows = inputs.stage("rows", clocked.rows)
    started = [_starts(clocked, rows, nth) for nth in range(len(clocked.targets))]
    clocks = inputs.stage("clocks", ibis.union(*started) if len(started) > 1 else started[0])
    keys = [*clocked.key, "clock"]
    if clocked.group is not None:
        own = _deadlines(clocks, clocked, keys, inputs, "own")
        clocks = inputs.stage("grouped", _join_groups(clocks, own, clocked, keys, inputs))
    judged = _judge(_deadlines(_in_force(clocks, clocked), clocked, keys, inputs, "judged"), keys)
    versions: dict[str, list[str]] = {}
    for nth, version in enumerate(clocked.targets):
        versions.setdefault(version.part.name, []).append(_clock(nth, version.part))
    wide = judged.group_by(list(clocked.key)).agg(
        **{
            f"{name}_{part}": judged[part].max(where=judged.clock.isin(clocks_of))
            for name, clocks_of in versions.items()
            for part in CLOCK_COLUMNS
        }
    )
    return beside(inputs, "wide", rows, wide, clocked.key)


def _clock(nth: int, target: Target) -> str:
    """What one version of a target is called while its clocks are worked out."""
    return f"{target.name}@{nth}"


def _in_force(clocks: ir.Table, clocked: Clocked) -> ir.Table:
    """Of the versions of each clock the one that is in force when it starts."""
    for nth, version in enumerate(clocked.targets):
        other = clocks.clock != _clock(nth, version.part)
        if version.spell.from_us is not None:
            clocks = clocks.filter(other | (clocks.started_at >= version.spell.from_us))
        if version.spell.until_us is not None:
            clocks = clocks.filter(other | (clocks.started_at < version.spell.until_us))
    return clocks


def _starts(clocked: Clocked, rows: ir.Table, nth: int) -> ir.Table:
    """The started clocks of one version of a target: start, stop, limit, deadline given, what drops it; `limited` where
    it has a limit at all: without one it is only measured."""
    version = clocked.targets[nth]
    target = version.part
    calendar = target.clock if version.calendar is None else version.calendar.name
    limit, days = NO_TIME, NO_TIME
    for each in reversed(target.limits):
        us, working = ibis.literal(each.within.us, "int64"), ibis.literal(each.within.working_days, "int64")
        if each.when is None:
            limit, days = us, working
        else:
            holds = condition(each.when, rows, clocked.schema)
            limit, days = ibis.ifelse(holds, us, limit), ibis.ifelse(holds, working, days)
    dropped = [rows[name] for name in target.dropped_by]
    dropped_at = ibis.least(*dropped) if len(dropped) > 1 else (dropped[0] if dropped else NO_TIME)
    dropped_as = (
        ibis.cases(
            *((rows[name] == dropped_at, ibis.literal(name.removesuffix("_at"))) for name in target.dropped_by),
            else_=ibis.null("string"),
        )
        if dropped
        else ibis.null("string")
    )
    found = rows.select(
        *clocked.key,
        clock=ibis.literal(_clock(nth, target)),
        calendar=ibis.literal(calendar),
        pausable=ibis.literal(target.pauses),
        grouped=ibis.literal(target.start == "received_at"),
        started_at=rows[target.start],
        limit_us=limit,
        limit_days=days,
        given=rows[target.deadline] if target.deadline else NO_TIME,
        to_at=rows[target.stop],
        dropped_at=dropped_at,
        dropped_as=dropped_as,
    )
    found = found.filter(found.started_at.notnull())
    return found.mutate(limited=found.given.notnull() if target.deadline else found.limit_us.notnull())


def _calendars(clocked: Clocked) -> dict[str, str]:
    """The calendars that clocks run on, and their time zones."""
    calendars = [version.calendar for version in clocked.targets if version.calendar is not None]
    return {calendar.name: calendar.time_zone for calendar in calendars}


def whole_day(amount: ir.Value) -> ir.Value:
    """An instant or a duration less what goes beyond its last whole day: what segments of a calendar are found by."""
    return amount - (amount + SHIFT_US) % DAY_US


def _measured(rows: ir.Table, clocked: Clocked, inputs: Inputs, **columns: str) -> ir.Table:
    """Add, for each `name=column`, how much time the row's calendar has measured by that instant."""
    zones = _calendars(clocked)
    if not zones:
        return rows.mutate(**{name: rows[column] for name, column in columns.items()})
    for name, column in columns.items():
        rows = rows.mutate(on_day=whole_day(rows[column]))
        found = inputs.segments().select(
            s_cal="calendar",
            s_day="utc_day",
            s_begins="begins_at",
            s_ends="ends_at",
            s_opens="opens_at",
            s_closes="closes_at",
            s_before="before_us",
        )
        rows = rows.left_join(
            found,
            [
                rows.calendar == found.s_cal,
                rows.on_day == found.s_day,
                rows[column] >= found.s_begins,
                rows[column] < found.s_ends,
            ],
        )
        inside = ibis.greatest(rows.s_opens, ibis.least(rows[column], rows.s_closes)) - rows.s_opens
        rows = rows.mutate(**{name: ibis.ifelse(rows.calendar == "wall", rows[column], rows.s_before + inside)})
        rows = without(rows, "on_day", "s_cal", "s_day", "s_begins", "s_ends", "s_opens", "s_closes", "s_before")
    return rows


def _deadlines(clocks: ir.Table, clocked: Clocked, keys: list[str], inputs: Inputs, stage: str) -> ir.Table:
    """Add deadline, standing (paused and not resumed), elapsed_us, and what ends the clock: ended_at, dropped.

    Outside the years that its calendar is worked out for, a clock has no deadline and no elapsed time.
    """
    stopped = ibis.ifelse(clocks.to_at < clocks.started_at, clocks.started_at, clocks.to_at)
    clocks = clocks.mutate(until_at=stopped)
    clocks = _measured(clocks, clocked, inputs, start_us="started_at", until_us="until_at")
    if clocked.pauses is not None and any(version.part.pauses for version in clocked.targets):
        clocks = _pauses(inputs.stage(f"{stage}_measured", clocks), clocked, keys, inputs, stage)
    else:
        clocks = clocks.mutate(
            shift_us=ibis.literal(0, "int64"), inside_us=ibis.literal(0, "int64"), standing=ibis.literal(False)
        )
    due = clocks.start_us + clocks.limit_us + clocks.shift_us
    clocks = clocks.mutate(due_us=ibis.ifelse(clocks.limit_days > 0, NO_TIME, due))
    clocks = _invert(clocks, clocked, inputs)
    deadline = ibis.coalesce(clocks.given, clocks.due_at)
    spent = clocks.until_us - clocks.start_us - clocks.inside_us
    clocks = clocks.mutate(
        deadline=ibis.ifelse(clocks.standing, NO_TIME, deadline),
        # the larger of the two, but nothing where there is nothing: GREATEST passes NULL over
        elapsed_us=ibis.ifelse(spent < 0, ibis.literal(0, "int64"), spent),
    )
    ended = _least(clocks.to_at, clocks.deadline)
    dropped = clocks.dropped_at.notnull() & (ended.isnull() | (clocks.dropped_at < ended))
    return clocks.mutate(dropped=dropped, ended_at=ibis.ifelse(dropped, clocks.dropped_at, ended))


def _pauses(clocks: ir.Table, clocked: Clocked, keys: list[str], inputs: Inputs, stage: str) -> ir.Table:
    """Add shift_us (time that counted pauses put the deadline off by), inside_us (paused time between start and
    stop) and standing (a counted pause has not ended). A pause counts when it begins before the limit is used up; where
    it ends after all that the calendar is worked out for, nobody knows by how much it puts the deadline off."""
    assert clocked.pauses is not None
    subject = clocked.key[0]
    pauses = clocked.pauses.select(paused=subject, pause_id="pause_id", paused_at="paused_at", resumed_at="resumed_at")
    each = clocks.filter(clocks.pausable).join(pauses, clocks[subject] == pauses.paused)
    each = each.mutate(
        from_at=ibis.greatest(each.paused_at, each.started_at),
        back_at=ibis.ifelse(
            each.resumed_at.isnull(), NO_TIME, ibis.greatest(each.resumed_at, each.paused_at, each.started_at)
        ),
    )
    each = each.mutate(
        within_from=ibis.least(each.from_at, each.until_at),
        within_back=ibis.least(ibis.coalesce(each.back_at, each.until_at), each.until_at),
    )
    each = _measured(
        each, clocked, inputs, from_us="from_at", back_us="back_at", in_from="within_from", in_back="within_back"
    )
    lost = each.back_at.notnull() & each.from_us.notnull() & each.back_us.isnull()
    each = each.mutate(length=ibis.coalesce(each.back_us - each.from_us, ibis.literal(0, "int64")), lost=lost)
    before = each.length.sum().over(
        ibis.window(group_by=keys, order_by=[each.from_at, each.pause_id], preceding=(None, 1))
    )
    each = each.mutate(before=ibis.coalesce(before, ibis.literal(0, "int64")))
    each = each.mutate(counts=(each.from_us - each.start_us - each.before) < each.limit_us)
    summed = each.group_by(keys).agg(
        shift_us=each.length.sum(where=each.counts),
        inside_us=(each.in_back - each.in_from).sum(where=each.until_at.notnull()),
        standing=how_many(each.counts & each.back_at.isnull()) > 0,
        lost=how_many(each.counts & each.lost) > 0,
    )
    joined = beside(inputs, f"{stage}_paused", clocks, summed, keys)
    return joined.mutate(
        shift_us=ibis.ifelse(joined.lost.fill_null(False), NO_TIME, ibis.coalesce(joined.shift_us, 0)),
        inside_us=ibis.coalesce(joined.inside_us, 0),
        standing=ibis.coalesce(joined.standing, False),
    )


def _invert(clocks: ir.Table, clocked: Clocked, inputs: Inputs) -> ir.Table:
    """Add due_at: the earliest instant by which the calendar has measured due_us, or the end of the n-th working
    day."""
    zones = _calendars(clocked)
    if not zones:
        return clocks.mutate(due_at=clocks.due_us)
    limits = [
        each.within for version in clocked.targets if version.part.clock != "wall" for each in version.part.limits
    ]
    due = ibis.ifelse(clocks.calendar == "wall", clocks.due_us, NO_TIME)
    if any(limit.us for limit in limits):
        work = inputs.segments().select(
            w_cal="calendar", w_day="work_day", w_opens="opens_at", w_closes="closes_at", w_before="before_us"
        )
        # the segment in which the last microsecond of the work lies
        clocks = clocks.mutate(last_day=whole_day(clocks.due_us - 1))
        clocks = clocks.left_join(
            work,
            [
                clocks.calendar == work.w_cal,
                clocks.last_day == work.w_day,
                clocks.due_us > work.w_before,
                clocks.due_us <= work.w_before + work.w_closes - work.w_opens,
            ],
        )
        due = ibis.coalesce(
            ibis.ifelse(clocks.calendar == "wall", clocks.due_us, NO_TIME),
            clocks.w_opens + clocks.due_us - clocks.w_before,
        )
    if any(limit.working_days for limit in limits):
        # working days are those of a calendar in its book's own zone
        start_day = ibis.cases(
            *((clocks.calendar == name, local_day(clocks.started_at, zone)) for name, zone in sorted(zones.items())),
            else_=NO_TIME,
        )
        clocks = clocks.mutate(kept=due, start_day=start_day)
        days = inputs.days()
        first = days.select(f_cal="calendar", f_day="day", f_ordinal="ordinal")
        clocks = clocks.left_join(first, [clocks.calendar == first.f_cal, clocks.start_day == first.f_day])
        clocks = clocks.mutate(wanted=clocks.f_ordinal + clocks.limit_days)
        ends = days.filter(days.working).select(e_cal="calendar", e_ordinal="ordinal", e_ends="ends_at")
        clocks = clocks.left_join(
            ends, [clocks.calendar == ends.e_cal, clocks.wanted == ends.e_ordinal, clocks.limit_days > 0]
        )
        due = ibis.coalesce(clocks.kept, clocks.e_ends - 1)
    return clocks.mutate(due_at=due)


UNKNOWN = "unknown"
"""The outcome of a clock whose deadline its calendar cannot tell."""


def _judge(clocks: ir.Table, keys: list[str]) -> ir.Table:
    """The verdict: keys and CLOCK_COLUMNS. Where there is no limit, only the stop and what had elapsed by then."""
    no_text = ibis.null("string")
    verdict = ibis.ifelse(
        clocks.deadline.isnull() | (clocks.to_at <= clocks.deadline), ibis.literal("met"), ibis.literal("missed")
    )
    outcome = ibis.cases(
        (clocks.dropped, clocks.dropped_as),
        (clocks.deadline.isnull() & ~clocks.standing, ibis.literal(UNKNOWN)),
        (clocks.to_at.notnull(), verdict),
        else_=no_text,
    )
    measured = clocks.limited | ~clocks.dropped
    return clocks.select(
        *keys,
        started_at=ibis.ifelse(clocks.limited, clocks.started_at, NO_TIME),
        deadline="deadline",
        stopped_at=ibis.ifelse(measured, clocks.to_at, NO_TIME),
        ended_at=ibis.ifelse(clocks.limited, clocks.ended_at, NO_TIME),
        outcome=ibis.ifelse(clocks.limited, outcome, no_text),
        elapsed_us=ibis.ifelse(measured & clocks.to_at.notnull(), clocks.elapsed_us, NO_TIME),
    )


def _least(a: ir.Value, b: ir.Value) -> ir.Value:
    """The smaller of two, NULL counting as never: LEAST treats NULL differently from engine to engine."""
    return ibis.cases((a.isnull(), b), (b.isnull(), a), (a <= b, a), else_=b)


def _join_groups(clocks: ir.Table, own: ir.Table, clocked: Clocked, keys: list[str], inputs: Inputs) -> ir.Table:
    """A survivor takes the earliest arrival of what was merged into it while its own clock was running."""
    assert clocked.group is not None
    subject, part = clocked.key
    members = clocked.group.select(survivor=subject, member_received_at="received_at", member_joined_at="joined_at")
    running = own.select(*keys, own_ended_at="ended_at")
    running = running.filter(running[part] == 1)
    taken = running.join(members, running[subject] == members.survivor)
    taken = taken.filter(taken.own_ended_at.isnull() | (taken.member_joined_at < taken.own_ended_at))
    earliest = taken.group_by(keys).agg(group_at=taken.member_received_at.min())
    joined = beside(inputs, "earliest", clocks, earliest, keys)
    earlier = joined.grouped & joined.group_at.notnull() & (joined.group_at < joined.started_at)
    return without(joined.mutate(started_at=ibis.ifelse(earlier, joined.group_at, joined.started_at)), "group_at")
