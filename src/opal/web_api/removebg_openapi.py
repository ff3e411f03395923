"""What OpenAPI says about the remove.bg routes. Their bodies and errors have forms of their own.

Called by ``removebg.py`` and its neighbours, as keyword arguments of a route.
"""

from typing import Any, Final

from pydantic import BaseModel, Field
from starlette.responses import Response

from opal.cutout_pictures.wanted import SIZES
from opal.web_api.removebg_errors import TITLES
from opal.web_api.removebg_request import CHANNELS, FORMATS, SHADOWS, TYPE_LEVELS, TYPES


class RemoveBgFault(BaseModel):
    """One error as remove.bg's clients expect it."""

    title: str = Field(examples=["No image given"])
    code: str = Field(examples=["missing_source"])
    detail: str = Field(examples=["Send one of image_file, image_file_b64 and image_url."])


class RemoveBgErrors(BaseModel):
    """The body of every answer that is no success; never empty."""

    errors: list[RemoveBgFault] = Field(min_length=1)


_FILE: Final = {"type": "string", "format": "binary"}
_TEXTS: Final[dict[str, str]] = {
    "image_file_b64": "The picture in base64.",
    "image_url": "Where the picture is; an https:// address that everybody can reach.",
    "size": f"Largest result: {', '.join(SIZES)}. Left out: preview.",
    "type": f"What to look for: {', '.join(TYPES)}. Only X-Type follows it.",
    "type_level": f"How exactly X-Type is told: {', '.join(TYPE_LEVELS)}; none leaves it out.",
    "format": f"{', '.join(FORMATS)}. auto: PNG where the result may be transparent, else JPEG.",
    "roi": "The only part with a subject in it: x1 y1 x2 y2, each in px or %.",
    "crop": "true cuts empty ground off.",
    "crop_margin": "Ground left around the cropped subject: one, two or four lengths in px or %.",
    "scale": "original, or 10% to 100%: the subject's share of the canvas.",
    "position": "original, center, or one or two percentages.",
    "channels": f"{' or '.join(CHANNELS)}.",
    "add_shadow": "true is shadow_type=auto.",
    "shadow_type": f"{', '.join(SHADOWS)}.",
    "shadow_opacity": "0 to 100.",
    "semitransparency": "Accepted, and without effect.",
    "bg_color": "Hex digits, or a colour's name.",
    "bg_image_url": "Where a background picture is.",
}
_EXAMPLE: Final = {"image_url": "https://shop.example/mug.jpg", "size": "auto", "format": "png"}


def _form(*, files: bool) -> dict[str, Any]:
    texts = {name: {"type": "string", "description": text} for name, text in _TEXTS.items()}
    pictures = {
        "image_file": {**_FILE, "description": "The picture."},
        "bg_image_file": {**_FILE, "description": "A background picture."},
    }
    properties = {**pictures, **texts} if files else texts
    return {"schema": {"type": "object", "properties": properties}, "example": _EXAMPLE}


