"""Make the example of the current format: python tests/formats/make.py FOLDER

FOLDER gets a labelled folder, a labelled file and a memo of two small inputs, made with the model in this folder. The
first version that writes a format makes its example, which never changes. test_formats.py reads all examples.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = Path("/archive")  # folder of the inputs; the test replaces it by its own

TALK = [
    "정말 고마워요",
    "배송이 너무 늦어요",
    "걱정이 되네요",
    "네",
    "또 올게요",
    "화가 나서 잠이 안 와요",
    "",
    "괜찮아요",
]


def main(folder: Path) -> None:
    ROOT.mkdir(exist_ok=True)
    rows = [f"{i},c{i // 4},{'가나'[i % 2]},{TALK[i % len(TALK)]}" for i in range(40)]
    (ROOT / "first.csv").write_text(
        "\n".join(["id,conversation_id,speaker,text", *rows, "40,c9,가,너무,많은 칸"]) + "\n"
    )
    lines = [
        f'{{"id": "{i}", "conversation_id": "d{i // 3}", "speaker": "다", "text": "{TALK[i % 5]}"}}' for i in range(30)
    ]
    (ROOT / "second.jsonl").write_text("\n".join(lines) + "\n")
    model = ROOT / "model"
    shutil.copytree(HERE / "model", model, dirs_exist_ok=True)
    shutil.copy(HERE.parent / "pipeline/models/golden/spiece.model", model)
    inputs = [str(ROOT / name) for name in ("first.csv", "second.jsonl")]
    how = ["--model", str(model), "--precision", "fp32", "--engine", "torch", "--quiet"]
    for out in ("out", "out.parquet"):
        command = [sys.executable, "-m", "emojob", "score", *inputs, "-o", str(folder / out), *how]
        subprocess.run([*command, "--memo", str(ROOT / "out.memo")], check=True, env={**os.environ, "PYTHONPATH": "."})
    (folder / "out/_emojob/lock").unlink()
    for name in ("first.csv", "second.jsonl", "out.memo"):
        shutil.copy(ROOT / name, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
