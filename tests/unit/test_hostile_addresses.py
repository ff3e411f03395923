"""Every hostile vector of the table is refused: as an address, as a URL, among good answers of a resolver."""

import pytest
from tests.unit.hostile_addresses import ADDRESSES, LOCAL_HOSTS, OWN, URLS, of_all

from opal.errors import AddressRefused
from opal.outgoing.addresses import Reach, parse_target, reach_of, require_allowed
from opal.outgoing.client import Outgoing
from opal.outgoing_settings import OutgoingSettings

GOOD = ["1.1.1.1", "2606:4700::1111"]
_PUBLIC = "shop.example"


def test_there_are_as_many_as_are_promised() -> None:
    vectors = [*of_all(ADDRESSES), *of_all(URLS), *of_all(LOCAL_HOSTS)]
    # "127.0.0.1" is an address and a host: two vectors, as it is judged in two places.
    for kinds in (ADDRESSES, URLS, LOCAL_HOSTS):
        assert len(set(of_all(kinds))) == len(of_all(kinds))
    assert len(set(vectors)) >= 200


@pytest.mark.parametrize("kind", ADDRESSES)
def test_what_a_resolver_may_answer(kind: str) -> None:
    for address in ADDRESSES[kind]:
        reach = reach_of(address)
        assert reach is not Reach.PUBLIC, address
        if kind not in OWN:
            assert reach is Reach.NOWHERE, address
        for answers in ([address], [*GOOD, address], [address, *GOOD], [GOOD[0], address, GOOD[1]]):
            with pytest.raises(AddressRefused):
                require_allowed(_PUBLIC, answers, private=False)
            if kind not in OWN:
                with pytest.raises(AddressRefused):
                    require_allowed(_PUBLIC, answers, private=True)


@pytest.mark.parametrize("kind", URLS)
def test_what_is_refused_before_a_name_is_asked_for(kind: str) -> None:
    for url in URLS[kind]:
        with pytest.raises(AddressRefused):
            parse_target(url.replace("{}", _PUBLIC), private=False)


@pytest.mark.parametrize("kind", LOCAL_HOSTS)
async def test_ways_of_writing_this_machine(kind: str) -> None:
    """By the system's own resolver, which is what decides where most of them lead."""
    outgoing = Outgoing(OutgoingSettings(private_addresses="refuse"))
    for host in LOCAL_HOSTS[kind]:
        for url in (f"https://{host}/", f"https://{host}:8443/"):
            with pytest.raises(AddressRefused):
                await outgoing.check(url)
    await outgoing.close()
