# syntax=docker/dockerfile:1
# The HTTP server of one project: REST, and MCP at /mcp. See docs/packaging.md for how to run it.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY llmgenie_mcp ./llmgenie_mcp
COPY schemas ./schemas
COPY workflows ./workflows
RUN python -m venv /opt/llmgenie \
    && /opt/llmgenie/bin/python -m pip install --no-cache-dir --disable-pip-version-check -c constraints.txt '.[rest,webhooks,notify,schedule,watch]'

FROM ${BASE}
# git: sessions, reviews and merges are about a checkout.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --home-dir /state --shell /usr/sbin/nologin llmgenie \
    && mkdir /project /state \
    && chown llmgenie:llmgenie /project /state \
    && git config --system --add safe.directory /project
COPY --from=build /opt/llmgenie /opt/llmgenie
ENV PATH=/opt/llmgenie/bin:$PATH \
    HOME=/state \
    LLMGENIE_STATE_DIR=/state/llmgenie \
    LLMGENIE_PROJECT=/project \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /project
VOLUME ["/project", "/state"]
EXPOSE 8787
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8787/health', timeout=4).read()"]
ENTRYPOINT ["llmgenie"]
CMD ["serve", "--http", "--host", "0.0.0.0", "--port", "8787"]
