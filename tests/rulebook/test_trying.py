"""A book is tried before it is published: it fits the tables, and its own tests hold."""

import pytest

from ledger.log.application import Ledger
from ledger.rulebook.loading import BadRuleBook, default_book, default_text
from ledger.rulebook.rules import Rules
from projections.checking import misfits
from projections.contributions import columns_of, gate
from projections.tables import TABLES
from projections.tables.standing import STANDING
from replays.founding import found
from replays.trying import check


def changed(old: str, new: str) -> str:
    text = default_text()
    assert text.count(old) >= 1, old
    return text.replace(old, new, 1)


def line(text: str, of: str) -> int:
    return text[: text.index(of)].count("\n") + 1


def test_the_default_book_fits_the_tables_and_its_tests_hold() -> None:
    assert misfits(default_book()) == []
    assert len(default_book().tests) >= 2
    assert check(default_text()) == default_book()


def test_every_clock_of_the_default_book_is_measured_by_a_figure() -> None:
    gates = {gate(metric) for metric in default_book().metrics}
    assert {target.name for target in default_book().targets} == gates - {None}
    for metric in default_book().metrics:
        assert set(metric.by) <= columns_of(metric.table, Rules((default_book(),))).keys()
        assert metric.table in TABLES or metric.table in STANDING


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    from: rang_at", "    from: rung_at", "contact_cycles has no time 'rung_at'"),
        ("    to: answered_at", "    to: channel", "contact_cycles has no time 'channel'"),
        ("    dropped_by: [withdrawn_at]", "    dropped_by: [withdrawn]", "handoffs has no time 'withdrawn'"),
        ("    deadline: committed_due_at", "    deadline: first_due_at", "deliveries has no time 'first_due_at'"),
        ("    table: tellings\n    from", "    table: contacts\n    from", "no clock can run on 'contacts'"),
        ("when: \"channel = 'phone'\"", "when: \"chanel = 'phone'\"", "there is no column 'chanel'"),
        ("when: \"channel = 'phone'\"", 'when: "rang_at"', "boolean wanted here"),
        ("when: \"channel = 'phone'\"", 'when: "first_response.met"', "there is no column 'first_response.met'"),
        ("    table: churns", "    table: churn", "there is no table 'churn'"),
        (
            "    where: aspect = 'online' and merged_into is null",
            "    where: aspect",
            "boolean wanted here, 'aspect' is text",
        ),
        ("    numerator: alerted", "    numerator: cause", "boolean or integer wanted here"),
        ("    value: first_response.elapsed", "    value: channel", "duration or integer wanted here"),
        ("    agg_time_dimension: churned_at", "    agg_time_dimension: cause", "time or day wanted here"),
        ("    numerator: pickup.met", "    numerator: pick_up.met", "there is no column 'pick_up.met'"),
        ("    by: [indicator]", "    by: [indicators]", "alerts has no dimension 'indicators'"),
        ("    by: [indicator]", "    by: [raised_at]", "alerts has no dimension 'raised_at'"),
        (
            "dimensions: []",
            "dimensions: [{name: a, table: contacts, cases: [{when: nothing, then: b}]}]",
            "there is no column 'nothing'",
        ),
    ],
)
def test_what_does_not_fit_is_told_with_its_line(old: str, new: str, said: str) -> None:
    text = changed(old, new)
    with pytest.raises(BadRuleBook) as caught:
        check(text, "book.yaml")
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"book.yaml:{line(text, new.strip().splitlines()[0])}: ")


@pytest.mark.parametrize(
    ("example", "said"),
    [
        (
            "{given: {table: contact_cycles, direction: inbound, channel: web_chat, received_at: 2026-04-01T01:00:00Z, "
            "answered_at: 2026-04-01T01:03:00Z}, expect: {first_response.met: false}}",
            "first_response.met: is True, not False",
        ),
        (
            "{given: {table: tellings, started_at: 2026-04-29T15:30:00Z}, "
            "expect: {told_deadline: 2026-05-05T15:59:59Z}}",
            "told_deadline: is '2026-05-05T15:59:59.999999Z', not ",
        ),
        ("{given: {table: contact_cycle}, expect: {channel: x}}", "there is no table 'contact_cycle'"),
        ("{given: {}, expect: {channel: x}}", "there is no table None"),
        ("{given: {table: contacts, chanel: x}, expect: {kind: x}}", "contacts has no column chanel"),
        ("{given: {table: contacts}, expect: {chanel: x}}", "there is no column 'chanel'"),
        ("{given: {table: contacts, received_at: soon}, expect: {kind: x}}", "received_at: 'soon' is not a time"),
        ("{given: {table: contacts, received_at: 2026-04-01 09:00:00}, expect: {kind: x}}", "needs its offset"),
    ],
)
def test_a_test_that_does_not_hold_is_told(example: str, said: str) -> None:
    with pytest.raises(BadRuleBook) as caught:
        check(f"{default_text()}  - {example}\n")
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"rule book:{default_text().count(chr(10)) + 1}: tests.2")


def test_tests_that_hold_let_a_book_pass() -> None:
    check(
        f"{default_text()}"
        "  - {given: {table: tellings, started_at: 2026-04-29T15:30:00Z, informed_at: 2026-05-06T00:00:00+08:00}, "
        "expect: {told_deadline: 2026-05-05T23:59:59.999999+08:00, told.met: false, told.ended: true}}\n"
        "  - {given: {table: contact_cycles, kind: problem, complexity: complex, "
        "received_at: 2026-04-01T00:00:00Z, resolved_at: 2026-04-02T00:00:00Z}, "
        "expect: {resolution.elapsed: 86400000000, resolution.met: true, pickup.ended: false, kind: problem, "
        "'coalesce(solved, false)': false}}\n"
    )


def test_a_book_that_fails_its_tests_founds_no_ledger(ledger: Ledger) -> None:
    with pytest.raises(BadRuleBook, match=r"rule book:\d+: tests\.0\.expect\.first_response\.met: is True, not False"):
        found(ledger, changed("expect: {first_response.met: true}", "expect: {first_response.met: false}"))
    assert ledger.head().position == 0
