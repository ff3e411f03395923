"""``/v1/delivery-targets``: where a tenant wants its finished pictures put."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from opal.assembly import Parts
from opal.database import delivery_targets as targets
from opal.database.delivery_targets import DeliveryTarget
from opal.database.engine import utc_now
from opal.database.receivers import ReceiverState
from opal.destinations.interface import content_of
from opal.destinations.opening import Destinations
from opal.destinations.places import Place, place_of
from opal.errors import (
    AddressRefused,
    DestinationFailed,
    InvalidDeliveryTarget,
    InvalidJson,
    SecretUnreadable,
    TooManyDeliveryTargets,
    UnknownDeliveryTarget,
    UnknownPreset,
)
from opal.faults import PRINTABLE
from opal.http.authentication import SettingsRoute, Tenant, require_same_tenant
from opal.http.errors import BodyTooLarge, TenantMismatch, UnsupportedMediaType
from opal.http.openapi import answer
from opal.http.problem import ALWAYS, BY_KEY, problems
from opal.images.encode import OutputFormat
from opal.items.delivery_path import LONGEST_TEMPLATE, check_template
from opal.items.item import new_id
from opal.marketplaces.presets import resolve_presets
from opal.sealing import Sealer
from opal.web_api.new_place import NewPlace, taken_apart
from opal.web_api.parts import WebParts
from opal.web_api.presets import tenant_presets

router = APIRouter(route_class=SettingsRoute, tags=["delivery"])

TARGET_ID_EXAMPLE = "target_4d5e6f7a8b9c0d1e2f3a4b5c"
TargetId = Annotated[str, Path(description="The target's id.", examples=[TARGET_ID_EXAMPLE])]

TEST_PATH = "opal-test.txt"
_TEST_TEXT = b"Opal can deliver here. This file may be deleted.\n"
_DEFAULT_TEMPLATE = "{job}/{name}.{ext}"
_TEMPLATE = Field(
    min_length=1,
    max_length=LONGEST_TEMPLATE,
    description="Each picture's path, of {job}, {item}, {sku}, {photo}, {preset}, {name} and {ext}.",
    examples=[_DEFAULT_TEMPLATE, "{sku}/{preset}.{ext}"],
)
_PRESETS = Field(
    max_length=500,
    description="Names from /v1/presets, yours among them: only their pictures go there. Empty: all.",
    examples=[["amazon-main"]],
)
_FORMATS = Field(description="Only pictures of these formats go there. Empty: all.", examples=[["jpeg"]])
_NAME = Field(max_length=200, pattern=PRINTABLE, description="For people.", examples=["Shop's bucket"])
_EXAMPLE_PLACE = {"kind": "s3", "bucket": "acme-pictures", "region": "eu-central-1"} | {
    "access_key_id": "AKIAEXAMPLE"
}


class NewTarget(BaseModel):
    """A place, and how files are named there."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "Shop's bucket",
                    "destination": {**_EXAMPLE_PLACE, "secret_access_key": "example"},
                    "template": "{sku}/{preset}.{ext}",
                }
            ]
        },
    )

    name: Annotated[str, _NAME] = ""
    destination: NewPlace
    template: Annotated[str, _TEMPLATE] = _DEFAULT_TEMPLATE
    reports: bool = Field(
        default=True, strict=True, description="Put the report beside each picture, as JSON."
    )
    presets: Annotated[list[str], _PRESETS] = []
    formats: Annotated[list[OutputFormat], _FORMATS] = []
    tenant_id: str | None = Field(default=None, description="May be left out; else it must be the key's own.")


