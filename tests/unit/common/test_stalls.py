"""The stall meter sees a loop that stands still, and tells our own computing from waiting for the machine."""

import asyncio
import subprocess
import sys
import time

from prometheus_client import REGISTRY

from libs.common.observability.stalls import StallMeter


def above(name: str, seconds: str) -> float:
    """How many measurements were above a bucket's bound."""
    count = REGISTRY.get_sample_value(f"{name}_count") or 0.0
    return count - (REGISTRY.get_sample_value(f"{name}_bucket", {"le": seconds}) or 0.0)


async def measured(name: str) -> None:
    """Wait for the next measurement."""
    before = REGISTRY.get_sample_value(f"{name}_count") or 0.0
    async with asyncio.timeout(20):
        while (REGISTRY.get_sample_value(f"{name}_count") or 0.0) <= before:
            await asyncio.sleep(0.01)


async def test_computing_is_a_stall_and_busy() -> None:
    with StallMeter(warn_seconds=10).running():
        await measured("event_loop_busy_seconds")
        stalls, busy = above("event_loop_stall_seconds", "0.1"), above("event_loop_busy_seconds", "0.1")
        started = time.thread_time()
        while time.thread_time() - started < 0.3:
            pass
        await measured("event_loop_busy_seconds")
    assert above("event_loop_stall_seconds", "0.1") > stalls
    assert above("event_loop_busy_seconds", "0.1") > busy


async def test_standing_still_without_computing_is_a_stall_and_not_busy() -> None:
    with StallMeter(warn_seconds=10).running():
        await measured("event_loop_busy_seconds")
        stalls, busy = above("event_loop_stall_seconds", "0.1"), above("event_loop_busy_seconds", "0.1")
        time.sleep(0.3)  # noqa: ASYNC251 - that is what is measured
        await measured("event_loop_busy_seconds")
    assert above("event_loop_stall_seconds", "0.1") > stalls
    assert above("event_loop_busy_seconds", "0.1") == busy


def test_collections_pass_over_what_a_service_is_made_of() -> None:
    # In a process of its own: what is left out is left out for good.
    code = (
        "import gc; from libs.common.observability.stalls import leave_out_of_collections as leave; ring = []; "
        "ring.append(ring); del ring; leave(); assert gc.get_freeze_count() > 10_000; "
        "assert len(gc.get_objects()) < 1_000, len(gc.get_objects())"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
