"""Settings of a project: `.llmgenie/llmgenie.yaml`, optional."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, JsonValue, StringConstraints, model_validator

from llmgenie_mcp.errors import shorten
from llmgenie_mcp.expressions.mistake import KEY, mistake
from llmgenie_mcp.expressions.sources import ExpressionSource, MessageSource
from llmgenie_mcp.operations import OPERATIONS
from llmgenie_mcp.pins import Plugins
from llmgenie_mcp.remote import Part, Remote, Url
from llmgenie_mcp.rules import Adjustment
from llmgenie_mcp.secret import Secret
from llmgenie_mcp.tracking import Tracker
from llmgenie_mcp.triggers import EventPattern, EventPatterns, TriggerName, TriggerRule

CommandName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
Name = TriggerName
RESERVED = frozenset(name.partition(".")[0] for name in OPERATIONS)
"""First words of what agents do elsewhere (`git.push`), which no action may be called."""


def _no_operation(name: str) -> str:
    if name in RESERVED:
        said = f"{name!r} begins the names of operations such as {name}.…"
        raise mistake(said, f"Call it {name}-server, for example.")
    return name


UpstreamName = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*$", max_length=40), AfterValidator(_no_operation)
]
FILE_NAME = "llmgenie.yaml"


PLACEHOLDER = re.compile(r"\{(\w+)\}")
"""A parameter's name where its value goes."""


def split_address(url: str) -> tuple[str, str]:
    """A web address as scheme and host, which no parameter may change, and the rest."""
    found = re.match(r"[^:]*://[^/?]*", url)
    end = found.end() if found else 0
    return url[:end], url[end:]


def check_host(origin: str) -> None:
    """Refuse an address whose host a parameter would choose. Raises PydanticCustomError."""
    if "{" in origin:
        hint = "Write the host out; parameters stand in path and query."
        raise mistake("No parameter chooses the host", hint, "url", offset=origin.index("{"))


class Command(Part):
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


class Approvals(Part):
    """How a person may answer."""

    elicitation: bool = Field(default=True, description="Through the client's own dialogue; false: in a terminal only.")


class Hooks(Part):
    """How hooks are answered."""

    http_port: int | None = Field(
        default=None, ge=1024, le=65535, description="Port on loopback for hosts that call an address; null: none."
    )


class Webhook(Remote):
    """Where events are posted to, signed by the Standard Webhooks specification."""

    url: Url = Field(description="Where to.", examples=["https://example.org/hooks/llmgenie"])
    events: EventPatterns = Field(
        description="Types of events; `*` stands for any characters.", examples=[["review.*"]]
    )
    when: ExpressionSource = Field(default="true", description="Condition over the event; unknown is no.")
    secret: Secret | None = Field(default=None, description="Of the form whsec_…; null: not signed.")
    headers: dict[str, str] = Field(default={}, description="Headers to add.")
    max_bytes: int = Field(default=65_536, ge=0, le=1_000_000, description="Bytes read of the answer at most.")


RECEIVERS = ("github", "gitlab", "standard")
"""The kinds that llmgenie itself brings; plug-ins bring others."""


def _kind_of_receiver(kind: str) -> str:
    if kind not in RECEIVERS:
        from llmgenie_mcp import plugins

        if kind not in (known := plugins.receivers()):
            hint = f"There are: {', '.join(sorted(known))}. Plug-ins bring others: llmgenie plugins."
            raise mistake(f"Nothing here receives webhooks of the kind {shorten(kind)!r}", hint)
    return kind


ReceiverKind = Annotated[str, StringConstraints(min_length=1, max_length=60), AfterValidator(_kind_of_receiver)]


class Receiver(Part):
    """A sender of webhooks to us, at /webhooks/NAME."""

    kind: ReceiverKind = Field(
        description="How it signs, and how its events are read: standard, github, gitlab, or a plug-in's.",
        examples=list(RECEIVERS),
    )
    secret: Secret = Field(description="What it signs with.")


