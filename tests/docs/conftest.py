"""Where the documentation stands, and the script that writes its reference pages."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's directory."""
    return ROOT


@pytest.fixture(scope="session")
def generator() -> Iterator[ModuleType]:
    """docs/generate.py as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "docs")
        yield importlib.import_module("generate")


@pytest.fixture(scope="session")
def reference(generator: ModuleType) -> dict[str, str]:
    """The reference pages as they should be: file name → text."""
    pages: dict[str, str] = generator.pages()
    return pages
