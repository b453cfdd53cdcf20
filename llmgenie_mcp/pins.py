"""Settings of a project about plug-ins: which are switched off, and which version of one must be installed."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from llmgenie_mcp.distributions import normalized

PluginName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$", max_length=100),
    AfterValidator(normalized),
]
PluginVersion = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.!+*]+$", max_length=60)]


class Plugins(BaseModel):
    """Which plug-ins, by the name of the installed distribution, have a say in this project."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    disabled: tuple[PluginName, ...] = Field(
        default=(), description="Switched off here, as if not installed.", examples=[["llmgenie-hello"]]
    )
    pinned: dict[PluginName, PluginVersion] = Field(
        default={},
        description="The version that must be installed; `*` stands for any characters. With another one, its actions "
        "are refused.",
        examples=[{"llmgenie-hello": "1.0.*"}],
    )
