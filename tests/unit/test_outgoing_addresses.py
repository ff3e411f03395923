"""Which addresses and URLs may be called: each kind that has been used to get into a network, refused."""

import pytest

from opal.errors import AddressRefused
from opal.outgoing.addresses import LONGEST_URL, Reach, parse_target, reach_of, require_allowed

PUBLIC = ["1.1.1.1", "93.184.216.34", "100.63.255.255", "172.32.0.1", "2606:4700::1111", "2a00:1450:4001::5e"]
PRIVATE = [
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "::1",
    "fc00::1",
    "fd12:3456::1",
]
NOWHERE = [
    "0.0.0.0",
    "0.1.2.3",
    "100.100.100.200",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:1.1.1.1",
    "64:ff9b::7f00:1",
    "64:ff9b::101:101",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:10::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:101:101::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "localhost",
    "1.2.3",
    "",
]


@pytest.mark.parametrize(
    ("address", "reach"),
    [(address, Reach.PUBLIC) for address in PUBLIC]
    + [(address, Reach.PRIVATE) for address in PRIVATE]
    + [(address, Reach.NOWHERE) for address in NOWHERE],
)
def test_where_an_address_leads(address: str, reach: Reach) -> None:
    assert reach_of(address) is reach


def test_one_bad_address_among_good_ones_is_enough() -> None:
    require_allowed("shop.example", PUBLIC, private=False)
    require_allowed("shop.example", [*PUBLIC, *PRIVATE], private=True)
    for bad in [*PRIVATE, *NOWHERE]:
        with pytest.raises(AddressRefused) as refused:
            require_allowed("shop.example", [*PUBLIC, bad], private=False)
        # Whoever gave the name learns nothing of what it means here.
        assert bad == "" or bad not in refused.value.message
    for bad in NOWHERE:
        with pytest.raises(AddressRefused):
            require_allowed("shop.example", [*PRIVATE, bad], private=True)
    with pytest.raises(AddressRefused):
        require_allowed("shop.example", [], private=True)


@pytest.mark.parametrize(
    ("url", "host", "port", "header"),
    [
        ("https://shop.example/hook?a=b", "shop.example", 443, "shop.example"),
        ("HTTPS://SHOP.example:8443", "shop.example", 8443, "shop.example:8443"),
        ("https://münchen.example/", "xn--mnchen-3ya.example", 443, "xn--mnchen-3ya.example"),
        ("https://[2606:4700::1]/", "2606:4700::1", 443, "[2606:4700::1]"),
    ],
)
def test_a_url_is_taken_apart(url: str, host: str, port: int, header: str) -> None:
    target = parse_target(url, private=False)
    assert (target.host, target.port, target.host_header) == (host, port, header)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://shop.example/", "https://"),
        ("ftp://shop.example/", "https://"),
        ("file:///etc/passwd", "https://"),
        ("gopher://shop.example/", "https://"),
        ("shop.example/hook", "https://"),
        ("", "https://"),
        ("https://user:word@shop.example/", "user name"),
        ("https://1.1.1.1@10.0.0.1/", "user name"),
        ("https:///hook", "no host"),
        ("https://a b/", "no host"),
        ("https://[fe80::1%25eth0]/", "no host"),
        ("https://shop.example:22/", "port"),
        ("https://shop.example:99999/", "port"),
        ("https://shop.example:0/", "port"),
        ("https://shop.example:x/", "not a URL"),
        ("https://shop.exa\nmple/", "not a URL"),
        ("https://[::1/", "not a URL"),
        ("https://shop.example/" + "a" * LONGEST_URL, "characters"),
    ],
)
def test_what_no_name_server_need_be_asked_about(url: str, said: str) -> None:
    with pytest.raises(AddressRefused, match=said):
        parse_target(url, private=False)


def test_a_private_network_may_use_plain_http_and_any_port() -> None:
    assert parse_target("http://127.0.0.1:9000/hook", private=True).port == 9000
    assert parse_target("http://hooks.internal/", private=True).port == 80
    with pytest.raises(AddressRefused, match="1 to 65535"):
        parse_target("http://127.0.0.1:0/", private=True)
    with pytest.raises(AddressRefused, match="http:// or https://"):
        parse_target("unix:///tmp/socket", private=True)