class Notification(Part):
    """People who are told, through Apprise."""

    to: tuple[Secret, ...] = Field(
        min_length=1,
        description="Apprise addresses (https://github.com/caronc/apprise/wiki), each kept as a secret.",
        examples=[[{"env": "CHAT_ADDRESS"}]],
    )
    events: tuple[EventPattern, ...] = Field(
        default=(), description="Types of events; `*` stands for any characters; empty: only what `notify` sends."
    )
    when: ExpressionSource = Field(default="true", description="Condition over the event; unknown is no.")
    title: MessageSource = Field(default="llmgenie: {event.type}", description="Template of the title.")
    body: MessageSource = Field(default="{event.subject} {event.data}", description="Template of the text.")
    per_minute: int = Field(
        default=10, ge=0, le=1000, description="Messages a minute that agents may send with notify."
    )


class Ci(Remote):
    """A CI workflow that `start_ci` starts; `ci.finished` tells of its end."""

    kind: Literal["github", "gitlab"] = Field(description="GitHub Actions, or GitLab CI/CD.")
    project: str = Field(
        min_length=1, max_length=300, description="owner/repository, or GitLab's project path or number."
    )
    workflow: str = Field(default="", max_length=200, description="GitHub: the workflow's file name or number.")
    ref: str = Field(default="", max_length=250, description="Branch or tag; empty: the branch of the session.")
    inputs: dict[str, str | None] = Field(
        default={},
        description="GitHub: inputs; GitLab: variables. Only those named here may be given; null: no value of its own.",
    )
    token: Secret = Field(description="Token of the API.")
    api: Url | None = Field(default=None, description="Address of the API, where it is not the vendor's own.")
    poll: float = Field(default=15, gt=0, le=600, description="Seconds between looks whether it has ended.")
    give_up: float = Field(default=7200, gt=0, le=172_800, description="Seconds after which nobody looks any more.")

    @model_validator(mode="after")
    def _check_github(self) -> Ci:
        if self.kind == "github" and not (self.workflow and re.fullmatch(r"[\w.-]+/[\w.-]+", self.project)):
            said = "GitHub's workflows are started by `project` and `workflow`"
            hint = (
                "Write project: owner/repository, and workflow: the name of a file in .github/workflows, or its number."
            )
            raise mistake(said, hint, "project" if self.workflow else "workflow")
        return self


class Call(Remote):
    """An HTTP call that `call_http` makes by name."""

    url: Url = Field(description="Where to; `{name}` in path and query is replaced by the parameter, encoded.")
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = Field(default="POST", description="HTTP method.")
    headers: dict[str, str] = Field(default={}, description="Headers; no secrets.")
    secret_headers: dict[str, Secret] = Field(
        default={}, description="Headers whose value is a secret, such as Authorization."
    )
    body: JsonValue = Field(default=None, description="Sent as JSON; `{name}` in texts is replaced; null: no body.")
    params: dict[str, Any] = Field(default={}, description="JSON Schema of the parameters, as for commands.")
    description: str = Field(default="", max_length=500, description="One sentence for the model that chooses.")
    max_bytes: int = Field(default=65_536, ge=0, le=1_000_000, description="Bytes read of the answer at most.")

    @model_validator(mode="after")
    def _check_address(self) -> Call:
        origin, rest = split_address(self.url)
        declared = self.params.get("properties", {})
        known = declared if isinstance(declared, Mapping) else {}
        check_host(origin)
        if unknown := [found for found in PLACEHOLDER.finditer(rest) if found[1] not in known]:
            said = f"{unknown[0][0]} is no parameter"
            hint = f"Declare it: params: {{properties: {{{unknown[0][1]}: {{type: string}}}}}}."
            raise mistake(said, hint, "url", offset=len(origin) + unknown[0].start())
        return self


class Model(Part):
    """A language model that `ask_model` and `review_diff` may ask."""

    kind: Literal["openai", "ollama"] = Field(description="`openai`: any endpoint with an OpenAI-compatible API.")
    url: Url = Field(description="Of the API.", examples=["https://api.openai.com/v1", "http://127.0.0.1:11434"])
    model: str = Field(min_length=1, max_length=200, description="The model, as the endpoint calls it.")
    description: str = Field(default="", max_length=300, description="What it is good for, for the agent that chooses.")
    key: Secret | None = Field(default=None, description="The API's key; null: it needs none.")
    max_tokens: int = Field(default=2048, ge=1, le=200_000, description="Tokens of one answer at most.")
    context: int = Field(
        default=32_768, ge=512, le=10_000_000, description="Tokens that prompt and answer have room for together."
    )
    timeout: float = Field(default=300, gt=0, le=3600, description="Seconds until the answer must be whole.")
    price_in: float | None = Field(default=None, ge=0, le=1e6, description="Price of a million tokens of prompts.")
    price_out: float | None = Field(default=None, ge=0, le=1e6, description="Price of a million tokens of answers.")
    allow_private: bool = Field(
        default=False, description="true: the host may have an address in a private network or on this machine."
    )


