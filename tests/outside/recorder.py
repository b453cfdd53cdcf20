"""A hook around a hook: run the command after the first argument, and keep in that folder what went in and came out."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

folder, *command = sys.argv[1:]
payload = sys.stdin.buffer.read()
done = subprocess.run(command, input=payload, capture_output=True, check=False)
Path(folder).mkdir(parents=True, exist_ok=True)
answer = {"stdout": done.stdout.decode(), "stderr": done.stderr.decode(), "code": done.returncode}
record = {"event": command[-1], "payload": json.loads(payload), **answer}
Path(folder, f"{time.time_ns()}-{os.getpid()}.json").write_text(json.dumps(record), encoding="utf-8")
sys.stdout.buffer.write(done.stdout)
sys.stderr.buffer.write(done.stderr)
sys.exit(done.returncode)
