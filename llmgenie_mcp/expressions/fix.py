"""The way out of a refusal, as a definition names it. Apart, because it needs pydantic."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from llmgenie_mcp.expressions.sources import MessageSource, check_params


class Fix(BaseModel):
    """The way out of a refusal: an action that would help."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    action: str = Field(
        min_length=1, max_length=200, description="Name of the action that helps.", examples=["start_review"]
    )
    params: dict[str, JsonValue] = Field(
        default={},
        description="Its parameters; `{dotted.names}` in texts are filled in.",
        examples=[{"branch": "{resource.branch}"}],
    )
    message: MessageSource = Field(default="", description="What else to know; `{dotted.names}` are filled in.")

    @model_validator(mode="after")
    def _check_templates(self) -> Fix:
        check_params(self.params, "params")
        return self
