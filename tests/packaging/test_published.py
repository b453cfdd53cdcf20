"""What others read of this server before they run it: server.json, the bundle's manifest, the links that install it."""

from __future__ import annotations

import base64
import json
import re
import runpy
import tomllib
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import jsonschema
import pytest
from click.testing import CliRunner

import llmgenie_mcp
from llmgenie_mcp.faces.cli import stdio_server
from llmgenie_mcp.faces.mcp_tools import TOOLS

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = Path(__file__).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LINKS = runpy.run_path(str(ROOT / "packaging" / "links.py"))
BUNDLE = runpy.run_path(str(ROOT / "packaging" / "mcpb.py"))


def described() -> dict[str, Any]:
    """server.json."""
    found: dict[str, Any] = json.loads((ROOT / "server.json").read_text(encoding="utf-8"))
    return found


def held_to(document: Any, schema: str) -> None:
    """Validate a document by a schema of this folder."""
    rules = json.loads((HERE / schema).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(rules)
    jsonschema.Draft202012Validator(rules, format_checker=jsonschema.FormatChecker()).validate(document)


def test_server_json_is_as_the_registry_documents_it_and_a_mistyped_member_is_found() -> None:
    held_to(described(), "registry.schema.json")
    for broken in (
        {**described(), "descriptions": "x"},
        {**described(), "description": "x" * 101},
        {**described(), "version": ">=0.1"},
        {**described(), "packages": [{**described()["packages"][0], "registry_type": "pypi"}]},
        {**described(), "packages": [{**described()["packages"][0], "packageArguments": [{"type": "named"}]}]},
    ):
        with pytest.raises(jsonschema.ValidationError):
            held_to(broken, "registry.schema.json")


def test_every_place_that_names_the_version_names_the_same() -> None:
    (package,) = described()["packages"]
    versions = {
        "pyproject.toml": PROJECT["version"],
        "llmgenie_mcp": llmgenie_mcp.__version__,
        "server.json": described()["version"],
        "server.json, package": package["version"],
        "bundle": BUNDLE["manifest"]()["version"],
    }
    assert set(versions.values()) == {PROJECT["version"]}, versions
    assert package["identifier"] == PROJECT["name"]


def test_the_readme_names_the_server_as_server_json_does() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"<!-- mcp-name: (\S+) -->", readme) == [described()["name"]]


def test_the_arguments_and_variables_of_server_json_are_those_of_the_program() -> None:
    (package,) = described()["packages"]
    usage = CliRunner().invoke(stdio_server, ["--help"]).output
    assert package["runtimeHint"] == "uvx"
    assert package["identifier"] in PROJECT["scripts"]
    for argument in package["packageArguments"]:
        assert argument["name"] in usage
    for variable in package["environmentVariables"]:
        assert variable["name"] in usage


def test_the_manifest_is_as_the_format_documents_it_and_lists_the_servers_tools() -> None:
    manifest = BUNDLE["manifest"]()
    held_to(manifest, "bundle.schema.json")
    assert [tool["name"] for tool in manifest["tools"]] == list(TOOLS)
    assert all(tool["description"].endswith(".") for tool in manifest["tools"])
    asked = {
        name
        for word in manifest["server"]["mcp_config"]["args"]
        for name in re.findall(r"\$\{user_config\.(\w+)}", word)
    }
    assert asked == set(manifest["user_config"])
    with pytest.raises(jsonschema.ValidationError):
        held_to({**manifest, "server": {"type": "uv"}}, "bundle.schema.json")


def test_the_bundle_has_what_its_project_file_names_and_is_the_same_each_time(tmp_path: Path) -> None:
    wheel = tmp_path / "llmgenie_mcp-0.0.0-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    first, again = (BUNDLE["build"](wheel, tmp_path / name) for name in ("one", "two"))
    assert first.read_bytes() == again.read_bytes()
    with zipfile.ZipFile(first) as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
    settings = tomllib.loads(inside["pyproject.toml"].decode())
    source = settings["tool"]["uv"]["sources"][PROJECT["name"]]["path"]
    assert inside[source] == b"a wheel"
    assert settings["project"]["dependencies"] == [PROJECT["name"]]
    assert f"mcp=={_pinned('mcp')}" in settings["tool"]["uv"]["constraint-dependencies"]
    manifest = json.loads(inside["manifest.json"])
    assert manifest["server"]["entry_point"] in inside
    compile(inside["server.py"], "server.py", "exec")


def _pinned(name: str) -> str:
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    return next(pin.partition("==")[2] for pin in pins if pin.partition("==")[0] == name)


def test_the_install_links_of_the_documentation_hold_the_entry_that_starts_the_server() -> None:
    page = (ROOT / "docs" / "packaging.md").read_text(encoding="utf-8")
    assert LINKS["markdown"]() in page, "run: python packaging/links.py"
    links = re.findall(r"\((https://[^)]*install[^)]*)\)|`((?:cursor|vscode):[^`]*)`", page)
    found = [decoded(web or own) for web, own in links]
    entry = {"type": "stdio", "command": "uvx", "args": [PROJECT["name"]]}
    assert found == [("llmgenie", entry)] * 4
    assert PROJECT["name"] in PROJECT["scripts"]


def decoded(link: str) -> tuple[str, dict[str, Any]]:
    """Name and entry of a link, read as its editor reads it."""
    address = urlsplit(link)
    if address.scheme == "vscode":
        entry = json.loads(unquote(address.query))
        return entry.pop("name"), entry
    query = dict(parse_qsl(address.query, strict_parsing=True))
    config = query["config"]
    return query["name"], json.loads(config if config.startswith("{") else base64.b64decode(config, validate=True))


def test_links_survive_names_and_arguments_that_urls_have_another_use_for() -> None:
    entry = {"type": "stdio", "command": "uvx", "args": ["--from", "/a b/ü&?=+#", "llmgenie-mcp", "~~~???>>>"]}
    for link in (LINKS["cursor"], LINKS["vscode"]):
        for web in (True, False):
            assert decoded(link("a&b=c/ü", entry, web=web)) == ("a&b=c/ü", entry)
