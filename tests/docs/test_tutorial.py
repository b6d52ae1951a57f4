"""The tutorial does what it says: its commands are run against a real server, in order, and answer what it shows.

Blocks marked `sh` and `py` are run; a `text` block after one is what it prints, `…` standing for anything.
"""

from __future__ import annotations

import csv
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
import uvicorn

from api.bootstrap import running
from ledger.settings import Settings

BOSTON = Path(__file__).parents[3] / "shared" / "data" / "boston311_2015_h1.csv.gz"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def environment(settings: Settings) -> Iterator[dict[str, str]]:
    """Environment of somebody at a terminal, with a new ledger served on a free port."""
    listening = socket.create_server(("127.0.0.1", 0))
    with running(settings) as program:
        secret = program.first_key()
        assert secret is not None
        server = uvicorn.Server(uvicorn.Config(program.asgi, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "LEDGER_URL": f"http://127.0.0.1:{listening.getsockname()[1]}",
            "LEDGER_KEY": secret,
            "COLUMNS": "140",
            "LC_ALL": "C.UTF-8",
        }
        program.tail.stop()
        server.should_exit = True
        thread.join()
        program.jobs.wait()


def test_the_first_steps(root: Path, environment: dict[str, str], tmp_path: Path) -> None:
    follow(root / "docs" / "tutorial" / "first-steps.md", environment, tmp_path)


@pytest.mark.skipif(not BOSTON.is_file(), reason="the real data files are not here")
def test_a_changed_rule(root: Path, environment: dict[str, str], tmp_path: Path) -> None:
    follow(root / "docs" / "tutorial" / "change-a-rule.md", environment | {"BOSTON": str(BOSTON)}, tmp_path)
    with (tmp_path / "cases.csv").open(newline="") as file:
        cases = [case for case in csv.DictReader(file) if case["Department"] == "PWDx"]
    plan = subprocess.run(
        ["reqledger", "kpi", "resolution_in_time", "--from", "2015-01-01", "--to", "2015-12-31", "--json",
         "--where", "department=PWDx"],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    (figure,) = json.loads(plan.stdout)["figures"]
    assert (figure["numerator"], figure["denominator"]) == (sum(map(in_time, cases)), len(cases))


HOLIDAYS = {date(2015, 1, 19), date(2015, 2, 16)}


def in_time(case: dict[str, str]) -> bool:
    """Whether a case was closed by the end of its last working day, as the tutorial's books say it, counted by hand."""
    if not case["CLOSED_DT"]:
        return False
    opened, closed = (datetime.strptime(case[name], "%m/%d/%Y %I:%M:%S %p") for name in ("OPEN_DT", "CLOSED_DT"))
    third = opened.date() >= date(2015, 1, 15)
    day, left = opened.date(), 2 if third else 3
    while left:
        day += timedelta(1)
        left -= day.weekday() < 5 and not (third and day in HOLIDAYS)
    return closed.date() <= day


def follow(page: Path, environment: dict[str, str], place: Path) -> None:
    """Run a tutorial's commands in a directory, and compare what they tell."""
    blocks = BLOCK.findall(page.read_text("utf-8"))
    commands = {"sh": ["bash", "-euo", "pipefail", "-c"], "py": [sys.executable, "-c"]}
    told = ""
    for kind, text in blocks:
        if kind in commands:
            command = [*commands[kind], text]
            done = subprocess.run(
                command, env=environment, cwd=place, capture_output=True, text=True, timeout=120, check=False
            )
            assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
            told = done.stdout
        elif kind == "text":
            assert re.fullmatch(pattern(text), squeezed(told)), f"{text}\nis not what was told:\n{told}"


def pattern(shown: str) -> str:
    return r"[\s\S]*".join(re.escape(part) for part in squeezed(shown).split("…"))


def squeezed(text: str) -> str:
    """Without the spaces that only pad lines and columns."""
    return "\n".join(re.sub(r" +", " ", line).strip() for line in text.strip().splitlines())
