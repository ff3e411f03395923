"""The client's half of `opal demo`: jobs, uploads, following, downloads, all at once, with progress."""

import asyncio
import secrets
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from opal.cli.api_client import TERMINAL, ApiClient, DownloadDamaged
from opal.cli.photo_files import result_folders
from opal.cli.report import ReportError, ReportItem, ReportVariant, least_faithful
from opal.errors import OpalError

SCENES = ("studio-white", "studio-warm", "studio-grey")
"""One job per scene; the photos take turns."""

PRESETS = ("square-1x1", "landscape-4x3", "story-9x16", "amazon-main", "cutout-png")

_STAGES = ("created", "uploaded", "queued", "processing", "completed", "exported", "done")


@dataclass(frozen=True, slots=True)
class DemoPhoto:
    """A photo to send, the folder for its results, and the scene it is placed in."""

    path: Path
    folder: str
    scene: str


@dataclass(slots=True)
class _Sent:
    """A photo on its way: its ids, and when it was uploaded."""

    photo: DemoPhoto
    job_id: str
    item_id: str
    bar: TaskID
    state: str = "created"
    began: float = 0.0
    ended: float = 0.0
    refusal: ReportError | None = None
    variants: dict[str, Any] = field(default_factory=dict)


def plan_photos(photos: Sequence[Path]) -> list[DemoPhoto]:
    """Spread the photos over the scenes."""
    folders = result_folders(photos)
    return [
        DemoPhoto(path, folder, SCENES[number % len(SCENES)])
        for number, (path, folder) in enumerate(zip(photos, folders, strict=True))
    ]


class DemoRun:
    """Sends the photos and collects everything that was made of them into ``out``."""

    def __init__(self, out: Path, photos: Sequence[DemoPhoto]) -> None:
        self.items: list[ReportItem] = []
        self.ready_s = 0.0
        self.photos_s = 0.0
        self._out = out
        self._photos = photos

    async def work(self, base_url: str, key: str, console: Console) -> None:
        """Everything, until each photo is finished and downloaded; results are in ``items``."""
        progress = Progress(
            TextColumn("{task.fields[name]:<28}"),
            BarColumn(bar_width=28),
            TextColumn("{task.fields[state]:<12}"),
            TimeElapsedColumn(),
            console=console,
        )
        with progress:
            async with ApiClient(base_url, key) as api:
                by_scene = {
                    scene: [photo for photo in self._photos if photo.scene == scene] for scene in SCENES
                }
                jobs = [
                    self._run_job(api, progress, scene, photos)
                    for scene, photos in by_scene.items()
                    if photos
                ]
                finished = [sent for job in await asyncio.gather(*jobs) for sent in job]
        order = {photo.folder: number for number, photo in enumerate(self._photos)}
        finished.sort(key=lambda pair: order[pair[0].photo.folder])
        self.items = [item for _, item in finished]

    async def _run_job(
        self, api: ApiClient, progress: Progress, scene: str, photos: Sequence[DemoPhoto]
    ) -> list[tuple[_Sent, ReportItem]]:
        names = [photo.path.name for photo in photos]
        key = f"demo-{secrets.token_hex(8)}"
        job = await api.create_job(f"demo {scene}", scene, PRESETS, names, idempotency_key=key)
        sent = {
            item["id"]: _Sent(photo, job["id"], item["id"], _bar(progress, photo))
            for photo, item in zip(photos, job["items"], strict=True)
        }
        downloads: list[asyncio.Task[None]] = []
        uploading = asyncio.gather(*(self._upload(api, progress, each) for each in sent.values()))
        async for change in api.follow(job["id"]):
            each = sent[change.item_id]
            _show(progress, each, change.state)
            if change.state in TERMINAL:
                each.ended = time.monotonic()
            if change.state == "exported":
                downloads.append(asyncio.create_task(self._download(api, progress, each)))
        await asyncio.gather(uploading, *downloads)
        if downloads:
            await self._check_archive(api, job["id"], [each for each in sent.values() if each.variants])
        views = {item["id"]: item for item in (await api.job(job["id"]))["items"]}
        return [(each, self._item(each, views[item_id])) for item_id, each in sent.items()]

    async def _upload(self, api: ApiClient, progress: Progress, sent: _Sent) -> None:
        sent.began = time.monotonic()
        _show(progress, sent, "uploading")
        try:
            await api.upload(sent.job_id, sent.item_id, sent.photo.path)
        except OpalError as error:
            sent.refusal = ReportError(code=error.code, message=error.message)

    async def _download(self, api: ApiClient, progress: Progress, sent: _Sent) -> None:
        """Scene, matte and every variant by their signed URLs, checked against their hashes."""
        answer = await api.variants(sent.job_id, sent.item_id)
        folder = self._out / sent.photo.folder
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("scene", "matte"):
            await api.download(answer[name]["url"], folder / f"{name}.png")
        for variant in answer["variants"]:
            await api.download(variant["url"], folder / _file_name(variant), variant["sha256"])
        sent.variants = answer
        _show(progress, sent, "done")

    async def _check_archive(self, api: ApiClient, job_id: str, sent: Sequence[_Sent]) -> None:
        """Fetch the job's zip as well and hold it against what was downloaded one by one."""
        target = self._out / f"{job_id}.zip"
        await api.archive(job_id, target)
        expected = sum(len(each.variants["variants"]) for each in sent)
        with zipfile.ZipFile(target) as archive:
            damaged = archive.testzip()
            pictures = [name for name in archive.namelist() if "/" in name]
        if damaged is not None or len(pictures) != expected:
            raise DownloadDamaged(f"{target.name}: {damaged or f'{len(pictures)} of {expected} pictures'}")
        target.unlink()

    def _item(self, sent: _Sent, view: dict[str, Any]) -> ReportItem:
        folder = sent.photo.folder
        variants = [
            ReportVariant.model_validate({**variant, "path": f"{folder}/{_file_name(variant)}"})
            for variant in sent.variants.get("variants", [])
        ]
        done = bool(variants)
        error = view["error"] or (sent.refusal and sent.refusal.model_dump())
        return ReportItem(
            source=sent.photo.path.name,
            status=view["state"],
            seconds=round(max(sent.ended - sent.began, 0.0), 2),
            error=ReportError.model_validate(error) if error else None,
            matte=f"{folder}/matte.png" if done else None,
            scene=f"{folder}/scene.png" if done else None,
            confidence=view["confidence"],
            confidence_reasons=view["confidence_reasons"],
            review=view["review"],
            fidelity=least_faithful(variants),
            variants=variants,
        )


def _file_name(variant: dict[str, Any]) -> str:
    return f"{variant['preset']}{Path(variant['filename']).suffix}"


def _bar(progress: Progress, photo: DemoPhoto) -> TaskID:
    return progress.add_task("", total=len(_STAGES) - 1, name=photo.path.name, state="created")


def _show(progress: Progress, sent: _Sent, state: str) -> None:
    sent.state = state
    if state in _STAGES:
        progress.update(sent.bar, completed=_STAGES.index(state), state=state)
    else:
        progress.update(sent.bar, state=state)
    if state in {"failed", "cancelled", "done"}:
        progress.stop_task(sent.bar)
