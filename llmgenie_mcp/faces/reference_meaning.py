"""Pages of the reference that say what definitions mean: policies, workflows, settings, REST, facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmgenie_mcp.faces.reference_scene import Scene
from llmgenie_mcp.faces.reference_text import code, compact, fields, kind, table

UNKNOWN_FACT = """\
A fact that is not known is neither true nor false: a guard does not hold then, a rule that denies or asks matches, a rule that
allows does not.
"""
ABOUT_OPERATIONS = """\
What agents do past llmgenie's own actions; policies are asked about them, `enforce_policy` takes them, and their parameters are
`resource.NAME`.
"""


def policies(scene: Scene) -> str:
    """Every policy with its rules."""
    parts = []
    for name, entry in scene.engine.catalog.policies.items():
        policy = entry.value
        applies = policy.applies_to
        parts += [f"## {name}\n", f"{policy.description} Level: `{policy.level}`, version {policy.version}.\n"]
        parts.append(f"Asked about: {', '.join(f'`{pattern}`' for pattern in applies.actions)}.\n")
        for rule in policy.rules:
            parts += [f"### {name}/{rule.id}\n", f"`{rule.effect}` when\n", code(" ".join(rule.when.split()))]
            parts.append(f"> {' '.join(rule.reason.split())}\n")
            if rule.fix is not None:
                call = compact({"action": rule.fix.action, "params": rule.fix.params})
                parts.append(f"Way out: `{call}` {rule.fix.message}\n")
        if policy.params:
            parts += [f"Parameters of {name}:\n", code(_yaml(policy.params), "yaml")]
    return "\n".join(parts)


def _yaml(params: Mapping[str, Any]) -> str:
    return "\n".join(f"{name}: {compact(value)}" for name, value in params.items())


def workflows(scene: Scene) -> str:
    """Every workflow as the resource `llmgenie://workflows/NAME` shows it."""
    from llmgenie_mcp.faces.mcp_resources import workflow_page

    pages = [workflow_page(entry.value) for entry in scene.engine.catalog.workflows.values()]
    return "\n".join(page.replace("\n## ", "\n### ").replace("# ", "## ", 1) for page in pages)


def settings(_scene: Scene) -> str:
    """The settings file, from its model."""
    from llmgenie_mcp.config import Settings
    from llmgenie_mcp.loader.schema import schema_for

    schema = schema_for(Settings)
    parts = ["All fields are optional; without the file everything has its default.\n", fields(schema)]
    for name, part in schema["$defs"].items():
        if "properties" in part:
            about = str(part.get("description", "")).split("\n\n")[0]
            parts += [f"## {name}\n", f"{about}\n", fields({**part, "$defs": schema["$defs"]})]
    return "\n".join(parts)


def rest(scene: Scene) -> str:
    """The OpenAPI document as a page."""
    from llmgenie_mcp.faces.rest import create_app

    document = create_app(engine=scene.engine).openapi()
    schemas = document["components"]["schemas"]
    parts = [f"{document['info']['description']}\n", "`/openapi.json` is the same for programs. MCP is at `/mcp`.\n"]
    for path, verbs in document["paths"].items():
        for verb, told in verbs.items():
            parts += list(_operation(f"{verb.upper()} {path}", told, schemas))
    return "\n".join(parts)


def _operation(title: str, told: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {title}\n"
    yield f"{told.get('description') or told.get('summary', '')}\n"
    yield table(
        ("parameter", "in", "type", "meaning"),
        (
            (
                f"`{given['name']}`",
                f"{given['in']}{', required' if given.get('required') else ''}",
                kind(given.get("schema", {}), schemas),
                given.get("description") or "",
            )
            for given in told.get("parameters", ())
        ),
    )
    for sort, content in told.get("requestBody", {}).get("content", {}).items():
        name = str(content.get("schema", {}).get("$ref", "")).rpartition("/")[2]
        yield f"Body, `{sort}`:\n"
        yield fields({**schemas.get(name, content.get("schema", {})), "$defs": schemas})
    yield table(
        ("status", "answer"),
        ((status, answer.get("description", "")) for status, answer in sorted(told.get("responses", {}).items())),
    )


def facts(_scene: Scene) -> str:
    """What expressions may name, and the language."""
    from llmgenie_mcp import plugins
    from llmgenie_mcp.engine.situation import BUILT_IN
    from llmgenie_mcp.expressions import grammar
    from llmgenie_mcp.operations import OPERATIONS

    language = (grammar.__doc__ or "").split("\n\n")[1]
    parts = [
        "## The language\n",
        code("\n".join(line.removeprefix("    ") for line in language.splitlines())),
        f"{grammar.ALLOWED}\n",
        f"At most {grammar.MAX_SOURCE} characters, {grammar.MAX_DEPTH} levels and {grammar.MAX_ITEMS} items in a list.\n",
        table(("function", "example"), ((f"`{name}`", f"`{said}`") for name, said in grammar.EXAMPLES.items())),
        UNKNOWN_FACT,
        "## Facts about the request\n",
        table(
            ("root", "fields"),
            ((f"`{root}`", ", ".join(f"`{root}.{name}`" for name in names)) for root, names in BUILT_IN.items()),
        ),
        "`action.params.NAME` is a parameter of the action. `params.NAME` is a parameter of the policy itself.\n",
    ]
    for root, signal in sorted(plugins.signals().items()):
        if plugins.origin("signals", root):
            continue
        where = "It looks at files or git." if signal.outside else "It looks into the store."
        parts += [f"## {root}\n", f"{where}\n"]
        parts.append(table(("fact", "meaning"), ((f"`{root}.{name}`", said) for name, said in signal.fields.items())))
    parts += [
        "## Operations\n",
        ABOUT_OPERATIONS,
        table(("operation", "parameters"), ((f"`{name}`", said) for name, said in OPERATIONS.items())),
    ]
    return "\n".join(parts)
