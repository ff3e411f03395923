"""How Container Apps decides on replicas: KEDA between none and one, Kubernetes' autoscaler from there on.

Sources: learn.microsoft.com/azure/container-apps/scale-app ("Scale behavior", whose example the tests
replay), keda.sh/docs/concepts/scaling-deployments, and kubernetes' pkg/controller/podautoscaler
(`GetExternalPerPodMetricReplicas`, `stabilizeRecommendationWithBehaviors`). Called by `simulation.py`.
"""

import math
from collections import deque
from dataclasses import dataclass

SYNC_S = 15.0
"""Kubernetes' autoscaler looks that often (`--horizontal-pod-autoscaler-sync-period`), whenever KEDA does."""
TOLERANCE = 0.1
"""So near to what the replicas are meant for, nothing changes (`--horizontal-pod-autoscaler-tolerance`)."""
STABILISATION_S = 300.0
"""Scaling in follows the largest wish of this long; Container Apps has no setting for it."""
FIRST_STEP = 4
"""Most replicas after one step up from few; from many it is twice as many."""


@dataclass(frozen=True, slots=True)
class Rule:
    """An app's scale rule on the length of one queue."""

    messages_per_replica: int
    """`messageCount`: messages that one replica is meant for."""
    least: int
    most: int
    polling_s: float = 30.0
    """How often KEDA looks whether there is anything at all."""
    cooldown_s: float = 300.0
    """How long the queue has been empty when the last replica goes."""


class Autoscaler:
    """Wanted replicas of one app. The caller keeps time: `poll` every `polling_s`, `sync` every `SYNC_S`."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._active_at = -math.inf
        self._wishes: deque[tuple[float, int]] = deque()
        self.replicas = rule.least

    def poll(self, now: float, length: int) -> int:
        """KEDA's turn: a first replica when there is a message, none when there was none for `cooldown_s`."""
        rule = self._rule
        if length > 0:
            self._active_at = now
            self.replicas = max(self.replicas, rule.least, 1)
        elif rule.least == 0 and now - self._active_at >= rule.cooldown_s:
            self.replicas = 0
        return self.replicas

    def sync(self, now: float, length: int) -> int:
        """The autoscaler's turn; it leaves an app without replicas to KEDA."""
        if self.replicas == 0:
            return 0
        wish = self._clamped(self._wish(length))
        self._wishes.append((now, wish))
        while self._wishes[0][0] <= now - STABILISATION_S:
            self._wishes.popleft()
        if wish > self.replicas:
            self.replicas = min(wish, max(FIRST_STEP, 2 * self.replicas))
        else:
            self.replicas = min(self.replicas, max(each for _, each in self._wishes))
        return self.replicas

    def _wish(self, length: int) -> int:
        per_replica = self._rule.messages_per_replica
        if 1.0 - TOLERANCE <= length / (per_replica * self.replicas) <= 1.0 + TOLERANCE:
            return self.replicas
        return math.ceil(length / per_replica)

    def _clamped(self, replicas: int) -> int:
        return min(self._rule.most, max(self._rule.least, 1, replicas))
