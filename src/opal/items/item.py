"""The item: one photo of a job, as the database knows it."""

import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from opal.items.review import ReviewVerdict
from opal.items.states import ItemState

LONGEST_LEASE: Final = timedelta(hours=1)
"""No worker asks for more than half of it (``OPAL_WORKER_LEASE_S``), so a lease that ends later is none."""


@dataclass(frozen=True, slots=True)
class Item:
    """One photo on its way. ``attempt`` fences: every write names the attempt it was made under."""

    id: str
    job_id: str
    tenant_id: str
    position: int
    filename: str
    sku: str | None
    state: ItemState
    attempt: int
    epoch: int
    failures: int
    interruptions: int
    lease_until: datetime | None
    correlation_id: str
    raw_path: str | None
    scene_path: str | None
    matte_path: str | None
    error_code: str | None
    error_message: str | None
    review: bool
    """The cut-out is doubtful: a person should look at the pictures before they are used."""
    created_at: datetime
    updated_at: datetime
    photo: dict[str, Any] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)
    raw_expired_at: datetime | None = None
    """When the photo was removed for its age; None: it is there."""
    outputs_expired_at: datetime | None = None
    """The same of scene and matte."""
    verdict: ReviewVerdict | None = None
    """What a person says of the pictures."""
    verdict_at: datetime | None = None
    round: int = 0
    """How often it was sent again after it had failed; each round is paid for by itself."""
    revision: int = 0
    """Which of its revisions the pictures are; 0: as they first came."""
    pending_revision: int | None = None
    """The revision that is being made. The pictures and the charge of the one before stay what they are."""
    scene: str | dict[str, Any] | None = None
    """Its own, by a revision; None: its job's. So with the placement."""
    placement: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a job wants done with each of its photos; plain data, checked when the job was made."""

    scene: str | dict[str, Any]
    placement: dict[str, Any]
    presets: tuple[str, ...]
    prompt: str
    seed: int
    own_presets: tuple[dict[str, Any], ...] = ()
    """Those of `presets` that are the tenant's own, as they were when the job was made."""

    def of(self, item: Item) -> "Recipe":
        """The recipe that the item's pictures are made by: its own look where a revision gave it one."""
        scene = self.scene if item.scene is None else item.scene
        return self.with_look(scene, self.placement if item.placement is None else item.placement)

    def with_look(self, scene: str | dict[str, Any], placement: dict[str, Any]) -> "Recipe":
        """The same for another scene and placement."""
        return replace(self, scene=scene, placement=placement)

    @property
    def backdrop_id(self) -> str | None:
        """The backdrop that the scene names; None for a scene without one."""
        if isinstance(self.scene, dict) and self.scene.get("kind") == "backdrop":
            return str(self.scene["picture"])
        return None


def new_id(prefix: str) -> str:
    """A fresh id such as ``job_3f…`` with 96 random bits, unguessable and safe in paths."""
    return f"{prefix}_{secrets.token_hex(12)}"


def backdrop_path(tenant_id: str, backdrop_id: str) -> str:
    """Where a backdrop lies, in the container ``raw``: ``{tenant}/backdrops/{backdrop}/raw/picture``."""
    return f"{tenant_id}/backdrops/{backdrop_id}/raw/picture"


def blob_path(tenant_id: str, job_id: str, item_id: str, kind: str, name: str) -> str:
    """Where a blob of an item lies: ``{tenant}/jobs/{job}/items/{item}/{raw|outputs|exports}/{name}``."""
    return f"{tenant_id}/jobs/{job_id}/items/{item_id}/{kind}/{name}"
