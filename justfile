# Short names for what one does often; every line works without `just` too.

# every gate, as CI runs them
ci:
    bash .ci/run

test *args:
    python -m pytest -q {{args}}

lint:
    ruff format --check . && ruff check . && mypy && lint-imports

fix:
    ruff check --fix . ; ruff format .

# generated files: schemas/ from the models, and the packaged definitions as parsed
generate:
    python -m llmgenie_mcp schema --write schemas
    python -c "from pathlib import Path; from llmgenie_mcp.loader.packaged import write_parsed; write_parsed(Path('llmgenie_mcp/loader/parsed.json'))"

# the tables of DESIGN and README, each row beside its baseline
bench:
    python -m bench

# the wheel, the sdist and the bundle, each installed into an empty environment and used
packages:
    python .ci/packages.py

# dist/*.mcpb
mcpb:
    python packaging/mcpb.py

# clients and suites that others wrote; needs Node, brings what it needs
outside:
    bash .ci/outside.sh
