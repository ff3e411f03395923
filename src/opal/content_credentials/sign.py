"""Signs finished pictures, with the certificate that the settings name.

Called by `create_variants` for every picture; built at start by export-worker and `opal process`, and for
a trial by `opal doctor`.
"""

import io
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from opal.content_credentials.certificate import CERTIFICATE, Credential, read_credential
from opal.content_credentials.manifest import Making, manifest_of
from opal.errors import InvalidSettings, SigningFailed
from opal.images.encode import MEDIA_TYPE, OutputFormat, encode
from opal.images.photo import SourceInfo
from opal.images.sniff import ImageFormat
from opal.settings import SigningSettings

# No thumbnails (the picture is one), and nothing is fetched from the network but the timestamp. Actions and
# ingredients are of our own making: left alone, the library files them as "gathered", hearsay that the
# signer does not answer for.
_OPTIONS = {
    "builder": {
        "thumbnail": {"enabled": False},
        "created_assertion_labels": ["c2pa.actions", "c2pa.ingredient"],
    },
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
}
# A grey square: as small as a file of each format can be, to sign for trial.
_TRIAL_SIDE = 16


@dataclass(frozen=True, slots=True)
class PictureSigner:
    """Signs pictures in one name. Safe for several threads."""

    credential: Credential
    timestamp_url: str | None = None

    @classmethod
    def of(cls, settings: SigningSettings) -> Self | None:
        """The signer that the settings name, tried out once; None where pictures are not to be signed.

        The library takes any text for a certificate and any certificate for its own until it signs, hence
        the trial. The timestamp authority is left out of it: a service may start while that is away.
        Raises InvalidSettings with one line of what is wrong.
        """
        credential = read_credential(settings)
        if credential is None:
            return None
        try:
            cls(credential).try_out()
        except SigningFailed as error:
            raise InvalidSettings(
                f"{CERTIFICATE}: this certificate cannot sign pictures: {error.message}"
            ) from error
        return cls(credential, settings.timestamp_url)

    def sign(self, data: bytes, output: OutputFormat, making: Making) -> bytes:
        """The same picture with a signed manifest in it; its pixels and metadata stay as they are.

        No two calls give the same bytes. Raises SigningFailed.
        """
        import c2pa  # noqa: PLC0415 - 0.15 s that an unsigned run need not wait

        try:
            # A signer and a context each time: together under a millisecond, and no thread waits.
            with (
                self._signer(self.timestamp_url) as signer,
                c2pa.Context.from_dict(_OPTIONS) as context,
                c2pa.Builder(manifest_of(making, output), context=context) as builder,
            ):
                signed = io.BytesIO()
                builder.sign(signer, MEDIA_TYPE[output], io.BytesIO(data), signed)
        except c2pa.C2paError as error:
            raise SigningFailed(f"The picture could not be signed: {error}.") from error
        return signed.getvalue()

    def growth(self, output: OutputFormat, making: Making) -> int:
        """Bytes that `sign` will add, to within a few: room to leave in a byte budget.

        Measured on a small picture of the same format, without asking the timestamp authority: the
        library pads a signature to a size that it knows beforehand. Raises SigningFailed.
        """
        plain = _trial_picture(output)
        signed = PictureSigner(self.credential).sign(plain, output, making)
        return len(signed) - len(plain) + self._timestamp_bytes()

    def try_out(self) -> None:
        """Sign a small picture of no importance. Raises SigningFailed when that does not work."""
        self.sign(_trial_picture("jpeg"), "jpeg", _TRIAL)

    def _signer(self, timestamp_url: str | None) -> Any:
        import c2pa  # noqa: PLC0415

        credential = self.credential
        return c2pa.Signer.from_info(
            c2pa.C2paSignerInfo(credential.algorithm, credential.chain, credential.key, timestamp_url)
        )

    def _timestamp_bytes(self) -> int:
        if self.timestamp_url is None:
            return 0
        with self._signer(self.timestamp_url) as stamped, self._signer(None) as plain:
            return int(stamped.reserve_size() - plain.reserve_size())


def _trial_picture(output: OutputFormat) -> bytes:
    return encode(np.full((_TRIAL_SIDE, _TRIAL_SIDE, 3), 128, np.uint8), output)


_TRIAL = Making(
    title="trial.jpg",
    original=SourceInfo(ImageFormat.JPEG, 0, _TRIAL_SIDE, _TRIAL_SIDE, 1, None, 8, "0" * 64),
    own_cutout=False,
    ground="solid",
    backdrop=None,
    scale=1.0,
    straightened_degrees=0.0,
    relit=False,
    digital_source_type=None,
)
