"""Bases of the parameters of actions; `plugins` names them too. Apart, because they need pydantic."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Params(BaseModel):
    """Base of the parameters of actions: unknown ones are errors; built at first use, because most are not used."""

    model_config = ConfigDict(extra="forbid", defer_build=True)


class NoParams(Params):
    """For actions that take none."""
