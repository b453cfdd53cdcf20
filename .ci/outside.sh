#!/usr/bin/env bash
# Clients and checkers that are not ours, against the checkout: versions as in docs/compatibility.md. Not part of .ci/run: it
# installs from npm. Run it in an environment that has llmgenie (pip install -e '.[dev]'); takes about two minutes.
# Usage: bash .ci/outside.sh [FOLDER]    FOLDER keeps what npm and uv install; a temporary one otherwise.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
if [ $# -gt 0 ]; then mkdir -p "$1"; scratch=$(cd "$1" && pwd); else scratch=$(mktemp -d); trap 'rm -rf "$scratch"' EXIT; fi
export LLMGENIE_STATE_DIR="$scratch/state"

step() { printf '\n== %s\n' "$*"; }

step "packages"
cd "$scratch"
[ -f package.json ] || npm init -y >/dev/null
# The Inspector and the suite need Node 22.19; npm brings one for where it is older.
if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 19) ? 0 : 1)'; then
  npm install --silent --no-audit --no-fund node@22
  export PATH="$scratch/node_modules/.bin:$PATH"
fi
node --version
npm install --silent --no-audit --no-fund @modelcontextprotocol/sdk@1.32.2 @modelcontextprotocol/client@2.4.0 \
  @modelcontextprotocol/conformance@0.2.0-alpha.12 @modelcontextprotocol/inspector@2.12.0 @anthropic-ai/mcpb@2.1.2
python=$(command -v python)
for one in "pydantic-ai pydantic-ai-slim[mcp]==2.68.0" "langchain langchain-mcp-adapters==0.3.2"; do
  read -r name package <<<"$one"
  [ -d "$name" ] || { uv venv -q --python "$python" "$name" && uv pip install -q --python "$name/bin/python" "$package"; }
done

step "TypeScript, Inspector, conformance"
python "$root/tests/outside/clients.py" "$scratch"

step "Python frameworks"
rm -rf project && git init -q project
for name in pydantic-ai langchain; do
  "$name/bin/python" "$root/tests/outside/python_clients.py" "$name" "$python" -m llmgenie_mcp serve --project "$scratch/project"
done

step "MCPB bundle"
rm -rf bundle && python "$root/packaging/mcpb.py" --out "$scratch/bundle"
node_modules/.bin/mcpb unpack bundle/*.mcpb bundle/unpacked
node_modules/.bin/mcpb validate bundle/unpacked/manifest.json

step "all content"
