"""Which urls and event lists an endpoint may have."""

import pytest

from libs.common.contracts import REGISTRY, PublicEvent, handled_by
from services.notifier.deliveries.domain import patterns_of, types_of
from services.notifier.endpoints import EVENT_NAMES
from services.notifier.endpoints.domain import check_events, check_headers, check_url

PORTS = (443, 8443)


def fault(url: str, *, is_local: bool = False) -> str | None:
    return check_url(url, is_local=is_local, allowed_ports=PORTS)


@pytest.mark.parametrize(
    "url",
    [
        "https://merchant.example/hooks",
        "https://merchant.example",
        "https://merchant.example:8443/a?b=c&d=%20",
        "HTTPS://Merchant.Example/",
        "https://xn--bcher-kva.example/",
        "https://my_host.merchant.example/",
        "https://93.184.216.34/hooks",
        "https://[2606:2800:220:1:248:1893:25c8:1946]/hooks",
        "https://merchant.example/" + "a" * (2048 - 25),
    ],
)
def test_a_public_https_url_is_admitted(url: str) -> None:
    assert fault(url) is None


@pytest.mark.parametrize("url", ["http://localhost:9000/hooks", "http://127.0.0.1:1/", "https://receiver:4443/x"])
def test_local_development_admits_http_and_any_port(url: str) -> None:
    assert fault(url, is_local=True) is None
    assert fault(url) is not None


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "1 to 2048"),
        ("https://merchant.example/" + "a" * (2049 - 25), "1 to 2048"),
        ("not a url", "visible ASCII"),
        ("merchant.example/hooks", "https://"),
        ("http://merchant.example/", "https://"),
        ("ftp://merchant.example/", "https://"),
        ("file:///etc/passwd", "https://"),
        ("gopher://merchant.example/", "https://"),
        ("javascript:alert(1)", "https://"),
        ("https://user:password@merchant.example/", "credentials"),
        ("https://user@merchant.example/", "credentials"),
        ("https://@merchant.example/", "credentials"),
        ("https://merchant.example#@internal/", "fragment"),
        ("https://merchant.example/#part", "fragment"),
        ("https://", "no host"),
        ("https:///hooks", "no host"),
        ("https://:443/", "host"),
        ("https://merchant.example:22/", "port"),
        ("https://merchant.example:0/", "port"),
        ("https://merchant.example:99999/", "cannot be read"),
        ("https://merchant.example:port/", "cannot be read"),
        ("https://merchant.example\\@internal/", "visible ASCII"),
        ("https://merchant.example/a b", "visible ASCII"),
        ("https://merchant\t.example/", "visible ASCII"),
        ("https://merchant.example/\r\nHost: internal", "visible ASCII"),
        ("https://bücher.example/", "xn--"),
        ("https://１２７.０.０.１/", "visible ASCII"),
        ("https://127。0。0。1/", "visible ASCII"),
        ("https://ⓛocalhost/", "visible ASCII"),
        ("https://2130706433/", "four decimal numbers"),
        ("https://0x7f000001/", "four decimal numbers"),
        ("https://0x7f.0.0.1/", "four decimal numbers"),
        ("https://127.1/", "four decimal numbers"),
        ("https://0177.0.0.01/", "four decimal numbers"),
        ("https://127.0.0.256/", "four decimal numbers"),
        ("https://[fe80::1%25eth0]/", "IPv6"),
        ("https://[::ffff:127.0.0.1/", "cannot be read"),
        ("https://internal/", "full name"),
        ("https://-merchant.example/", "host name"),
        ("https://merchant..example/", "host name"),
        ("https://merchant.example./", "host name"),
        ("https://mer%63hant.example/", "host name"),
        ("https://" + "a" * 64 + ".example/", "host name"),
        ("https://" + ".".join(["a" * 60] * 5) + "/", "host name"),
    ],
)
def test_anything_else_is_refused_with_the_reason(url: str, reason: str) -> None:
    found = fault(url)
    assert found is not None
    assert reason in found


def test_an_event_is_admitted_by_its_name_its_prefixes_and_the_star() -> None:
    assert patterns_of("payment.intent.created") == ["*", "payment.*", "payment.intent.*", "payment.intent.created"]


@pytest.mark.parametrize("listed", [["*"], ["payment.*"], ["payment.intent.*"], ["payment.settled", "payment.failed"]])
def test_known_names_prefixes_and_the_star_are_admitted(listed: list[str]) -> None:
    assert check_events(listed, known=EVENT_NAMES) == []


