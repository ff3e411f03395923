"""Writes which pictures go where, in the transaction that exports their item: both are kept, or neither.

Called by the export-worker, and by web-api for a job whose pictures are to go to a target that came later.
Where a tenant has no target it costs one query and writes nothing. Targets are locked after items, jobs and
webhooks, in the order of their ids, so that no two transactions wait in a circle.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import and_, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.engine import utc_now
from opal.database.items import list_names
from opal.database.tables import delivery_targets as targets
from opal.database.tables import picture_deliveries as deliveries
from opal.database.variants import VariantRow, list_variants
from opal.errors import UnknownDeliveryTarget
from opal.items.delivery_path import PictureName, render, report_path
from opal.items.file_names import unique_product_stems, unique_stems
from opal.items.item import Item, new_id
from opal.telemetry.tracing import traceparent

_MOST_NUMBERS = 9


@dataclass(frozen=True, slots=True)
class _Product:
    """What an item's files are named by, and who they belong to."""

    sku: str
    photo: str
    owner: str


@dataclass(frozen=True, slots=True)
class _Target:
    id: str
    template: str
    reports: bool
    presets: list[str]
    formats: list[str]

    def of(self, pictures: Iterable[VariantRow]) -> list[VariantRow]:
        """Those that it takes."""
        return [
            each
            for each in pictures
            if (not self.presets or each.preset in self.presets)
            and (not self.formats or each.format in self.formats)
        ]


_TARGET = [targets.c[name] for name in _Target.__dataclass_fields__]


async def plan_deliveries(connection: AsyncConnection, item: Item, pictures: Sequence[VariantRow]) -> int:
    """A delivery of every picture to every target that is on and takes it; returns how many were written.

    Where earlier pictures of the item went, those of its revision go in their stead.
    """
    if item.revision:
        await _renew(connection, item)
    query = select(*_TARGET).order_by(targets.c.id)
    mine = query.where(targets.c.tenant_id == item.tenant_id, targets.c.state == "active")
    found = [_Target(*row) for row in await connection.execute(mine.with_for_update(key_share=True))]
    if not found:
        return 0
    product = (await _products(connection, item.job_id))[item.id]
    return sum([await _plan(connection, each, item, product, each.of(pictures)) for each in found])


async def plan_job(connection: AsyncConnection, target_id: str, items: Sequence[Item]) -> int:
    """Make what the target takes of a job's ``items`` due there, delivered before or not.

    The caller has made sure whose they are. What lies there already is found by the sender and not sent
    again. Returns how many deliveries are due.
    """
    query = select(*_TARGET).where(targets.c.id == target_id)
    row = (await connection.execute(query.with_for_update(key_share=True))).one_or_none()
    if row is None:
        raise UnknownDeliveryTarget
    if not items:
        return 0
    target = _Target(*row)
    products = await _products(connection, items[0].job_id)
    taken: set[tuple[str, str]] = set()
    for item in items:
        pictures = target.of(await list_variants(connection, item.id))
        await _plan(connection, target, item, products[item.id], pictures)
        taken.update((item.id, each.preset) for each in pictures)
    mine = and_(deliveries.c.target_id == target_id, deliveries.c.job_id == items[0].job_id)
    columns = [deliveries.c[name] for name in ("id", "item_id", "preset", "path_key")]
    rows = (await connection.execute(select(*columns).where(mine))).all()
    # Of a preset that the target took once and takes no more there may be deliveries too.
    due = [row for row in rows if (row.item_id, row.preset) in taken]
    for row in due:
        await make_due(connection, target_id, row.id, row.path_key)
    return len(due)


async def _renew(connection: AsyncConnection, item: Item) -> None:
    """Have the item's pictures replaced wherever they were sent to, but where a newer product's are by now.

    A target that is off, or takes the preset no more, is no exception: what lies there is out of date.
    """
    columns = [deliveries.c[name] for name in ("id", "target_id", "path_key")]
    older = and_(deliveries.c.item_id == item.id, deliveries.c.revision < item.revision)
    mine = and_(older, deliveries.c.state != "superseded")
    query = select(*columns).where(mine).order_by(deliveries.c.target_id, deliveries.c.id)
    for row in (await connection.execute(query)).all():
        # Who is delivering the earlier picture just now does not end this delivery: see `_settle`.
        renewed = update(deliveries).where(deliveries.c.id == row.id)
        await connection.execute(renewed.values(revision=item.revision))
        await make_due(connection, row.target_id, row.id, row.path_key)


