"""One Spark session for all tests of a run: it takes long to begin. Without the extra there are no such tests."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.projections.conftest import company

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["company", "spark"]

HERE = Path(__file__).parent
LACKING = "needs pyspark: `make test-spark` installs it"
# what is worked out here is small: compiling it to machine code would take longer than doing it
CONF = {
    "spark.ui.enabled": "false",
    "spark.driver.memory": "1500m",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.spark)
            item.add_marker(pytest.mark.timeout(1_800))
            # py4j leaves its connections to the garbage collector
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"))
            if importlib.util.find_spec("pyspark") is None:
                item.add_marker(pytest.mark.skip(reason=LACKING))


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """Spark in this process, on two threads."""
    from replays.spark.session import session

    with session("local[2]", CONF) as made:
        yield made
