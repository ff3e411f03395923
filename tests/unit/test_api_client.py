"""Where the client of the public API goes with what a person gave it."""

import pytest

from opal.cli.api_client import address


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("webhook_1", "/v1/webhooks/webhook_1/test"),
        ("../presets#", "/v1/webhooks/%2E%2E%2Fpresets%23/test"),
        ("..", "/v1/webhooks/%2E%2E/test"),
        ("é?a=b%2F", "/v1/webhooks/%C3%A9%3Fa%3Db%252F/test"),
    ],
)
def test_an_id_stays_one_part_of_its_address(given: str, path: str) -> None:
    assert address("webhooks", given, "test") == path
