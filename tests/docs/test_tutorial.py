"""The tutorial does what it says: its commands are run against a real server, in order, and answer what it shows.

Blocks marked `sh` and `py` are run; a `text` block after one is what it prints, `…` standing for anything.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from api.bootstrap import running
from ledger.settings import Settings

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


def test_the_first_steps(root: Path, environment: dict[str, str]) -> None:
    blocks = BLOCK.findall((root / "docs" / "tutorial" / "first-steps.md").read_text("utf-8"))
    commands = {"sh": ["bash", "-euo", "pipefail", "-c"], "py": [sys.executable, "-c"]}
    told = ""
    for kind, text in blocks:
        if kind in commands:
            command = [*commands[kind], text]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
            assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
            told = done.stdout
        elif kind == "text":
            assert re.fullmatch(pattern(text), squeezed(told)), f"{text}\nis not what was told:\n{told}"


def pattern(shown: str) -> str:
    return r"[\s\S]*".join(re.escape(part) for part in squeezed(shown).split("…"))


def squeezed(text: str) -> str:
    """Without the spaces that only pad lines and columns."""
    return "\n".join(re.sub(r" +", " ", line).strip() for line in text.strip().splitlines())
