"""KEDA's and Kubernetes' rules, by their published examples and their source."""

from collections.abc import Sequence

import pytest
from infra.scaling.keda import STABILISATION_S, SYNC_S, Autoscaler, Rule


def _scaler(messages: int = 5, least: int = 0, most: int = 20) -> Autoscaler:
    return Autoscaler(Rule(messages_per_replica=messages, least=least, most=most))


def _synced(scaler: Autoscaler, lengths: Sequence[int], start: float = 0.0) -> list[int]:
    return [scaler.sync(start + SYNC_S * number, length) for number, length in enumerate(lengths)]


def test_container_apps_published_example() -> None:
    # Five messages a replica, 50 in the queue: ten wanted; min(20, 10, max(4, 2 * current)) at each step.
    scaler = _scaler()
    assert scaler.poll(0.0, 0) == 0
    assert scaler.poll(30.0, 50) == 1
    assert _synced(scaler, [50, 50, 50, 50], start=31.0) == [4, 8, 10, 10]


def test_steps_double_up_to_the_most() -> None:
    scaler = _scaler(messages=1, most=100)
    scaler.poll(0.0, 1000)
    assert _synced(scaler, [1000] * 7) == [4, 8, 16, 32, 64, 100, 100]


def test_the_first_replica_is_kedas() -> None:
    scaler = _scaler()
    assert scaler.sync(0.0, 50) == 0
    assert scaler.poll(1.0, 1) == 1


@pytest.mark.parametrize(("length", "wanted"), [(18, 4), (19, 4), (20, 4), (22, 4), (23, 5), (17, 4)])
def test_a_tenth_more_or_less_changes_nothing(length: int, wanted: int) -> None:
    scaler = _scaler()
    scaler.poll(0.0, 20)
    assert _synced(scaler, [20]) == [4]
    # At once up, but down only when nothing in the window asked for four.
    assert scaler.sync(STABILISATION_S / 2, length) == wanted


def test_fewer_only_after_the_window_and_then_at_once() -> None:
    scaler = _scaler()
    scaler.poll(0.0, 50)
    assert _synced(scaler, [50] * 3)[-1] == 10
    last = 2 * SYNC_S
    assert scaler.sync(last + STABILISATION_S - 1.0, 5) == 10
    assert scaler.sync(last + STABILISATION_S + 1.0, 5) == 1


def test_the_largest_wish_of_the_window_counts() -> None:
    scaler = _scaler()
    scaler.poll(0.0, 50)
    _synced(scaler, [50] * 3)
    scaler.sync(200.0, 30)
    assert scaler.sync(400.0, 5) == 6
    assert scaler.sync(200.0 + STABILISATION_S, 5) == 1


def test_none_after_the_cooldown() -> None:
    scaler = _scaler()
    scaler.poll(0.0, 1)
    assert scaler.poll(299.0, 0) == 1
    assert scaler.poll(300.0, 0) == 0
    assert scaler.poll(301.0, 1) == 1


def test_the_least_stays() -> None:
    scaler = _scaler(least=2)
    assert scaler.replicas == 2
    assert scaler.poll(1000.0, 0) == 2
    assert scaler.sync(1001.0, 0) == 2
