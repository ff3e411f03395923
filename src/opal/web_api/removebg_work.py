"""One picture, from a request's body to the finished file, while the client waits.

Called by ``removebg.py`` and ``rembg.py``. Read ``Studio.make`` from top to bottom: it is a picture's way.
Nothing is queued or stored, and what is not answered is not charged.
"""

import asyncio
import dataclasses
import hashlib
from dataclasses import dataclass

from opal.assembly import Parts
from opal.cutout_pictures.picture import Picture, make_picture
from opal.cutout_pictures.wanted import MEGAPIXEL, Wanted
from opal.decoder.pictures import decode_photo, probe
from opal.errors import InvalidPhoto
from opal.images.limits import Limits
from opal.images.photo import Photo
from opal.outgoing.client import Outgoing
from opal.scoring_client.client import ScoringClient
from opal.web_api.bare_cutout import bare_cutout
from opal.web_api.removebg_body import Body
from opal.web_api.removebg_caller import Caller, Told, admit, pay
from opal.web_api.removebg_errors import Refused, translate
from opal.web_api.removebg_line import WaitingLine
from opal.web_api.removebg_region import region_of
from opal.web_api.removebg_request import FIELDS
from opal.web_api.removebg_source import Source, background_source, image_source

# Somebody waits: the endpoint is asked again for as long as there is time, as a batch may hold it busy.
_TRIES = 10
_FIRST_WAIT_S = 0.2


@dataclass(frozen=True, slots=True)
class Made:
    """A picture that is paid for."""

    picture: Picture
    credits: float


class Studio:
    """What making pictures needs; one per process."""

    def __init__(self, parts: Parts, outgoing: Outgoing) -> None:
        settings = parts.settings
        self.database = parts.database
        self.settings = settings.removebg
        self.line = WaitingLine(settings.removebg)
        self._outgoing = outgoing
        photo = {"max_bytes": settings.removebg.max_bytes, "oversize": "refuse"}
        self.limits = Limits.of(settings.photo.model_copy(update=photo))
        self._scoring = ScoringClient(
            settings.scoring.model_copy(update={"attempts": _TRIES}),
            deadline_s=settings.removebg.timeout_s,
            first_wait_s=_FIRST_WAIT_S,
        )

    async def fetched(self, source: Source, body: Body, tenant_id: str) -> Source:
        """``source`` as a file, which is the ``body``'s to close. Raises ``Refused``."""
        if source.file is not None:
            return source
        async with self.line.fetching(tenant_id):
            data = await source.download(self._outgoing, self.settings)
            return dataclasses.replace(source, file=await body.keep(source.name, data))

    async def close(self) -> None:
        """Close the connections."""
        await self._scoring.close()

    async def make(self, caller: Caller, body: Body, wanted: Wanted, told: Told, correlation_id: str) -> Made:
        """Fetch, count, cut out, make, charge.

        ``told`` is given the headers that any answer should carry from then on. Raises ``Refused`` and
        ``OpalError``; nothing is charged then, nor when this is cancelled.
        """
        source = image_source(body)
        behind = background_source(body, coloured=wanted.bg_color is not None)
        try:
            async with asyncio.timeout(self.settings.timeout_s):
                # Before it is this one's turn: how long that takes is up to somebody's server.
                source = await self.fetched(source, body, caller.tenant_id)
                if behind is not None:
                    behind = await self.fetched(behind, body, caller.tenant_id)
                async with self.line.working:
                    data = await source.read()
                    header = await asyncio.to_thread(probe, data, self.limits)
                    region = region_of(wanted.roi, *header.upright_size)
                    background = await self._background(behind)
                    paid_as = await asyncio.to_thread(_fingerprint, body, data)
                    megapixels = header.width * header.height / MEGAPIXEL
                    told.headers |= await admit(
                        self.database,
                        caller,
                        paid_as,
                        quarters=wanted.quarters,
                        megapixels=max(1, round(megapixels)),
                        limit=self.settings.rate_limit,
                    )
                    async with self.line.pixels(megapixels):
                        cut = await bare_cutout(
                            self._scoring, caller.tenant_id, data, self.limits, region, correlation_id
                        )
                        picture = await asyncio.to_thread(
                            make_picture, cut.photo, cut.matte, wanted, background, sandbox=caller.sandbox
                        )
                    credits_charged = await pay(self.database, caller, paid_as, wanted.quarters, wanted.size)
        except TimeoutError as error:
            seconds = self.settings.timeout_s
            raise Refused("service_unavailable", f"No picture within {seconds:g} s.") from error
        return Made(picture, credits_charged)

    async def _background(self, behind: Source | None) -> Photo | None:
        if behind is None:
            return None
        data = await behind.read()
        try:
            return await asyncio.to_thread(decode_photo, data, self.limits)
        except InvalidPhoto as error:
            told = translate(error)
            raise Refused(told.code, f"The background: {told.detail}") from error


def _fingerprint(body: Body, data: bytes) -> str:
    """What makes two requests the same: the picture's bytes, the background, every field that counts."""
    digest = hashlib.sha256(hashlib.sha256(data).digest())
    behind = body.files.get("bg_image_file")
    if behind is not None:
        behind.seek(0)
        digest.update(hashlib.sha256(behind.read()).digest())
    for name in (*FIELDS, "bg_image_url"):
        value = body.fields.get(name, "")
        digest.update(f"{name}={len(value)}:{value};".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