class TargetChange(BaseModel):
    """What is left out, or null, stays as it is."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"enabled": True}, {"template": "{name}.{ext}"}]}
    )

    name: Annotated[str, _NAME] | None = None
    destination: NewPlace | None = Field(default=None, description="The whole of it, its secret too.")
    template: Annotated[str, _TEMPLATE] | None = None
    reports: bool | None = Field(default=None, strict=True)
    presets: Annotated[list[str], _PRESETS] | None = None
    formats: Annotated[list[OutputFormat], _FORMATS] | None = None
    enabled: bool | None = Field(
        default=None,
        strict=True,
        description="True: forget its failures and send what waited. False: send nothing.",
    )


class TargetView(BaseModel):
    """A target; its secrets are never shown."""

    id: str = Field(examples=[TARGET_ID_EXAMPLE])
    name: str
    destination: Place
    template: str
    reports: bool
    presets: list[str] = Field(description="Of which pictures go there; empty: of all.")
    formats: list[OutputFormat] = Field(description="And in which formats; empty: in all.")
    state: ReceiverState = Field(
        description="A disabled one gets nothing: it was turned off, or failed for too long."
    )
    disabled_reason: str | None = Field(description="Null while it is active.")
    failures: int = Field(description="Failed tries in a row, of all its deliveries together.")
    failing_since: datetime | None = Field(description="When the first of these failed.")
    created_at: datetime


class TargetList(BaseModel):
    """All targets, oldest first."""

    targets: list[TargetView]


class TargetTest(BaseModel):
    """How a trial went."""

    ok: bool
    path: str = Field(description="The small file that was put there.", examples=[TEST_PATH])
    reason: str | None = Field(description="Why it did not work; null when it did.")


_VIEW = TargetView(
    id=TARGET_ID_EXAMPLE,
    name="Shop's bucket",
    destination=place_of(_EXAMPLE_PLACE),
    template="{sku}/{preset}.{ext}",
    reports=True,
    presets=["amazon-main"],
    formats=[],
    state="active",
    disabled_reason=None,
    failures=0,
    failing_since=None,
    created_at=datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC),
)
_WRITING = (
    InvalidJson,
    *BY_KEY,
    BodyTooLarge,
    UnsupportedMediaType,
    AddressRefused,
    InvalidDeliveryTarget,
    UnknownPreset,
)


def _view(target: DeliveryTarget) -> TargetView:
    fields = TargetView.model_fields.keys() - {"destination"}
    return TargetView(**{name: getattr(target, name) for name in fields}, destination=place_of(target.place))


async def _known(parts: Parts, tenant_id: str, presets: list[str]) -> list[str]:
    """The presets' names, each once. Raises ``UnknownPreset``."""
    if not presets:
        return []
    async with parts.database.read() as connection:
        own = await tenant_presets(connection, tenant_id)
    return [preset.name for preset in resolve_presets(presets, own)]


@router.post(
    "/v1/delivery-targets",
    status_code=201,
    summary="Create a delivery target",
    responses={
        **answer("The new target.", _VIEW, 201),
        **problems(*_WRITING, TenantMismatch, TooManyDeliveryTargets, *ALWAYS),
    },
)
async def create_target(
    request: Request, parts: WebParts, tenant_id: Tenant, body: NewTarget, response: Response
) -> TargetView:
    """Every picture that is finished from now on is delivered there. Nothing is written yet: test it.

    An address is looked up now, and again before every delivery.
    """
    require_same_tenant(tenant_id, body.tenant_id)
    check_template(body.template)
    presets = await _known(parts, tenant_id, body.presets)
    target_id = new_id("target")
    place, sealed = await taken_apart(request, target_id, body.destination)
    made = DeliveryTarget(
        id=target_id,
        tenant_id=tenant_id,
        name=body.name,
        place=place,
        template=body.template,
        reports=body.reports,
        presets=presets,
        formats=list(dict.fromkeys(body.formats)),
        state="active",
        disabled_reason=None,
        failures=0,
        failing_since=None,
        created_at=utc_now(),
    )
    async with parts.database.transaction() as connection:
        await targets.create_target(connection, made, sealed, most=parts.settings.delivery.max_per_tenant)
    response.headers["Location"] = f"/v1/delivery-targets/{made.id}"
    return _view(made)