class Opinions(Part):
    """What `review_diff` asks about, and whom."""

    model: str = Field(default="", max_length=60, description="The model whose opinion counts; empty: any of `models`.")
    base: str = Field(
        default="", max_length=250, description="Branch that changes go to; empty: origin's own, else main or master."
    )
    skip: tuple[str, ...] = Field(
        default=(), max_length=100, description="Paths left out of the diff.", examples=[["**/package-lock.json"]]
    )


class Login(Part):
    """How llmgenie logs in to a server elsewhere, where it is not to register itself there as a client."""

    client_id: str = Field(min_length=1, max_length=500, description="The client, as it is registered there.")
    client_secret: Secret | None = Field(default=None, description="The client's secret; null: it has none.")
    issuer: Url | None = Field(
        default=None, description="The authorization server's issuer: the client is shown to no other."
    )
    scope: str = Field(default="", max_length=1000, description="Scopes to ask for; empty: what the server names.")
    grant: Literal["authorization_code", "client_credentials"] = Field(
        default="authorization_code",
        description="By a person (llmgenie upstream login), or by the client's own secret.",
    )

    @model_validator(mode="after")
    def _check_secret(self) -> Login:
        if self.grant == "client_credentials" and (self.client_secret is None or self.issuer is None):
            said = "A client that logs in by itself needs a secret, and an issuer to show it to"
            hint = "Give client_secret: {env: NAME} and issuer: https://…, or leave `grant` out."
            raise mistake(said, hint, "grant")
        return self


class Upstream(Part):
    """Another MCP server, whose tools become actions `NAME.tool`. Exactly one of `command` and `url` is given."""

    command: tuple[str, ...] = Field(
        default=(),
        description="Program and arguments of a server that speaks over stdin and stdout.",
        examples=[["npx", "-y", "@modelcontextprotocol/server-filesystem", "."]],
    )
    url: Url | None = Field(default=None, description="Address of a server that speaks Streamable HTTP.")
    description: str = Field(default="", max_length=300, description="What it is for, for the model that chooses.")
    env: dict[str, str | Secret] = Field(
        default={},
        description="Environment variables of the program; of llmgenie's own it gets PATH, HOME and the like.",
    )
    cwd: str = Field(default=".", description="Folder that the program runs in, relative to the project.")
    headers: dict[str, str] = Field(default={}, description="Headers to send; no secrets.")
    secret_headers: dict[str, Secret] = Field(
        default={}, description="Headers whose value is a secret, such as Authorization."
    )
    allow_private: bool = Field(
        default=False, description="true: the host may have an address in a private network or on this machine."
    )
    login: Login | None = Field(
        default=None, description="The OAuth client to log in as; null: llmgenie registers one when a person logs in."
    )
    tools: tuple[str, ...] = Field(
        default=("*",), min_length=1, description="Names of the tools to take; `*` stands for any characters."
    )
    start_timeout: float = Field(default=60, gt=0, le=600, description="Seconds until it must answer after its start.")
    timeout: float = Field(default=60, gt=0, le=7200, description="Seconds for one call.")
    idle: float = Field(default=300, gt=0, le=86_400, description="Seconds without a call after which it is stopped.")
    max_answer: int = Field(
        default=10_000, ge=500, le=1_000_000, description="Bytes of one answer that are passed on; the rest is cut."
    )

    @model_validator(mode="after")
    def _check_one(self) -> Upstream:
        if bool(self.command) == (self.url is not None):
            said = "`command` and `url` are given together" if self.command else "Nothing says where the server is"
            hint = "Give command: [PROGRAM, ARGUMENT …] for a program, or url: https://… for a server elsewhere."
            raise mistake(said, hint, "url", KEY)
        other = ("headers", "secret_headers", "allow_private", "login") if self.command else ("env",)
        if odd := [name for name in other if getattr(self, name)]:
            said = f"`{odd[0]}` has no meaning beside `{'command' if self.command else 'url'}`"
            raise mistake(said, "Leave it out.", odd[0], KEY)
        return self