async def make_due(connection: AsyncConnection, target_id: str, delivery_id: str, path_key: str) -> None:
    """Send the delivery now, its whole schedule before it; others of the same path are out of date."""
    await _supersede(connection, target_id, path_key, delivery_id)
    mine = deliveries.c.id == delivery_id
    again = {"state": "waiting", "attempts": 0}
    await connection.execute(update(deliveries).where(mine, deliveries.c.state != "waiting").values(**again))
    await connection.execute(update(deliveries).where(mine).values(next_at=utc_now()))


async def _products(connection: AsyncConnection, job_id: str) -> dict[str, _Product]:
    """Every product of the job by its item's id, named as in the archive.

    A product with a number of its own is the same one in the next job, where its pictures take the place of
    these; the photo ``IMG_0001.jpg`` is another product each time.
    """
    named = await list_names(connection, job_id)
    skus = unique_product_stems((each.sku, each.filename) for each in named)
    photos = unique_stems(each.filename for each in named)
    seen: dict[str, int] = {}
    products = {}
    for each, sku, photo in zip(named, skus, photos, strict=True):
        owner = f"item {each.id}"
        if each.sku is not None:
            seen[each.sku] = seen.get(each.sku, 0) + 1
            owner = f"product {seen[each.sku]} {each.sku}"
        products[each.id] = _Product(sku, photo, owner)
    return products


async def _plan(
    connection: AsyncConnection,
    target: _Target,
    item: Item,
    product: _Product,
    pictures: Sequence[VariantRow],
) -> int:
    query = select(deliveries.c.preset, deliveries.c.content)
    mine = query.where(deliveries.c.target_id == target.id, deliveries.c.item_id == item.id)
    there = {(row.preset, row.content) for row in await connection.execute(mine)}
    written = 0
    for picture in pictures:
        owner = _key(f"{product.owner}\n{picture.preset}")
        name = PictureName(
            job=item.job_id,
            item=item.id,
            sku=product.sku,
            photo=product.photo,
            preset=picture.preset,
            ext=picture.path.rpartition(".")[2],
        )
        for content, path in (await _paths(connection, target, name, owner)).items():
            if (picture.preset, content) in there:
                continue
            delivery_id, path_key = new_id("delivery"), _key(path.casefold())
            await _supersede(connection, target.id, path_key, delivery_id)
            now = utc_now()
            await connection.execute(
                insert(deliveries).values(
                    id=delivery_id,
                    tenant_id=item.tenant_id,
                    target_id=target.id,
                    job_id=item.job_id,
                    item_id=item.id,
                    preset=picture.preset,
                    content=content,
                    revision=item.revision,
                    path=path,
                    path_key=path_key,
                    owner_key=owner,
                    state="waiting",
                    next_at=now,
                    traceparent=traceparent(),
                    created_at=now,
                )
            )
            written += 1
    return written


async def _paths(
    connection: AsyncConnection, target: _Target, name: PictureName, owner: str
) -> dict[str, str]:
    """Where the picture and its report go: the first mark with which neither place is another product's."""
    # The item's own id at last, so that a thousand cameras' IMG_0001 do not make a thousand questions.
    marks = ["", *(f"-{number}" for number in range(2, _MOST_NUMBERS + 1)), f"-{name.item[-12:]}"]
    paths: dict[str, str] = {}
    for mark in marks:
        paths = {"picture": render(target.template, name, mark)}
        if target.reports:
            paths["report"] = report_path(paths["picture"])
        keys = [_key(path.casefold()) for path in paths.values()]
        taken = select(deliveries.c.id).where(
            deliveries.c.target_id == target.id,
            deliveries.c.path_key.in_(keys),
            deliveries.c.owner_key != owner,
        )
        if (await connection.execute(taken.limit(1))).first() is None:
            break
    return paths


async def _supersede(connection: AsyncConnection, target_id: str, path_key: str, newer: str) -> None:
    """An older picture that has not arrived must not arrive after the one that takes its place."""
    older = and_(
        deliveries.c.target_id == target_id, deliveries.c.path_key == path_key, deliveries.c.id != newer
    )
    pending = or_(deliveries.c.state == "waiting", deliveries.c.state == "failed")
    await connection.execute(update(deliveries).where(older, pending).values(state="superseded"))


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
