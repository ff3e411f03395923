"""Ways that have been used, or could be, to have a server call its own network; by kind.

``ADDRESSES`` are what a resolver may answer, ``URLS`` and ``LOCAL_HOSTS`` what somebody may send: written so
that a parser, a resolver or a proxy might take it for something else than it is.
"""

from collections.abc import Mapping
from itertools import chain
from typing import Final

ADDRESSES: Final[Mapping[str, tuple[str, ...]]] = {
    "loopback": ("127.0.0.1", "127.0.0.2", "127.0.1.1", "127.1.2.3", "127.255.255.255", "::1"),
    "this network": ("0.0.0.0", "0.0.0.1", "0.1.2.3", "0.255.255.255", "::"),
    "private": (
        *("10.0.0.0", "10.0.0.1", "10.255.255.255", "172.16.0.0", "172.17.0.1", "172.31.255.255"),
        *("192.168.0.0", "192.168.1.1", "192.168.255.255", "fc00::", "fd00::1", "fd12:3456:789a::1"),
    ),
    "carriers": ("100.64.0.0", "100.64.0.1", "100.100.0.1", "100.127.255.255"),
    "link-local": (
        *("169.254.0.0", "169.254.0.1", "169.254.255.255", "fe80::", "fe80::1", "fe80::a9fe:a9fe"),
        *("febf::1", "fec0::1", "feff::1"),
    ),
    "metadata of clouds": (
        *("169.254.169.254", "169.254.169.253", "169.254.169.123", "169.254.170.2", "169.254.170.23"),
        *("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd00:ec2::23"),
        *("fd20:ce::254", "fe80::a9fe:a9fe%eth0"),
    ),
    "no single host": (
        *("224.0.0.1", "224.0.0.251", "239.255.255.250", "239.255.255.255", "255.255.255.255"),
        *("ff01::1", "ff02::1", "ff02::fb", "ff05::2", "ff0e::1"),
    ),
    "set aside": (
        *("192.0.0.1", "192.0.0.8", "192.0.0.170", "192.0.2.1", "198.51.100.1", "203.0.113.9"),
        *("192.88.99.1", "198.18.0.1", "198.19.255.255", "240.0.0.1", "250.1.2.3", "255.255.255.254"),
        *(
            "100::1",
            "2001:db8::1",
            "2001:10::1",
            "2001:20::1",
            "2001:2::1",
            "2001:3::1",
            "3fff::1",
            "5f00::1",
        ),
        *("4000::1", "8000::1", "c000::1", "f000::1"),
    ),
    "IPv4 in IPv6, mapped": (
        *("::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:10.0.0.1", "::ffff:192.168.1.1", "::ffff:0.0.0.0"),
        *("::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "::ffff:100.64.0.1", "::ffff:1.1.1.1"),
        "0:0:0:0:0:ffff:7f00:0001",
    ),
    "IPv4 in IPv6, compatible": ("::127.0.0.1", "::7f00:1", "::10.0.0.1", "::a9fe:a9fe", "::192.168.1.1"),
    "IPv4 in IPv6, translated": ("::ffff:0:7f00:1", "::ffff:0:127.0.0.1", "::ffff:0:a9fe:a9fe"),
    "NAT64": (
        *("64:ff9b::7f00:1", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b::10.0.0.1"),
        *("64:ff9b::192.168.1.1", "64:ff9b::1.1.1.1", "64:ff9b:1::1", "64:ff9b:1::7f00:1"),
        "64:ff9b:1:7f00:0:100::",
    ),
    "6to4": (
        *("2002:7f00:1::", "2002:7f00:1::1", "2002:a00:1::", "2002:c0a8:101::1", "2002:a9fe:a9fe::"),
        *("2002:6440:1::", "2002:101:101::1"),
    ),
    "Teredo": (
        *("2001::1", "2001:0:7f00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:0:a9fe:a9fe::"),
        "2001:0:1::80ff:fffe",
    ),
    "zones": (
        *("fe80::1%eth0", "fe80::1%1", "fe80::1%lo", "::1%lo", "ff02::1%eth0", "2606:4700::1%eth0"),
        "fd00::1%docker0",
    ),
    "no addresses": (
        *("", " ", "localhost", "1.2.3", "1.2.3.4.5", "127.1", "0177.0.0.1", "0x7f.0.0.1", "2130706433"),
        *(
            "127.0.0.1 ",
            " 127.0.0.1",
            "127.0.0.1\n",
            "127.0.0.1/8",
            "[::1]",
            "::1]",
            "1::2::3",
            "::ffff:1.2.3",
        ),
        *("127.0.0.01", "256.1.1.1", "-1.1.1.1", "１２７.0.0.1", "::g"),
    ),
}
"""Nothing of a network that is not one's own; a network of one's own may have ``OWN`` of it."""
OWN: Final = frozenset({"private", "carriers", "loopback"})

URLS: Final[Mapping[str, tuple[str, ...]]] = {
    "scheme": (
        *("http://{}/", "HTTP://{}/", "ftp://{}/", "file://{}/etc/passwd", "file:///etc/passwd"),
        *("gopher://{}/_GET", "dict://{}:11211/", "ldap://{}/", "tftp://{}/", "sftp://{}/", "ws://{}/"),
        *("wss://{}/", "jar:https://{}!/", "data:text/html,x", "javascript:alert(1)", "unix:///run/x.sock"),
        *("//{}/", "{}", "/{}", "https:{}", "https:/{}", ":https://{}", "https", "", "\x00https://{}/"),
    ),
    "user names": (
        *("https://user@{}/", "https://user:word@{}/", "https://:word@{}/", "https://shop.example@{}/"),
        *("https://shop.example:443@{}/", "https://a%40b@{}/", "https://a@b@{}/", "https://[::1]@{}/"),
        "https://shop.example%23@{}/",
    ),
    "ports": (
        *("https://{}:22/", "https://{}:25/", "https://{}:80/", "https://{}:2375/", "https://{}:3306/"),
        *("https://{}:5432/", "https://{}:6379/", "https://{}:9200/", "https://{}:11211/", "https://{}:0/"),
        *("https://{}:65536/", "https://{}:99999/", "https://{}:-1/", "https://{}:x/", "https://{}:443x/"),
        *("https://{}:4 43/", "https://{}:443:443/", "https://{}:0x1bb/"),
    ),
    "hosts that are none": (
        *("https:///", "https:///path", "https://", "https://:443/", "https://[]/", "https://[::1/"),
        *("https://::1]/", "https://[::1]x/", "https://[fe80::1%25eth0]/", "https://[::1%25lo]/"),
        *("https://[v1.x]/", "https://[1.1.1.1]/", "https://[::ffff:127.0.0.1.5]/", "https://%31/"),
        *("https://a%00.example/", "https://a%2eexample/", "https://a%0d%0aexample/", "https://a b/"),
        *(
            "https://a\tb.example/",
            "https://a\nb.example/",
            "https://a\rb.example/",
            "https://a\x00.example/",
        ),
        *("https://a\x7f.example/", "https://a\u00ad\u200b\u2060/"),
    ),
}
"""To be refused whatever the host is; ``{}`` stands for a public name."""

LOCAL_HOSTS: Final[Mapping[str, tuple[str, ...]]] = {
    "numbers": (
        *(
            "127.0.0.1",
            "127.1",
            "127.0.1",
            "2130706433",
            "0x7f000001",
            "0x7f.0.0.1",
            "0x7f.1",
            "017700000001",
        ),
        *("0177.0.0.1", "0177.1", "127.0.0.0x1", "0", "0.0.0.0", "00000000177.0.0.1"),
    ),
    "IPv6": (
        *("[::1]", "[0:0:0:0:0:0:0:1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]"),
        *("[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[0000:0000:0000:0000:0000:0000:0000:0001]"),
    ),
    "names": ("localhost", "LOCALHOST", "LocalHost", "localhost.", "127.0.0.1."),
    "other letters": ("①②⑦.⓪.⓪.①", "１２７.０.０.１", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "127。0。0。1", "𝟏𝟐𝟕.𝟎.𝟎.𝟏"),
}
"""Ways of writing this machine, of which each is either no URL, or resolved and refused."""


def of_all(kinds: Mapping[str, tuple[str, ...]]) -> list[str]:
    """All vectors of all kinds."""
    return list(chain.from_iterable(kinds.values()))
