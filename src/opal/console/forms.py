"""Forms without scripts: the session's token, the scope, then an answer that a reload does not repeat."""

from typing import Final

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from opal.console.page import Page
from opal.console.security import HEADERS
from opal.database.keys import Scope
from opal.errors import OpalError
from opal.faults import message_of
from opal.http.errors import ScopeMissing
from opal.http.sessions import require_own_page

WHOLE: Final = ""
"""Stands for the form itself among the faults of its fields."""


class Form(Page):
    """Where a form of a page is sent to: from that page alone, by who may change settings."""

    needed: Scope = Scope.SETTINGS

    async def admit(self, request: Request) -> None:
        """Raises ``CrossSiteRequest`` too."""
        await super().admit(request)
        # Read once: FastAPI finds the fields where they are kept here.
        fields = await request.form()
        require_own_page(request, request.state.session, str(fields.get("csrf", "")))
        if self.needed not in request.state.scopes:
            raise ScopeMissing(f"This needs a key with the scope `{self.needed}`.")


class OperatorForm(Form):
    """The same for who runs Opal."""

    needed = Scope.OPERATE


class OperatorPage(Page):
    """A page for who runs Opal."""

    async def admit(self, request: Request) -> None:
        """Raises ``ScopeMissing`` for keys without `operate`."""
        await super().admit(request)
        if Scope.OPERATE not in request.state.scopes:
            raise ScopeMissing(f"This page needs a key with the scope `{Scope.OPERATE}`.")


def onward(path: str, done: str) -> Response:
    """To a page of ours, which tells what was ``done`` in the words of that name."""
    return RedirectResponse(f"{path}?done={done}", status_code=303, headers=HEADERS)


def faults_of(error: ValidationError | OpalError) -> dict[str, str]:
    """What is wrong, by the field it is wrong with. Raises ``error`` itself where nobody expected it."""
    if isinstance(error, OpalError):
        if not error.expected:
            raise error
        return {WHOLE: error.message}
    faults: dict[str, str] = {}
    for fault in error.errors(include_url=False, include_input=False):
        place = str(fault["loc"][0]) if fault["loc"] else WHOLE
        faults.setdefault(place, f"{message_of(fault)}.")
    return faults
