"""emojob: emotion labels for millions of lines of Korean dialogue."""

from pathlib import Path

_here = Path(__file__).resolve().parent
if not (_here / "pipeline").is_dir():  # a checkout: the rooms lie beside this folder, not below it
    __path__.append(str(_here.parent))
