"""What makes answers good: scripts kept up to date, staff trained and assessed, contacts reviewed every week."""

from __future__ import annotations

from api.simulator.rhythm import DAY, HOUR, MINUTE, office_time, week_of
from api.simulator.teller import Data, Subject
from api.simulator.words import COURSES, SCRIPTS, WORDINGS, sentence
from api.simulator.world import World

FIRST_SCRIPTS = 12
SAMPLED = 2
"""How many contacts of each channel are reviewed every week."""
# Days of the programme on which the staff is assessed, and trained before it is assessed again.
DIAGNOSED = 9
TRAINED = (64, 100, 152, 240, 320)


def publish_scripts(world: World, at: int) -> None:
    """The scripts the company has before the ledger, told on its first day."""
    for _ in range(FIRST_SCRIPTS):
        _publish(world, at - int((30 + world.random.random() * 400) * DAY), after=at)


def _publish(world: World, at: int, *, after: int = 0) -> None:
    script = world.subject("script", "S")
    data = {"title": SCRIPTS[len(world.scripts) % len(SCRIPTS)], "wording": sentence(world.random, WORDINGS)}
    world.teller.tell("published", script, at, data, opens=True, after=after, actor="editor-1")
    world.scripts.append(script)


def revise_scripts(world: World, at: int) -> None:
    """Once a month what customers made of the scripts is read: some are revised, one is replaced now and then."""
    random, teller = world.random, world.teller
    share = world.programme.level(at, 0.1, 0.4)
    for script in list(world.scripts):
        if random.random() < share or teller.rare("script revised", 0.02):
            moment = office_time(random, at + int(random.random() * 20 * DAY))
            teller.tell("revised", script, moment, {"wording": sentence(random, WORDINGS)}, actor="editor-1")
    if len(world.scripts) > 1 and teller.rare("script retired", 0.4):
        script = world.scripts.pop(random.randrange(len(world.scripts)))
        teller.tell("retired", script, office_time(random, at + 21 * DAY), {}, actor="editor-1")
        _publish(world, office_time(random, at + 22 * DAY))


def train(world: World, day: int, at: int) -> None:
    """The days of the programme on which the standards are taught and asked for."""
    if day != DIAGNOSED and day not in TRAINED:
        return
    random, teller, course = world.random, world.teller, COURSES[0]
    for name in world.staff.names:
        person = Subject("staff", name)
        if day != DIAGNOSED:
            if random.random() < 0.06:  # on leave
                continue
            course = COURSES[TRAINED.index(day) % len(COURSES)]
            # the list of those who were there is typed in days later
            late = int(random.random() * 3 * DAY) if random.random() < 0.2 else 0
            trained = office_time(random, at)
            teller.tell("trained", person, trained, {"course": course}, opens=True, late=late, actor="trainer-1")
        moment = office_time(random, at, 0 if day == DIAGNOSED else 1 + random.randrange(8))
        data: Data = {"passed": world.programme.succeeds(moment, 0.58 if day == DIAGNOSED else 0.8, 0.97)}
        if random.random() < 0.9:
            data["course"] = course
        teller.tell("assessed", person, moment, data, opens=True, after=person.told, actor="trainer-1")


def review(world: World, day: int, at: int) -> None:
    """On Mondays: draw a sample of last week's contacts, channel by channel, score it, put right what failed."""
    date = world.calendar.date(day)
    if date.isoweekday() != 1:
        return
    random = world.random
    week, seed = week_of(world.calendar.date(day - 7)), int(date.strftime("%Y%m%d"))
    drawn = office_time(random, at)
    for channel in sorted(world.answered):
        known = [one for one in world.answered[channel] if one[0].opened < at and one[1] < at]
        world.answered[channel] = [one for one in world.answered[channel] if one[1] >= at]
        for place in sorted(random.sample(range(len(known)), min(SAMPLED, len(known)))):
            _score(world, known[place][0], channel, week, seed, drawn)


def _score(world: World, contact: Subject, channel: str, week: str, seed: int, at: int) -> None:
    random, teller, programme = world.random, world.teller, world.programme
    one = world.subject("review", "Q", contact.id)
    data: Data = {"contact_id": contact.id, "week": week, "seed": seed}
    if random.random() < 0.95:
        data["channel"] = channel
    teller.tell("sampled", one, at, data, opens=True, after=contact.opened)
    if teller.rare("review never scored", 0.01):
        return
    scored = office_time(random, at, random.randrange(3))
    verdict: Data = {"passed": programme.succeeds(at, 0.76, 0.945)}
    if random.random() < 0.7:
        verdict["script_fit"] = programme.succeeds(at, 0.84, 0.975)
    if random.random() < 0.95:
        verdict["content_fit"] = programme.succeeds(at, 0.78, 0.945)
    wrong = verdict["passed"] and "content_fit" in verdict and teller.rare("wrong verdict", 0.01)
    corrected = {**verdict, "content_fit": not verdict["content_fit"]} if wrong else None
    late = int(random.random() * 2 * DAY) if random.random() < 0.04 else 0
    teller.tell("scored", one, scored, verdict, late=late, actor="quality-1", corrected=corrected)
    if not verdict["passed"] and programme.succeeds(at, 0.8, 1.0):
        done = office_time(random, scored + HOUR + MINUTE, random.randrange(1, 5))
        teller.tell("rectified", one, done, {}, actor="quality-1")
