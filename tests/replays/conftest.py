"""Small worlds and one simulated company, as the tests of the projections have them."""

from tests.projections.conftest import company, world

__all__ = ["company", "world"]
