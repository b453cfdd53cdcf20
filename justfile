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

# schemas/ from the models
schema:
    python -m llmgenie_mcp schema --write schemas

# the tables of DESIGN and README, each row beside its baseline
bench:
    python -m bench