@router.get(
    "/v1/delivery-targets",
    summary="List delivery targets",
    responses={
        **answer("All of the tenant's targets.", TargetList(targets=[_VIEW])),
        **problems(*BY_KEY, *ALWAYS),
    },
)
async def list_targets(parts: WebParts, tenant_id: Tenant) -> TargetList:
    """The tenant's targets, oldest first, without their secrets; they are few, so there are no pages."""
    async with parts.database.read() as connection:
        found = await targets.list_targets(connection, tenant_id)
    return TargetList(targets=[_view(each) for each in found])


@router.get(
    "/v1/delivery-targets/{target_id}",
    summary="Read a delivery target",
    responses={**answer("The target.", _VIEW), **problems(*BY_KEY, UnknownDeliveryTarget, *ALWAYS)},
)
async def read_target(parts: WebParts, tenant_id: Tenant, target_id: TargetId) -> TargetView:
    """The target, and how deliveries to it have been going."""
    async with parts.database.read() as connection:
        return _view(await targets.tenant_target(connection, tenant_id, target_id))


@router.patch(
    "/v1/delivery-targets/{target_id}",
    summary="Change a delivery target",
    responses={
        **answer("The target as it is now.", _VIEW),
        **problems(*_WRITING, UnknownDeliveryTarget, *ALWAYS),
    },
)
async def change_target(
    request: Request, parts: WebParts, tenant_id: Tenant, target_id: TargetId, body: TargetChange
) -> TargetView:
    """A new destination gets what waits too; all else is for what is finished from now on."""
    async with parts.database.read() as connection:
        await targets.tenant_target(connection, tenant_id, target_id)
    changes = body.model_dump(include={"name", "template", "reports", "formats"}, exclude_none=True)
    if body.presets is not None:
        changes["presets"] = await _known(parts, tenant_id, body.presets)
    if body.template is not None:
        check_template(body.template)
    if body.destination is not None:
        changes["place"], changes["sealed"] = await taken_apart(request, target_id, body.destination)
    async with parts.database.transaction() as connection:
        return _view(await targets.change_target(connection, tenant_id, target_id, changes, body.enabled))


@router.delete(
    "/v1/delivery-targets/{target_id}",
    status_code=204,
    summary="Delete a delivery target",
    responses={
        204: {"description": "The target and its deliveries are gone; the delivered files stay."},
        **problems(*BY_KEY, UnknownDeliveryTarget, *ALWAYS),
    },
)
async def delete_target(parts: WebParts, tenant_id: Tenant, target_id: TargetId) -> None:
    """Delete the target with its secrets and all its deliveries; a file that is under way ends by itself."""
    async with parts.database.transaction() as connection:
        await targets.delete_target(connection, tenant_id, target_id)


@router.post(
    "/v1/delivery-targets/{target_id}/test",
    summary="Test a delivery target",
    responses={
        **answer("How it went.", TargetTest(ok=True, path=TEST_PATH, reason=None)),
        **problems(*BY_KEY, UnknownDeliveryTarget, *ALWAYS),
    },
)
async def test_target(
    request: Request, parts: WebParts, tenant_id: Tenant, target_id: TargetId
) -> TargetTest:
    """Put a small file there now, as a picture would be, disabled or not; it counts for nothing."""
    async with parts.database.read() as connection:
        target = await targets.tenant_target(connection, tenant_id, target_id)
        sealed = await targets.sealed_secret(connection, target_id)
    destinations: Destinations = request.app.state.destinations
    sealer: Sealer = request.app.state.sealer
    try:
        secret = {} if sealed is None else sealer.open(target_id, sealed)
        await destinations.try_out(
            tenant_id, place_of(target.place), secret, TEST_PATH, content_of(_TEST_TEXT, "text/plain")
        )
    except (DestinationFailed, AddressRefused, InvalidDeliveryTarget, SecretUnreadable) as error:
        return TargetTest(ok=False, path=TEST_PATH, reason=error.message)
    return TargetTest(ok=True, path=TEST_PATH, reason=None)
