"""Settings of a project: `.llmgenie/llmgenie.yaml`, optional."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

CommandName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
FILE_NAME = "llmgenie.yaml"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Command(_Part):
    """A program the agent may run by name: an argument list, never a shell line."""

    argv: list[str] = Field(
        min_length=1,
        description="Program and arguments. `{name}` is replaced by the parameter of that name; it stays one argument.",
        examples=[["pytest", "-q"], ["npm", "run", "{script}"]],
    )
    description: str = Field(default="", description="One sentence for the model that chooses.")
    timeout: float = Field(default=600, gt=0, le=7200, description="Seconds before it is stopped.")
    cwd: str = Field(default=".", description="Folder to run in, relative to the project.")
    env: dict[str, str] = Field(default={}, description="Environment variables to add.")
    params: dict[str, Any] = Field(
        default={},
        description="JSON Schema of the parameters (its `properties` and `required`).",
        examples=[{"properties": {"script": {"enum": ["build", "lint"]}}, "required": ["script"]}],
    )


class Approvals(_Part):
    """How a person may answer."""

    elicitation: bool = Field(default=True, description="Through the client's own dialogue; false: in a terminal only.")


class Hooks(_Part):
    """How hooks are answered."""

    http_port: int | None = Field(
        default=None, ge=1024, le=65535, description="Port on loopback for hosts that call an address; null: none."
    )


class Settings(_Part):
    """All settings of a project."""

    commands: dict[CommandName, Command] = Field(
        default={}, description="Programs by name. `test` is what run_tests runs, `publish` what a release runs."
    )
    approvals: Approvals = Field(default=Approvals(), description="How a person may answer.")
    hooks: Hooks = Field(default=Hooks(), description="How the hooks of agents are answered.")
    durability: Literal["full", "relaxed"] = Field(
        default="full",
        description="`full` waits for the disk before answering; `relaxed` may lose the last second at power loss.",
    )
    lock_timeout: float = Field(default=10, gt=0, le=600, description="Seconds to wait for another process.")
    log_output: int = Field(
        default=4000, ge=0, le=100_000, description="Characters of a command's output kept in the store."
    )
