"""The least that a FastAPI app does: the baseline of `bench.live`. It prints the port it was given."""

from __future__ import annotations

import sys
from typing import Any

import uvicorn
from fastapi import FastAPI

app = FastAPI()


@app.get("/echo")
def echo() -> dict[str, str]:
    """A small answer, from a worker thread."""
    return {"said": "hello"}


class _Telling(uvicorn.Server):
    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        sys.stdout.write(f"{self.servers[0].sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _Telling(uvicorn.Config(app, port=0, log_level="warning")).run()
