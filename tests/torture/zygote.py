"""A process that imports everything once, and forks a child for each command. So a command takes no seconds to import.

It reads one JSON object a line: {"args", "at", "kind", "out", "err", "cwd", "env"}. It answers {"code", "count"}: the
exit code, negative for a signal, and the number of file operations, null if the child was killed.
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

    script = _output_of("from emojob.pipeline.html.libraries import vega_libraries; print(vega_libraries())")
    page.vega_libraries = lambda: script  # type: ignore[assignment]
    faults = ctypes.CDLL(None)
    for line in sys.stdin:
        request = json.loads(line)
        own_end, child_end = os.pipe()
        child = os.fork()
        if not child:
            _run(request, faults, child_end, emojob.jobs.main.main)
        os.close(child_end)
        with os.fdopen(own_end) as pipe:
            count = pipe.read()
        _, status = os.waitpid(child, 0)
        answer = {"code": os.waitstatus_to_exitcode(status), "count": int(count) if count else None}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _output_of(code: str) -> str:
    """Run Python code in a process of its own and return its output: threads in this process could make a fork hang."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def _run(request: dict, faults: ctypes.CDLL, pipe: int, main) -> None:  # type: ignore[no-untyped-def,type-arg]
    code = 1
    try:
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        os.chdir(request["cwd"])
        os.environ.update(request["env"])
        faults.faults_arm(request["at"], request["kind"])
        try:
            main(request["args"])
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
        count = faults.faults_count()
        faults.faults_arm(0, 0)
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(pipe, str(count).encode())
    finally:
        os._exit(code)


if __name__ == "__main__":
    serve()
