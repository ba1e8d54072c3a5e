"""A fault that did not bite proves nothing."""

from __future__ import annotations

import pytest

from topologies.chaos.proof import COUNTERS, PROOF, Bite
from topologies.chaos.schedule import Fault


@pytest.mark.parametrize("fault", PROOF)
def test_a_fault_bit_only_when_every_counter_of_its_proof_is_above_zero(fault: Fault) -> None:
    whole = dict.fromkeys(PROOF[fault], 1)

    assert Bite(fault, whole).missing == ()
    assert Bite(fault, {}).missing == PROOF[fault]
    for name in PROOF[fault]:
        assert Bite(fault, whole | {name: 0}).missing == (name,)


def test_every_fault_that_can_bite_has_a_proof_and_every_counter_is_documented() -> None:
    named = {name for names in PROOF.values() for name in names}

    assert set(PROOF) == set(Fault) - {Fault.REDIS}
    assert named <= COUNTERS.keys()


def test_a_bite_shows_the_counters_of_its_proof() -> None:
    bite = Bite(Fault.KILL, {"killed": 1, "took_over": 12, "read_again": 1234, "revoked": 3})

    assert str(bite) == "kill: killed=1 took_over=12 read_again=1,234"
