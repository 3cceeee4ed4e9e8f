"""What holds for every test beside real servers."""

from collections.abc import Iterator

import pytest

from libs.common.observability import metrics


def _unlisted() -> dict[str, float]:
    samples = [sample for metric in metrics.FAULTS_UNLISTED.collect() for sample in metric.samples]
    return {str(sample.labels["error"]): sample.value for sample in samples if sample.name.endswith("_total")}


@pytest.fixture(autouse=True)
def no_unlisted_fault() -> Iterator[None]:
    """Fail a test in which a driver raised what the closed list of errors, `libs/common/outages.py`, does not have."""
    before = _unlisted()
    yield
    assert _unlisted() == before
