"""The monthly bill: every price is used and dated, and sums are what the parameters say."""

from datetime import date

import pytest
from infra.costs import bill, prices, prices_read
from infra.parameters import ENVIRONMENTS, parameters


def test_every_price_is_used_and_says_how_sure_it_is() -> None:
    used = {line.price for name in ENVIRONMENTS for line in bill(name)}
    # The GPU of azureml/deployment.yml, which no engine uses yet, is in the list for who wants to know.
    assert used == set(prices()) - {"Standard_NC4as_T4_v3"}
    assert {price.evidence for price in prices().values()} <= {"verified", "second-hand", "remembered"}
    assert all(price.source and price.unit and price.amount > 0 for price in prices().values())
    assert date(2026, 1, 1) < prices_read() <= date.today()  # noqa: DTZ011 - a day, not a time


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_app_is_on_the_bill(name: str) -> None:
    parts = {line.part for line in bill(name)}
    assert {"web-api", "orchestrator", "export-worker", "billing-service"} <= parts
    assert all(line.quantity >= 0 for line in bill(name))


def test_what_is_always_on_is_paid_by_the_second() -> None:
    (cpu,) = [line for line in bill("dev") if line.part == "web-api" and line.price == "app-cpu"]
    size = parameters("dev")["apps"]["webApi"]
    seconds = 730 * 3600 * size["minReplicas"] * float(size["cpu"])
    assert cpu.quantity == pytest.approx(seconds)
    assert cpu.dollars == pytest.approx(seconds * 0.000024)


def test_a_standby_costs_as_much_as_its_server() -> None:
    (server,) = [line for line in bill("prod") if line.price == parameters("prod")["database"]["sku"]]
    assert server.quantity == 2 * 730