class Deliveries(Part):
    """How often, and when, a delivery that failed is tried again."""

    attempts: int = Field(default=10, ge=1, le=100, description="Then it is given up: llmgenie outbox.")
    first_delay: float = Field(default=5, ge=0, le=3600, description="Seconds before the second attempt; then doubled.")
    longest_delay: float = Field(default=21_600, ge=0, le=86_400, description="Seconds between attempts at most.")


class Rest(Part):
    """The REST face, `llmgenie serve --http`."""

    host: str = Field(default="127.0.0.1", max_length=255, description="Address to listen at; others need a token.")
    port: int = Field(default=8787, ge=0, le=65535, description="Port; 0: any that is free.")
    hosts: tuple[str, ...] = Field(
        default=(), description="Further names by which it may be called (`Host`), beside loopback."
    )
    origins: tuple[str, ...] = Field(default=(), description="Origins of web pages that may call it; no CORS is sent.")
    body_bytes: int = Field(default=1_000_000, ge=1000, le=25_000_000, description="Bytes of a request's body at most.")
    per_minute: int = Field(default=1200, ge=1, description="Requests a minute for each token, or address without one.")
    at_once: int = Field(default=64, ge=1, le=1000, description="Requests answered at the same time; others get 429.")
    grace: float = Field(default=10, ge=0, le=600, description="Seconds for what runs to end when the server stops.")


# Defaults need no checking, so that pydantic need not build what would check them: that takes longer than the rest.
class Settings(Part):
    """All settings of a project."""

    commands: dict[CommandName, Command] = Field(
        default={}, description="Programs by name. `test` is what run_tests runs, `publish` what a release runs."
    )
    approvals: Approvals = Field(default=Approvals.model_construct(), description="How a person may answer.")
    policies: dict[Name, Adjustment] = Field(
        default={}, description="Params of policies by name, changed for this project."
    )
    hooks: Hooks = Field(default=Hooks.model_construct(), description="How the hooks of agents are answered.")
    triggers: dict[TriggerName, TriggerRule] = Field(
        default={}, description="What runs on which event, by name; or a file each in triggers/."
    )
    webhooks: dict[Name, Webhook] = Field(default={}, description="Where events are posted to, by name.")
    receivers: dict[Name, Receiver] = Field(default={}, description="Whose webhooks are received, by name.")
    notifications: dict[Name, Notification] = Field(default={}, description="Who is told of what, by name.")
    ci: dict[Name, Ci] = Field(default={}, description="CI workflows that may be started, by name.")
    calls: dict[Name, Call] = Field(default={}, description="HTTP calls that may be made, by name.")
    trackers: dict[Name, Tracker] = Field(
        default={}, description="Issue trackers that tasks are kept equal with, by name."
    )
    upstreams: dict[UpstreamName, Upstream] = Field(
        default={}, description="Other MCP servers, whose tools become actions NAME.tool."
    )
    models: dict[Name, Model] = Field(default={}, description="Language models that may be asked, by name.")
    opinions: Opinions = Field(default=Opinions.model_construct(), description="What review_diff asks about, and whom.")
    plugins: Plugins = Field(
        default=Plugins.model_construct(), description="Which plug-ins have a say here, and in which version."
    )
    deliveries: Deliveries = Field(
        default=Deliveries.model_construct(), description="How failed deliveries are tried again."
    )
    rest: Rest = Field(default=Rest.model_construct(), description="The REST face, `llmgenie serve --http`.")
    durability: Literal["full", "relaxed"] = Field(
        default="full",
        description="`full` waits for the disk before answering; `relaxed` may lose the last second at power loss.",
    )
    lock_timeout: float = Field(default=10, gt=0, le=600, description="Seconds to wait for another process.")
    log_output: int = Field(
        default=4000, ge=0, le=100_000, description="Characters of a command's output kept in the store."
    )

    @classmethod
    def defaults(cls) -> Settings:
        """As they are where a project has no file."""
        return cls.model_construct()


__all__ = ["Secret", "Settings", "Url"]
