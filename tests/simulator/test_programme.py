"""What the programme's office, the desks and the stewards do over a year, as the company tells it."""

from collections import Counter, defaultdict
from datetime import date, datetime, timedelta

import pytest

from api.simulator import company

LOCAL = timedelta(hours=8)


@pytest.fixture(scope="module")
def year():
    told = {}
    for event in company(2, 1500):
        told.setdefault((event["source"], event["id"]), event)
    return list(told.values())


def of(year, kind):
    return [event for event in year if event["type"] == kind]


def by_subject(year, aggregate):
    found = defaultdict(list)
    for event in year:
        if event["type"].startswith(f"{aggregate}."):
            found[event["subject"]].append(event)
    return found


def test_plans_go_through_their_whole_life_and_some_miss_their_goal(year):
    plans = by_subject(year, "plan")
    missed = 0
    for events in plans.values():
        kinds = Counter(event["type"].removeprefix("plan.") for event in events)
        assert kinds["drafted"] == kinds["approved"] == kinds["launched"] == kinds["evaluated"] == kinds["closed"] == 1
        assert min(kinds[kind] for kind in ("measure_added", "risk_identified", "task_completed", "milestone_set")) > 0
        cadences = {event["data"]["cadence"] for event in events if event["type"] == "plan.progress_reviewed"}
        assert cadences == {"biweekly", "monthly"}
        drafted, evaluated = (
            next(event["data"] for event in events if event["type"] == f"plan.{kind}")
            for kind in ("drafted", "evaluated")
        )
        up = drafted["goal_value"] >= drafted.get("baseline_value", 0)
        achieved, goal = evaluated["achieved_value"], drafted["goal_value"]
        missed += achieved < goal if up else achieved > goal
    assert len(plans) >= 8
    assert 1 <= missed <= len(plans) // 2


def test_important_notices_go_out_on_two_channels_mostly_before_the_change(year):
    notices = {event["subject"]: event for event in of(year, "notice.issued")}
    delivered = {event["subject"]: event["time"] for event in of(year, "notice_delivery.delivered")}
    channels, in_time = defaultdict(set), Counter()
    for sent in of(year, "notice_delivery.sent"):
        notice = notices[sent["data"]["notice_id"]]
        channels[notice["subject"], sent["data"]["customer_id"]].add(sent["data"]["channel"])
        if sent["subject"] in delivered and "effective_at" in notice["data"]:
            in_time[delivered[sent["subject"]] < notice["data"]["effective_at"]] += 1
    important = {len(used) for (notice, _), used in channels.items() if notices[notice]["data"]["important"]}
    assert important == {2}
    assert {len(used) for (notice, _), used in channels.items() if not notices[notice]["data"]["important"]} == {1}
    assert 0 < in_time[False] < 0.1 * in_time[True]
    assert any("plan_id" in notice["data"] for notice in notices.values())


def test_scripts_that_answers_name_are_published_and_not_retired_yet(year):
    published = {event["subject"]: event["time"] for event in of(year, "script.published")}
    retired = {event["subject"]: event["time"] for event in of(year, "script.retired")}
    used = [event for event in of(year, "contact.answered") if "script_id" in event["data"]]
    assert used
    for answer in used:
        script = answer["data"]["script_id"]
        assert published[script] < answer["time"]
        # an answer may come days after the contact
        assert script not in retired or answer["time"] < retired[script]
    months = {event["time"][:7] for event in of(year, "script.revised")}
    assert len(months) >= 9


def test_each_week_some_contacts_of_each_channel_are_reviewed(year):
    received = {event["subject"]: event for event in of(year, "contact.received")}
    drawn = Counter()
    for event in of(year, "review.sampled"):
        contact = received[event["data"]["contact_id"]]
        monday = date.fromisoformat(f"{event['data']['week']}-1")
        day = (datetime.fromisoformat(contact["time"]) + LOCAL).date()
        assert monday - timedelta(days=7) <= day < monday + timedelta(days=7)
        assert contact["recordedat"] <= event["recordedat"]
        drawn[event["data"]["week"], contact["data"]["channel"]] += 1
    assert len({week for week, _ in drawn}) >= 51
    assert max(drawn.values()) == 2
    scored = {event["subject"] for event in of(year, "review.scored")}
    assert {event["subject"] for event in of(year, "review.rectified")} <= scored


def test_every_month_customers_are_asked_and_low_scores_get_an_action(year):
    assert len({event["time"][:7] for event in of(year, "survey.sent")}) == 12
    low = {event["subject"] for event in of(year, "survey.answered") if event["data"]["score"] < 6}
    acted = {event["subject"] for event in of(year, "survey.action_planned")}
    assert acted <= low | {event["subject"] for event in of(year, "record.voided")}
    assert len(acted) > 0.6 * len(low)
    assert {event["data"]["aspect"] for event in of(year, "survey.answered")} == {
        "overall", "communication", "online", "value_added",
    }  # fmt: skip


def test_staff_knows_the_standards_once_it_is_trained(year):
    assert min(event["time"] for event in of(year, "staff.trained")) > "2026-03"
    passed = defaultdict(list)
    for event in of(year, "staff.assessed"):
        passed[event["time"] < "2026-03"].append(event["data"]["passed"])
    assert sum(passed[True]) / len(passed[True]) + 0.1 < sum(passed[False]) / len(passed[False])


def test_duplicate_customers_have_contacts_of_their_own(year):
    merged = {event["subject"] for event in of(year, "customer.merged")}
    named = {event["data"].get("customer_id") for event in of(year, "contact.received")}
    assert merged & named
    assert of(year, "customer.unmerged")


def test_core_customers_are_contacted_more_often(year):
    tiers = {event["subject"]: event["data"]["tier"] for event in of(year, "customer.tiered")}
    contacts = Counter()
    for event in of(year, "contact.received"):
        tier = tiers.get(event["data"].get("customer_id"))
        if tier is not None and event["data"]["purpose"] in ("maintenance", "value_added"):
            contacts[tier, event["time"] >= "2026-07"] += 1
    customers = Counter(tiers.values())
    often = contacts["high", True] / customers["high"]
    assert often > 3 * contacts["base", True] / customers["base"]
    assert often > contacts["high", False] / customers["high"]
