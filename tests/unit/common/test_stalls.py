"""The stall meter sees a loop that stands still, and tells our own computing from waiting for the machine.

Each measures in a process of its own: in this one other loops are measured too, and the collector runs when it likes.
"""

import subprocess
import sys

import pytest

_MEASURE = """
import asyncio, time
from prometheus_client import REGISTRY
from libs.common.observability.stalls import StallMeter

def above(name):
    count = REGISTRY.get_sample_value(f"{name}_count")
    return count - REGISTRY.get_sample_value(f"{name}_bucket", {"le": "0.1"})

async def measured():
    before = REGISTRY.get_sample_value("event_loop_busy_seconds_count") or 0.0
    while (REGISTRY.get_sample_value("event_loop_busy_seconds_count") or 0.0) <= before:
        await asyncio.sleep(0.01)

def compute():
    started = time.thread_time()
    while time.thread_time() - started < 0.3:
        pass

async def main(stand_still):
    with StallMeter(warn_seconds=10).running():
        await measured()
        stalls, busy = above("event_loop_stall_seconds"), above("event_loop_busy_seconds")
        stand_still()
        await measured()
    print(above("event_loop_stall_seconds") > stalls, above("event_loop_busy_seconds") > busy)

asyncio.run(main(%s))
"""


@pytest.mark.parametrize(
    ("stand_still", "is_busy"), [("compute", True), ("lambda: time.sleep(0.3)", False)], ids=["computing", "waiting"]
)
def test_standing_still_is_a_stall_and_busy_only_when_computing(stand_still: str, *, is_busy: bool) -> None:
    code = _MEASURE % stand_still
    done = subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True, text=True)
    assert done.stdout.split() == ["True", str(is_busy)]


def test_collections_pass_over_what_a_service_is_made_of() -> None:
    # In a process of its own: what is left out is left out for good.
    code = (
        "import gc; from libs.common.observability.stalls import leave_out_of_collections as leave; ring = []; "
        "ring.append(ring); del ring; leave(); assert gc.get_freeze_count() > 10_000; "
        "assert len(gc.get_objects()) < 1_000, len(gc.get_objects())"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
