"""The schedule of faults is made of a seed, and of nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.proof.chaos.schedule import (
    LASTS_SECONDS,
    OF_LINKS,
    OF_NODES,
    OF_SERVICES,
    SERVER_OF,
    Kind,
    Targets,
    schedule,
)

pytestmark = pytest.mark.unit

TARGETS = Targets(
    services={"api": ("api", "api-2"), "ledger": ("ledger", "ledger-2")},
    links=(("api", "redis"), ("api", "postgres"), ("ledger", "postgres")),
)
seeds = st.integers(0, 2**31)


@given(seeds)
def test_same_seed_has_the_same_schedule(seed: int) -> None:
    first = schedule(seed, seconds=200, targets=TARGETS)
    assert schedule(seed, seconds=200, targets=TARGETS) == first


def test_another_seed_has_another_schedule() -> None:
    assert len({schedule(seed, seconds=60, targets=TARGETS) for seed in range(20)}) == 20


@given(seeds)
def test_longer_run_goes_on_as_the_shorter_one_began(seed: int) -> None:
    short, long = (schedule(seed, seconds=seconds, targets=TARGETS) for seconds in (40, 120))
    assert long[: len(short)] == short


@given(seeds)
def test_ten_minutes_have_sixty_faults_of_every_kind(seed: int) -> None:
    kinds = [kind for kind in Kind if kind not in OF_NODES]
    rounds = schedule(seed, seconds=600, targets=TARGETS, kinds=kinds)
    faults = [fault for each in rounds for fault in each.faults]
    assert len(faults) >= 60
    assert {fault.kind for fault in faults} == set(kinds)


@given(seeds)
def test_ten_minutes_of_several_nodes_have_sixty_faults_too(seed: int) -> None:
    faults = [fault for each in schedule(seed, seconds=600, targets=TARGETS) for fault in each.faults]
    assert len(faults) >= 60
    # The second fault of a round is left out where the first one is at its place.
    assert len({fault.kind for fault in faults}) >= 20


@given(seeds)
def test_each_fault_befalls_what_it_can(seed: int) -> None:
    for each in schedule(seed, seconds=300, targets=TARGETS):
        for fault in each.faults:
            if fault.kind in OF_SERVICES:
                assert any(set(fault.targets) <= set(processes) for processes in TARGETS.services.values())
            elif fault.kind in OF_LINKS:
                assert fault.targets in TARGETS.links
            else:
                assert fault.targets == (SERVER_OF[fault.kind],)
            shortest, longest = LASTS_SECONDS[fault.kind]
            assert shortest <= fault.lasts_seconds <= longest


@given(seeds)
def test_two_faults_of_a_round_are_at_different_places(seed: int) -> None:
    for each in schedule(seed, seconds=300, targets=TARGETS):
        places = [place for fault in each.faults for place in fault.targets]
        assert len(places) == len(set(places)), str(each)


def test_kinds_can_be_chosen() -> None:
    rounds = schedule(3, seconds=100, targets=TARGETS, kinds=(Kind.KILL, Kind.FREEZE))
    assert {fault.kind for each in rounds for fault in each.faults} == {Kind.KILL, Kind.FREEZE}
