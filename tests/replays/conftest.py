"""Small worlds and one simulated company, as the tests of the projections have them."""

import pytest

from ledger.rulebook.loading import default_text
from projections import recipes
from projections.recipes import Recipe
from tests.projections.conftest import company, world

__all__ = ["company", "recipe", "world"]


@pytest.fixture
def recipe() -> Recipe:
    """This program's recipe under the default rule book."""
    return recipes.recipe(default_text())
