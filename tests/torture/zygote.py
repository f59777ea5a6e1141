"""A process that has everything imported, and forks one for each command: what takes seconds is done once.

Reads one JSON object a line: {"args", "at", "kind", "out", "err", "cwd", "env"}; answers {"code", "count"}, the code
negative for a signal, the count that of file operations, null where the process did not get to its end.
"""

import ctypes
import json
import os
import subprocess
import sys


def serve() -> None:
    import altair  # noqa: F401
    import duckdb  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import safetensors.torch  # noqa: F401
    import torch  # noqa: F401
    import transformers.trainer  # noqa: F401

    import emojob.jobs.main
    import emojob.training.finetune.run
    from emojob.pipeline.html import page

    script = _elsewhere("from emojob.pipeline.html.page import _libraries; print(_libraries())")
    page._libraries = lambda: script  # type: ignore[assignment]
    faults = ctypes.CDLL(None)
    for line in sys.stdin:
        asked = json.loads(line)
        mine, childs = os.pipe()
        child = os.fork()
        if not child:
            _run(asked, faults, childs, emojob.jobs.main.main)
        os.close(childs)
        with os.fdopen(mine) as pipe:
            told = pipe.read()
        _, status = os.waitpid(child, 0)
        answer = {"code": os.waitstatus_to_exitcode(status), "count": int(told) if told else None}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _elsewhere(code: str) -> str:
    """What Python code prints; in a process of its own, for with threads in this one a fork could hang."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def _run(asked: dict, faults: ctypes.CDLL, pipe: int, main) -> None:  # type: ignore[no-untyped-def,type-arg]
    code = 1
    try:
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(asked[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        os.chdir(asked["cwd"])
        os.environ.update(asked["env"])
        faults.faults_arm(asked["at"], asked["kind"])
        try:
            main(asked["args"])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        count = faults.faults_count()
        faults.faults_arm(0, 0)
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(pipe, str(count).encode())
    finally:
        os._exit(code)


if __name__ == "__main__":
    serve()
