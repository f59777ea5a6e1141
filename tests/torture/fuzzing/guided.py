"""Coverage-guided fuzzing of one target: python -m tests.torture.fuzzing.guided TARGET [options of libFuzzer]

It needs atheris, which runs on Linux only.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["emojob"]):
    from tests.torture.fuzzing.targets import SEEDS, TARGETS


def main() -> None:
    """Run one target until the limits of the options are reached, then end the process."""
    target, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corpus = folder / "corpus"
        corpus.mkdir()
        for i, seed in enumerate(SEEDS.get(target, [])):
            (corpus / str(i)).write_bytes(seed.encode() if isinstance(seed, str) else seed)
        atheris.Setup([sys.argv[0], *options, str(corpus)], lambda data: TARGETS[target](folder, data))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