def refusals(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The ``responses=`` of a route: these errors, grouped by status."""
    found: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        status, title = TITLES[code]
        value = {"errors": [{"title": title, "code": code, "detail": f"{title}."}]}
        content: dict[str, Any] = {"application/json": {"examples": {}}}
        entry = found.setdefault(status, {"description": "", "model": RemoveBgErrors, "content": content})
        examples = entry["content"]["application/json"]["examples"]
        examples[code] = {"value": value}
        entry["description"] = ", ".join(examples)
    return found


KEY: Final = ("missing_api_key", "auth_failed")
ALWAYS: Final = ("internal_error", "service_unavailable")
_ACCOUNT_EXAMPLE: Final = {
    "data": {
        "attributes": {
            "credits": {"total": 97, "subscription": 0, "payg": 97, "enterprise": 0},
            "api": {"free_calls": 0, "sizes": "all"},
        }
    }
}
_JSON_EXAMPLE: Final = {
    "data": {
        "result_b64": "iVBORw0KGgo=",
        "foreground_top": 12,
        "foreground_left": 40,
        "foreground_width": 310,
        "foreground_height": 288,
    }
}
_PICTURE: Final = {"schema": {"type": "string", "format": "binary"}}
_SOURCE_FAULTS: Final = (
    *("missing_source", "multiple_sources", "invalid_image_url", "failed_image_download"),
    *("failed_to_read_image", "invalid_file_type", "file_too_large", "resolution_too_high"),
    "invalid_dimensions",
)
_SECURITY: Final[list[dict[str, list[str]]]] = [{"APIKeyHeader": []}]

REMOVE_BACKGROUND: Final[dict[str, Any]] = {
    "summary": "Remove a background, as remove.bg does",
    "response_class": Response,
    "responses": {
        200: {
            "description": "The picture; JSON when the request accepts application/json.",
            "content": {
                "image/png": _PICTURE,
                "image/jpeg": _PICTURE,
                "image/webp": _PICTURE,
                "application/zip": _PICTURE,
                "application/json": {"schema": {"type": "object"}, "example": _JSON_EXAMPLE},
            },
        },
        **refusals(
            *(code for code, (status, _) in TITLES.items() if status == 400 and code != "invalid_tag"),
            "insufficient_credits",
            *KEY,
            "request_timeout",
            "rate_limit_exceeded",
            "too_many_requests",
            *ALWAYS,
        ),
    },
    "openapi_extra": {
        "security": _SECURITY,
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": _form(files=True),
                "application/x-www-form-urlencoded": _form(files=False),
                "application/json": _form(files=False),
            },
        },
    },
}
ACCOUNT: Final[dict[str, Any]] = {
    "summary": "Credits, as remove.bg tells them",
    "responses": {
        200: {"description": "What is left.", "content": {"application/json": {"example": _ACCOUNT_EXAMPLE}}},
        **refusals(*KEY, "rate_limit_exceeded", *ALWAYS),
    },
    "openapi_extra": {"security": _SECURITY},
}

IMPROVE: Final[dict[str, Any]] = {
    "summary": "Keep a picture for the operator to look at",
    "response_class": Response,
    "responses": {
        200: {
            "description": "It is kept under this id.",
            "content": {
                "application/json": {
                    "schema": {"type": "object"},
                    "example": {"id": "7c0f2f0e-3a52-4c3c-9f0a-0f4f3d1f9b1e"},
                }
            },
        },
        **refusals(
            *_SOURCE_FAULTS,
            *("invalid_tag", "invalid_request", "improve_disabled", *KEY),
            *("request_timeout", "rate_limit_exceeded", "too_many_requests", *ALWAYS),
        ),
    },
    "openapi_extra": {
        "security": _SECURITY,
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": {
                            "image_file": _FILE,
                            **{
                                name: {"type": "string"}
                                for name in ("image_file_b64", "image_url", "image_filename", "tag")
                            },
                        },
                    },
                    "example": {"image_url": "https://shop.example/mug.jpg", "tag": "handles"},
                }
            },
        },
    },
}
_REMBG_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The picture.", "content": {"image/png": _PICTURE}},
    **refusals(
        *_SOURCE_FAULTS,
        *("unknown_foreground", "invalid_bg_color", "invalid_request"),
        *("insufficient_credits", *KEY, "request_timeout", "rate_limit_exceeded", "too_many_requests"),
        *ALWAYS,
    ),
}
REMBG_GET: Final[dict[str, Any]] = {
    "summary": "Remove a background, as rembg does, by address",
    "response_class": Response,
    "responses": _REMBG_RESPONSES,
    "openapi_extra": {
        "security": _SECURITY,
        "parameters": [
            {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
            for name, text in (
                ("url", "Where the picture is."),
                ("om", "true answers with the mask alone."),
                ("bgc", "Ground as red,green,blue,alpha; 0 to 255."),
            )
        ],
    },
}
REMBG_POST: Final[dict[str, Any]] = {
    "summary": "Remove a background, as rembg does",
    "response_class": Response,
    "responses": _REMBG_RESPONSES,
    "openapi_extra": {
        "security": _SECURITY,
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": {
                            "file": {**_FILE, "description": "The picture."},
                            "om": {"type": "string", "description": "true answers with the mask alone."},
                            "bgc": {"type": "string", "description": "Ground as red,green,blue,alpha."},
                        },
                    },
                    "example": {"om": "false"},
                }
            },
        },
    },
}
