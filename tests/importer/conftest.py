"""Small files and mappings for imports."""

import pytest

from api.sending import Direct

MAPPING = """
mapping: tickets
source: tickets
time_zone: Europe/Berlin
time_format: "%d.%m.%Y %H:%M"
values:
  channels: {Mail: email, Telefon: phone}
events:
  - type: contact.received
    subject: "{Nr}"
    id: "{Nr}/received"
    time: Eingang
    data:
      channel: {column: Kanal, values: channels}
      department: support
      kind: problem
      message: "{Text}"
  - type: contact.resolved
    when: {Erledigt: {present: true}}
    subject: "{Nr}"
    id: "{Nr}/resolved"
    time: Erledigt
    data: {solved: true}
"""

ROWS = """Nr,Eingang,Kanal,Text,Erledigt
T1,01.04.2026 09:00,Mail,Geht nicht,02.04.2026 10:00
T2,01.04.2026 09:30,Telefon,"Zwei
Zeilen",
T3,01.04.2026 10:00,Brieftaube,Unbekannter Kanal,
T4,gestern,Mail,Keine Zeit,
T5,01.04.2026 11:00,Mail,Gut,01.04.2026 11:05
"""


@pytest.fixture
def tickets(tmp_path):
    """A file with three good rows and two bad ones."""
    file = tmp_path / "tickets.csv"
    file.write_text(ROWS, encoding="utf-8")
    return file


@pytest.fixture
def mapping(tmp_path):
    """The mapping of that file."""
    path = tmp_path / "tickets.yaml"
    path.write_text(MAPPING, encoding="utf-8")
    return path


@pytest.fixture
def direct(ledger):
    """The new ledger, as a destination."""
    return Direct(ledger, "importer")
