"""The proof of the lifecycle in its short form; `just proof-lifecycle` is the long one."""

import pytest

from tests.proof.lifecycle import prove
from tests.support import samples

pytestmark = pytest.mark.long

SEQUENCES = 30


def test_whatever_happens_in_whatever_order_the_books_agree() -> None:
    prove(sequences=SEQUENCES, drawn_by=samples.seed("lifecycle"))
