"""What a child may be asked to do with one picture. Runs confined; the answer is all that leaves it.

Called by ``zygote.py`` in the child. Each job looks at the header with the room that the file's size allows,
then gets the room that the picture's pixels need, and only then decodes.
"""

import mmap
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import pyvips

from opal.decoder.bounds import Bounds
from opal.decoder.confine import drop_abilities, raise_bounds, set_bounds
from opal.decoder.wire import receive, send
from opal.errors import InvalidPhoto
from opal.images.ballast import webp_canvas
from opal.images.decode import Keep, decode_photo
from opal.images.existing import look_at_existing
from opal.images.facts import read_facts
from opal.images.limits import Limits, admit, probe, whole_file
from opal.images.matte import read_codes
from opal.images.photo import Photo
from opal.images.sniff import ImageFormat, View

# So libvips' message begins where the system gave no memory.
_OUT_OF_MEMORY = "out of memory"


@dataclass(frozen=True, slots=True)
class Task:
    """One picture's file, what it may be, and where its pixels go."""

    source: int
    size: int
    limits: Limits
    options: Mapping[str, Any]
    outputs: Sequence[int] = ()
    """Descriptors of empty files: pixels, alpha."""


Job: TypeAlias = Callable[[Task], dict[str, Any]]


def work(picture: socket.socket, jobs: Mapping[str, Job]) -> None:
    """Do the one task that comes over `picture`, confined, and answer it."""
    job, task = read_task(picture)
    most = Bounds.of_pixels(task.size, task.limits.most_pixels)
    set_bounds(Bounds.of_header(task.size), most)
    drop_abilities()
    send(picture, answer(jobs[job], task))


def read_task(picture: socket.socket) -> tuple[str, Task]:
    """The job's name, and what to do it with."""
    message, files = receive(picture)
    return message["job"], Task(
        source=files[0],
        size=message["size"],
        limits=Limits(**message["limits"]),
        options=message["options"],
        outputs=files[1:],
    )


def answer(job: Job, task: Task) -> dict[str, Any]:
    """What the job says, or what kept it from saying anything."""
    try:
        return {"done": job(task)}
    except MemoryError:
        return {"exhausted": "memory"}
    except InvalidPhoto as error:
        if _OUT_OF_MEMORY in str(error.__cause__):
            return {"exhausted": "memory"}
        return {"error": error.code, "message": error.message}
    except Exception as error:  # a bug of ours; the service has the log
        return {"fault": f"{type(error).__name__}: {error}"[:2000]}


def look_at_header(task: Task) -> dict[str, Any]:
    """The header, held against the limits; no pixel is decoded."""
    return asdict(probe(_admitted(task), task.limits))


def decode(task: Task) -> dict[str, Any]:
    """A photo."""
    data = _with_room(task, task.limits)
    unblemished = task.options["unblemished"]
    return _told(decode_photo(data, task.limits, unblemished=unblemished, keep=_outside(task)))


def decode_existing(task: Task) -> dict[str, Any]:
    """Any picture, to be judged."""
    data = _with_room(task, whole_file(task.limits))
    photo, facts = look_at_existing(data, task.limits, _outside(task))
    return {**_told(photo), "facts": asdict(facts)}


def tell_facts(task: Task) -> dict[str, Any]:
    """What a file says of itself."""
    return asdict(read_facts(_with_room(task, whole_file(task.limits)), task.limits))


def decode_matte(task: Task) -> dict[str, Any]:
    """A matte that a person edited."""
    data = _with_room(task, whole_file(task.limits))
    codes = read_codes(data, task.options["width"], task.options["height"], _outside(task))
    return {"plane": _form(codes)}


JOBS: Mapping[str, Job] = {
    "header": look_at_header,
    "photo": decode,
    "existing": decode_existing,
    "facts": tell_facts,
    "matte": decode_matte,
}


def _admitted(task: Task) -> View:
    """The file, once it is known to carry no ballast. It is mapped: what nobody looks at is never read."""
    view = mmap.mmap(task.source, task.size, prot=mmap.PROT_READ)
    if admit(view, task.limits) is ImageFormat.WEBP:
        width, height = webp_canvas(view)
        raise_bounds(Bounds.of_header(task.size, canvas=width * height), task.size)
    return view


def _with_room(task: Task, limits: Limits) -> View:
    """The file, with the room to decode what its header says."""
    data = _admitted(task)
    header = probe(data, limits)
    raise_bounds(Bounds.of_pixels(task.size, header.width * header.height), task.size)
    return data


def _outside(task: Task) -> Keep:
    """Keep images in the service's files, row by row as they are decoded, instead of in this process."""
    outputs = dict(zip(("pixels", "alpha"), task.outputs, strict=True))

    def keep(image: pyvips.Image, part: Literal["pixels", "alpha"]) -> pyvips.Image:
        output = outputs[part]
        # A first try, which met damage, may have left something.
        os.ftruncate(output, 0)
        os.lseek(output, 0, os.SEEK_SET)
        image.rawsave_target(pyvips.Target.new_to_descriptor(output))
        written = mmap.mmap(output, 0, prot=mmap.PROT_READ)
        form = (image.width, image.height, image.bands, image.format)
        return pyvips.Image.new_from_memory(written, *form).copy(
            interpretation=image.interpretation, xres=image.xres, yres=image.yres
        )

    return keep


def _told(photo: Photo) -> dict[str, Any]:
    """What is left to say of a photo whose pixels are written."""
    planes = {"pixels": _form(photo.pixels)}
    if photo.alpha is not None:
        planes["alpha"] = _form(photo.alpha)
    return {"planes": planes, "source": asdict(photo.source)}


def _form(image: pyvips.Image) -> dict[str, Any]:
    return {
        "width": image.width,
        "height": image.height,
        "bands": image.bands,
        "format": image.format,
        "interpretation": image.interpretation,
        "xres": image.xres,
        "yres": image.yres,
    }
