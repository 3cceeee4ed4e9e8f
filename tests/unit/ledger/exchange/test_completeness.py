"""Every field of a rate and of a conversion is content, or on a list with the reason."""

from libs.common.contracts.ledger_money import PostConversion
from services.ledger.core import Rate
from services.ledger.core.rate import NOT_CONTENT
from services.ledger.exchange.commands import NOT_IN_DIGEST, digest_of
from tests.support.fields import filled, unseen

RATE = filled(Rate)


def test_each_field_of_a_rate_is_content_or_named() -> None:
    assert unseen(RATE, RATE.has_same_content) == NOT_CONTENT.keys()


def test_each_field_of_a_conversion_is_in_its_digest_or_named() -> None:
    assert unseen(filled(PostConversion), digest_of) == NOT_IN_DIGEST.keys()
