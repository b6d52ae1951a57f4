"""The rule books the tests run under: the default one, and one in New York with office-time clocks and holidays."""

from pathlib import Path

import ledger.rulebook
from tests.reference.book import Book

DEFAULT_TEXT = (Path(ledger.rulebook.__path__[0]) / "default.yaml").read_text(encoding="utf-8")

_RESOLUTION = "    to: resolved_at\n    pauses: true\n"
NEW_YORK_TEXT = (
    DEFAULT_TEXT.replace("Asia/Shanghai", "America/New_York")
    .replace(_RESOLUTION, _RESOLUTION + "    clock: office\n")
    .replace("within: 120 h}", "within: 27 h}")
    .replace("within: 72 h}", "within: 10 h}")
    .replace('{mon-fri: ["09:00-18:00"]}', '{mon-fri: ["09:00-18:00"], sun: ["01:00-04:00"]}')
    .replace("    holidays: [", "    workdays: [2025-03-15]\n    holidays: [2025-03-12, 2025-11-04, ")
)
"""On 2025-03-09 at 02:00 clocks go forward, on 2025-11-02 back: both Sundays have office hours across it."""


DEFAULT = Book.parse(DEFAULT_TEXT)
NEW_YORK = Book.parse(NEW_YORK_TEXT)
BOOKS = {"shanghai": (DEFAULT_TEXT, DEFAULT), "new_york": (NEW_YORK_TEXT, NEW_YORK)}
