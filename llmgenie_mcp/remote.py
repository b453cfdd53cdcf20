"""What settings about places elsewhere are made of: addresses, and the bounds of a request."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError


class Part(BaseModel):
    """Base of all settings: frozen, and a name that is not known is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


def _web_address(url: str) -> str:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        fits = False
    if not fits or parts.username is not None or parts.fragment:
        hint = "Write https://host/path, without a name and password in it; they go into headers or a secret."
        raise PydanticCustomError("url", "{message}", {"message": "This is no web address", "hint": hint})
    return url


Url: TypeAlias = Annotated[str, StringConstraints(max_length=2000), AfterValidator(_web_address)]
"""An http or https address; host and path may hold `{name}` where that is said."""


class Remote(Part):
    """What every call to somewhere else has."""

    allow_private: bool = Field(
        default=False, description="true: the host may have an address in a private network or on this machine."
    )
    timeout: float = Field(default=15, gt=0, le=60, description="Seconds for one request.")
