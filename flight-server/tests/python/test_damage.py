"""Short form of the damage test: one object of each kind, each damage once."""

from __future__ import annotations

import os
import random
from pathlib import Path

from damagetest import KINDS, DamageTest


def test_one_damage_of_each_kind_is_answered_rightly_or_named(tmp_path: Path) -> None:
    seed = int(os.environ.get("HEXFLIGHT_TEST_SEED", random.SystemRandom().getrandbits(32)))

    outcomes = DamageTest(tmp_path, rounds=1, seed=seed, objects=1).run()

    assert {outcome.split(": ")[0] for outcome in outcomes} == set(KINDS)
