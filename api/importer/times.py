"""Local times as files write them, turned into UTC."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from api.importer.errors import RowRefused

Ambiguous = Literal["earlier", "later", "refuse"]
Skipped = Literal["forward", "refuse"]
ISO = "iso"


@cache
def reader(
    pattern: str, zone: str, ambiguous: Ambiguous = "earlier", skipped: Skipped = "forward"
) -> Callable[[str | datetime], str]:
    """A function from a cell (text, or the datetime of a workbook) to RFC 3339 UTC with microseconds.

    `pattern` is strptime's or `iso`; a time that states its own offset keeps it, any other is local in `zone`. In the
    hour that autumn shows twice, `ambiguous` says which one is meant; a time that spring skips is moved `forward` by
    the length of the gap (02:30 becomes 03:30) or refused. The function raises RowRefused for what is no such time.
    """
    local_zone = ZoneInfo(zone)

    @lru_cache(maxsize=1 << 16)
    def read(cell: str | datetime) -> str:
        found = cell if isinstance(cell, datetime) else _parse(cell, pattern)
        if found.tzinfo is None:
            found = _in_zone(found, local_zone, ambiguous, skipped)
        try:
            found = found.astimezone(UTC)
        except OverflowError:
            raise RowRefused(f"the time {cell} lies outside the years 1 to 9999") from None
        return found.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"

    return read


def _parse(text: str, pattern: str) -> datetime:
    try:
        return datetime.fromisoformat(text) if pattern == ISO else datetime.strptime(text, pattern)
    except ValueError:
        wanted = "an ISO 8601 time" if pattern == ISO else f"a time like {example(pattern)}"
        raise RowRefused(f"{text!r} is not {wanted}") from None


def _in_zone(local: datetime, zone: ZoneInfo, ambiguous: Ambiguous, skipped: Skipped) -> datetime:
    earlier, later = local.replace(tzinfo=zone, fold=0), local.replace(tzinfo=zone, fold=1)
    before, after = earlier.utcoffset(), later.utcoffset()
    if before == after or before is None or after is None:
        return earlier
    if after > before:
        if skipped == "refuse":
            raise RowRefused(f"{local.isoformat(' ')} does not exist in {zone.key}: the clocks were put forward")
        return earlier  # the offset before the change: what the clock that was not put forward showed
    if ambiguous == "refuse":
        raise RowRefused(f"{local.isoformat(' ')} happened twice in {zone.key}: the clocks were put back")
    return earlier if ambiguous == "earlier" else later


def example(pattern: str) -> str:
    """How a time looks in that pattern."""
    return datetime(2026, 4, 1, 13, 30).strftime(pattern)