@pytest.mark.parametrize(
    "unknown", ["payment.unheard_of", "payment", "pay*", "order.*", "*.*", "", "PAYMENT.SETTLED", " *"]
)
def test_unknown_names_are_refused_with_the_list(unknown: str) -> None:
    ((pointer, sentence),) = check_events(["*", unknown], known=EVENT_NAMES)
    assert pointer == "/events/1"
    assert all(name in sentence for name in EVENT_NAMES)


def test_a_long_unknown_name_is_quoted_in_part() -> None:
    ((_, sentence),) = check_events(["x" * 150], known=["payment.settled"])
    assert sentence == f"unknown event '{'x' * 100}'; known are payment.settled, their prefixes, and `*`"


def test_every_public_event_can_be_listed_and_is_handled() -> None:
    public = {message.contract.name for message in REGISTRY.values() if message.contract.public}
    assert set(EVENT_NAMES) == public
    assert {m.contract.name for m in handled_by("notifier") if issubclass(m, PublicEvent)} == public


def test_a_list_has_one_to_fifty_entries() -> None:
    assert check_events([], known=EVENT_NAMES)
    assert check_events(["*"] * 50, known=EVENT_NAMES) == []
    assert check_events(["*"] * 51, known=EVENT_NAMES) == [("/events", "at most 50 entries")]


def test_an_endpoint_receives_what_its_entries_admit() -> None:
    known = ["payment.settled", "payment.intent.created", "dispute.opened"]
    assert types_of(["payment.*"], known=known) == ("payment.settled", "payment.intent.created")
    assert types_of(["dispute.opened", "payment.intent.*"], known=known) == ("payment.intent.created", "dispute.opened")
    assert types_of(["*"], known=known) == tuple(known)
    assert types_of([], known=known) == ()


@pytest.mark.parametrize(
    ("host", "admitted"),
    [
        (f"{'.'.join(['a' * 61] * 4)}.abcde", True),
        (f"{'.'.join(['a' * 61] * 4)}.abcdef", False),
        ("a" * 63 + ".io", True),
    ],
)
def test_a_host_name_is_as_long_as_dns_allows(host: str, admitted: bool) -> None:
    assert (fault(f"https://{host}/") is None) is admitted


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "Bearer a b"),
        ("X-Api-Key", "v" * 1024),
        ("n" * 64, "v"),
        ("X.Odd_name!#$%&'*+^`|~", "v"),
        ("Secret", "v"),
        ("X-Forwarding", "v"),
    ],
)
def test_a_header_of_the_tenants_own_is_admitted(name: str, value: str) -> None:
    assert check_headers({name: value}) == []


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("", "v", "a header's name"),
        ("n" * 65, "v", "a header's name"),
        ("X Api", "v", "a header's name"),
        ("X-Api:", "v", "a header's name"),
        ("X-Ключ", "v", "a header's name"),
        ("X-Api\n", "v", "a header's name"),
        ("X-Api", "", "a header's value"),
        ("X-Api", "v" * 1025, "a header's value"),
        ("X-Api", " v", "a header's value"),
        ("X-Api", "v ", "a header's value"),
        ("X-Api", "v\r\nHost: internal", "a header's value"),
        ("X-Api", "ключ", "a header's value"),
        *((name, "v", "ours to set") for name in ("Webhook-Id", "X-Webhook-Signature", "svix-id", "Sec-Fetch-Mode")),
        *((name, "v", "ours to set") for name in ("X-Forwarded-For", "Proxy-Anything", "Host", "Content-Length")),
        *(
            (name, "v", "ours to set")
            for name in [
                "Accept",
                "Accept-Encoding",
                "Connection",
                "Content-Encoding",
                "Content-Type",
                "Cookie",
                "Expect",
                "Forwarded",
                "Keep-Alive",
                "Proxy-Authorization",
                "Proxy-Connection",
                "TE",
                "Trailer",
                "Traceparent",
                "Tracestate",
                "Transfer-Encoding",
                "Upgrade",
                "User-Agent",
                "Via",
            ]
        ),
    ],
)
def test_a_header_that_is_ours_or_unreadable_is_refused(name: str, value: str, reason: str) -> None:
    ((pointer, sentence),) = check_headers({name: value})
    assert pointer.startswith("/headers/")
    assert reason in sentence


def test_an_endpoint_has_at_most_twenty_headers_each_named_once() -> None:
    assert check_headers({f"X-{number}": "v" for number in range(20)}) == []
    assert check_headers({f"X-{number}": "v" for number in range(21)}) == [("/headers", "at most 20 headers")]
    assert check_headers({"X-Api": "a", "x-api": "b"}) == [("/headers/x-api", "this header is named twice")]
    assert check_headers({"a/~": "a\n"})[0][0] == "/headers/a~1~0"
    # An answer has room for what is wrong, not for all that was sent.
    assert check_headers({"n" * 70: "v"})[0][0] == "/headers/" + "n" * 64
