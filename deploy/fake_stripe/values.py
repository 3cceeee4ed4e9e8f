"""The closed sets and the limits of Stripe's API that the stand-in holds callers to."""

CURRENCIES = frozenset(
    """
    usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad cdf chf clp cny
    cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg huf idr ils inr isk jmd jod
    jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio
    nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd std szl thb tjs tnd
    top try ttd twd tzs uah ugx uyu uzs vnd vuv wst xaf xcd xof xpf yer zar zmw
    """.split()  # noqa: SIM905 - a hundred quotation marks would hide the list
)
"""What can be charged (https://docs.stripe.com/currencies#presentment-currencies)."""

AMOUNT_MAX = 99_999_999
"""Stripe takes eight digits (https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts)."""

AMOUNT_MIN = {
    "usd": 50, "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1_500, "dkk": 250, "eur": 50,
    "gbp": 30, "hkd": 400, "huf": 17_500, "inr": 50, "jpy": 50, "mxn": 1_000, "myr": 200, "nok": 300, "nzd": 50,
    "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1_000,
}  # fmt: skip
"""The smallest charges that Stripe publishes, in minor units (the same page). It names none for other currencies; there the
charge is converted, and the minimum of the settlement currency counts."""

ZERO_DECIMALS = frozenset(
    {"bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"}
)
THREE_DECIMALS = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
WHOLE_IN_HUNDREDTHS = frozenset({"isk", "ugx"})

CAPTURE_METHODS = ("automatic", "automatic_async", "manual")
CANCELLATION_REASONS = ("abandoned", "duplicate", "fraudulent", "requested_by_customer")
"""Those that a caller may give; Stripe alone writes `expired` and the others."""
REFUND_REASONS = ("duplicate", "fraudulent", "requested_by_customer")
PAYOUT_STATUSES = ("paid", "pending", "in_transit", "canceled", "failed")
PAYOUT_METHODS = ("standard", "instant")
SOURCE_TYPES = ("bank_account", "card", "fpx")

METADATA_KEYS_MAX = 50
METADATA_KEY_MAX = 40
METADATA_VALUE_MAX = 500
"""https://docs.stripe.com/api/metadata"""
LIMIT_MAX = 100
"""Objects on a page."""
EXPAND_DEPTH_MAX = 4
"""Levels of an expansion (https://docs.stripe.com/api/expanding_objects)."""
EVENTS_SECONDS = 30 * 86_400
"""How long events can be read (https://docs.stripe.com/api/events)."""

REFUNDS_ON_RELEASE_UNTIL = "2025-03-31"
"""The version (`basil`) since which a partial capture makes one balance transaction of what was captured, and neither it nor a
cancellation makes a refund (https://docs.stripe.com/changelog/basil/2025-03-31/remove-refund-from-partial-capture-and-payment-cancellation-flow)."""
PAYMENT_METHOD_TYPES_UNTIL = "2026-09-30"
"""The version (`endive`) since which `payment_method_types` is not taken any more, and `allowed_payment_method_types` is
(https://docs.stripe.com/changelog/endive/2026-09-30/removes-the-payment-method-types-parameter-from-payment-intents-and-setup-intents)."""


def exponent(currency: str) -> int:
    """How many decimals the smallest unit of a currency has at Stripe."""
    return 0 if currency in ZERO_DECIMALS else 3 if currency in THREE_DECIMALS else 2
