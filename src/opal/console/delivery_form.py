"""The form of a new delivery target: its fields as the API wants them, what is wrong with them at its field.

Used by ``delivery_pages.py``. What it is sent has secrets in it: they go into the request to the API and
nowhere else, and are never put back into the form.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from opal.console.forms import WHOLE
from opal.console.words import words
from opal.destinations.places import azure_secret
from opal.errors import AddressRefused, InvalidDeliveryTarget, OpalError
from opal.faults import message_of
from opal.items.delivery_path import check_template
from opal.outgoing_settings import DeliverySettings
from opal.web_api.delivery_targets import NewTarget

Kind = Literal["folder", "azure", "s3"]

_FIELDS: Final[dict[Kind, tuple[str, ...]]] = {
    "folder": ("folder",),
    "azure": ("container_url", "account", "sas", "account_key"),
    "s3": ("bucket", "region", "endpoint", "addressing", "access_key_id"),
}
_S3_SECRETS: Final = ("secret_access_key", "session_token")
_ADDRESS: Final[dict[Kind, str]] = {"folder": "folder", "azure": "container_url", "s3": "endpoint"}
"""Of each kind the field that says where it is, and so what is wrong with the place as a whole."""

_LONG: Final = 10_000
_TEXT: Final = Field(default="", max_length=_LONG)
_SECRET: Final = Field(default=SecretStr(""), max_length=_LONG)


class SentTarget(BaseModel):
    """The form's fields; those of the kinds that were not chosen are left alone."""

    model_config = ConfigDict(extra="ignore")

    kind: Kind = "s3"
    name: str = _TEXT
    template: str = _TEXT
    reports: bool = False
    folder: str = _TEXT
    container_url: str = _TEXT
    account: str = _TEXT
    sas: SecretStr = _SECRET
    account_key: SecretStr = _SECRET
    bucket: str = _TEXT
    region: str = _TEXT
    endpoint: str = _TEXT
    addressing: str = _TEXT
    access_key_id: str = _TEXT
    secret_access_key: SecretStr = _SECRET
    session_token: SecretStr = _SECRET

    def target(self) -> NewTarget:
        """The same for the API. Raises ``ValidationError``, and ``FieldFault`` for what that does not see."""
        names = (*_FIELDS[self.kind], *(_S3_SECRETS if self.kind == "s3" else ()))
        place = {name: value for name in names if (value := self._given(name))}
        wanted: dict[str, Any] = {
            "name": self.name.strip(),
            "destination": {"kind": self.kind, **place},
            "reports": self.reports,
        }
        if template := self.template.strip():
            wanted["template"] = template
        target = NewTarget.model_validate(wanted)
        with _at("template"):
            check_template(target.template)
        if self.kind == "azure":
            with _at("sas"):
                azure_secret(place.get("sas"), place.get("account_key"))
        return target

    def shown(self) -> dict[str, Any]:
        """What the form is shown with again: everything but the secrets."""
        return self.model_dump(exclude={"sas", "account_key", *_S3_SECRETS})

    def _given(self, name: str) -> str:
        value = getattr(self, name)
        return (value.get_secret_value() if isinstance(value, SecretStr) else str(value)).strip()


class FieldFault(Exception):
    """Raised inside this form: ``message`` is what is wrong with the field of that name."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


@contextmanager
def _at(field: str) -> Iterator[None]:
    """A block whose ``InvalidDeliveryTarget`` belongs to one field."""
    try:
        yield
    except InvalidDeliveryTarget as error:
        raise FieldFault(field, error.message) from error


def kinds_of(settings: DeliverySettings) -> list[Kind]:
    """The kinds of places that there are here."""
    return ["s3", "azure"] if settings.folder_root is None else ["s3", "azure", "folder"]


def target_faults(
    sent: SentTarget, error: ValidationError | OpalError | FieldFault, kinds: Collection[Kind]
) -> dict[str, str]:
    """What is wrong, by the field it is wrong with; the form has those of ``kinds``.

    Raises ``error`` itself where nobody expected it.
    """
    if isinstance(error, FieldFault):
        return {error.field: error.message}
    if isinstance(error, InvalidDeliveryTarget | AddressRefused):
        return {_ADDRESS[sent.kind] if sent.kind in kinds else WHOLE: error.message}
    if isinstance(error, OpalError):
        if not error.expected:
            raise error
        return {WHOLE: error.message}
    faults: dict[str, str] = {}
    for fault in error.errors(include_url=False, include_input=False):
        named = [str(part) for part in fault["loc"] if part in SentTarget.model_fields]
        told = words().say("targets.needed") if fault["type"] == "missing" else f"{message_of(fault)}."
        faults.setdefault(named[-1] if named else WHOLE, told)
    return faults
