"""The commands that are tortured, each with its inputs and its expected result.

A scene runs once without a fault. After any fault, the same command again must give the same result.
"""

import csv
import gzip
import hashlib
import json
import random
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from emojob.pipeline.assets.sample import sample_texts
from emojob.pipeline.output.archive_folder import ArchiveFolder
from emojob.pipeline.output.labelled_archive import open_labelled
from tests.torture.faults import Done, Faults

ROWS = 400
_ANNOTATED = {"기쁨": "기뻐요 신나요 행복해요 고마워요", "슬픔": "슬퍼요 눈물나요 서러워요 아쉬워요"}
_OPENINGS = ("오늘", "어제", "정말", "그냥", "우리", "나는", "지금", "아까", "문득", "자꾸")

# Files of a run in OUT, besides part files and their markers.
_STATE = {"lock", "run.json", "archive.json", "derived", "rejects.parquet", "nightly.json", "nightly.lock", "parts"}


# The mark of an archive in a derived file: a hash of the random ID of the archive, and counters.
_MARK = re.compile(rb"\b[0-9a-f]{32}-\d+-\d+\b")


@dataclass(frozen=True)
class Scene:
    """A command with its inputs.

    Attributes:
        prepare: Writes the inputs into a folder.
        outs: Labelled archives that the command makes or changes.
    """

    name: str
    args: tuple[str, ...]
    prepare: Callable[["Stage", Path], None]
    outs: tuple[str, ...] = ()

    @property
    def codes_again(self) -> tuple[int, ...]:
        """Exit codes of the command when it is run again: `emojob forget` says if all rows are already removed."""
        return (0, 5) if self.args[0] == "forget" else (0,)


class Stage:
    """The folder in which commands run. Its path is always the same, because archives record paths."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.model, self._folder = model, folder
        self.work = folder / "work"
        self._kept = folder / "kept"
        self.work.mkdir()
        harness = folder / "harness"
        harness.mkdir()
        self._faults = Faults(harness, [self.work])
        self._undisturbed: dict[str, tuple[dict[str, Any], int]] = {}

    def set(self, scene: Scene) -> None:
        """Write the scene's inputs, and remove all other files."""
        kept = self._kept / scene.name
        if not kept.exists():
            self._clear()
            scene.prepare(self, self.work)
            shutil.copytree(self.work, kept)
        self._clear()
        shutil.copytree(kept, self.work, dirs_exist_ok=True)

    def before(self, scene: Scene) -> Path:
        """Return a folder with the files that exist before the scene."""
        return self._kept / scene.name

    def play(self, scene: Scene, at: int = 0, kind: int = 0) -> Done:
        """Run the scene's command; a fault of this kind hits operation `at`, 0 for none."""
        return self.run(scene.args, at, kind)

    def run(self, args: tuple[str, ...], at: int = 0, kind: int = 0) -> Done:
        """Run a command; see `play`."""
        args = tuple(str(self.model) if one == "MODEL" else one for one in args)
        return self._faults.run(args, self.work, at, kind)

    def undisturbed(self, scene: Scene) -> tuple[dict[str, Any], int]:
        """Return the scene's result without a fault, and its number of file operations."""
        if scene.name not in self._undisturbed:
            self.set(scene)
            done = self.play(scene)
            assert (done.code, done.err.count("Traceback")) == (0, 0), done
            self._undisturbed[scene.name] = inspect(self.work, scene), done.operations or 0
        return self._undisturbed[scene.name]

    def end(self) -> None:
        """Stop the process that runs the commands."""
        self._faults.end()

    def _clear(self) -> None:
        for one in self.work.iterdir():
            shutil.rmtree(one) if one.is_dir() else one.unlink()


def inspect(folder: Path, scene: Scene) -> dict[str, Any]:
    """Return the content of a folder without what may differ after a fault, such as times."""
    found: dict[str, Any] = {}
    ours = [folder / out for out in scene.outs if (folder / out).is_dir()]
    for out in ours:
        found |= _archive_content(out)
    for file in sorted(one for one in folder.rglob("*") if one.is_file() and not any(map(one.is_relative_to, ours))):
        name = str(file.relative_to(folder))
        if name.startswith("model/_training/runs"):  # logs of TensorBoard, one for each start
            continue
        if file.suffix == ".parquet":
            found[name] = rows(file)
        elif file.suffix == ".duckdb":
            with duckdb.connect(str(file), read_only=True) as db:
                found[name] = db.execute("FROM labelled ORDER BY ALL").fetchall()
        elif file.suffix == ".memo":  # only a cache: a killed command may leave none
            continue
        elif file.suffix == ".prom":  # counts of this start, not of the nightly run
            lines = file.read_text(encoding="utf-8").splitlines()
            found[name] = [line for line in lines if not re.match("emojob_(inputs|rows)_scored ", line)]
        elif file.suffix in (".json", ".jsonl"):
            found[name] = _without_times(_MARK.sub(b"MARK", file.read_bytes()).decode())
        elif file.name not in ("training.html", "README.md", "training_args.bin"):
            found[name] = hashlib.sha256(_MARK.sub(b"MARK", file.read_bytes())).hexdigest()
    return found


def rows(place: Path) -> list[dict[str, Any]]:
    """Return the rows of a labelled archive, by input and row number, or of a Parquet file."""
    if place.is_file():
        return pq.read_table(place).to_pylist()
    output = ArchiveFolder(place)
    output.read_markers()
    markers = sorted(output.markers, key=lambda one: (one.input, one.first_row))
    return [row for marker in markers for row in pq.read_table(place / marker.part).to_pylist()]


def visible_rows(place: Path) -> list[dict[str, Any]]:
    """Return the rows that a reader of the archive sees now; no rows if the archive is refused."""
    from emojob.schemas.errors import OutputError

    try:
        open_labelled(place)
    except OutputError:
        return []
    return rows(place)


def _archive_content(out: Path) -> dict[str, Any]:
    output = ArchiveFolder(out)
    output.read_markers()
    stems = {Path(marker.part).stem for marker in output.markers}
    stray = []
    for file in sorted(out.rglob("*")):
        name = file.name
        known = name.split(".")[0] in stems or (file.parent.name == "_emojob" and name in _STATE) or name == "_emojob"
        known = known or (file.parent.name == "derived" and re.fullmatch(r"[0-9a-f]{32}\.json", name) is not None)
        stray += [] if known else [str(file.relative_to(out))]
    run = json.loads((out / "_emojob/run.json").read_text(encoding="utf-8"))
    rejects = out / "_emojob/rejects.parquet"
    return {
        f"{out.name}: rows": rows(out),
        f"{out.name}: stray": stray,
        f"{out.name}: counts": run["counts"],
        f"{out.name}: state": run["state"],
        f"{out.name}: rejects": pq.read_table(rejects).to_pylist() if rejects.exists() else None,
    }


def _without_times(text: str) -> Any:
    """Return JSON without the values that differ from run to run."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            skipped = ("scored", "seconds", "started", "finished", "versions", "rows_per_second", "trained_at", "time")
            return {key: plain(one) for key, one in value.items() if key not in skipped}
        return list(map(plain, value)) if isinstance(value, list) else value

    return [plain(json.loads(line)) for line in text.splitlines()] if "\n{" in text else plain(json.loads(text))


# -- the scenes --------------------------------------------------------------------------------------------------------


def _texts(seed: int) -> list[str]:
    chosen = random.Random(seed)
    own = sample_texts()
    return [f"{chosen.choice(own)} {chosen.randrange(50)}" for _ in range(ROWS)]


def _logs(stage: Stage, folder: Path) -> None:
    """Write three inputs of three formats, one of them with rows that cannot be read."""
    logs = folder / "logs"
    logs.mkdir()
    with (logs / "2026-11-01.csv").open("w", encoding="cp949", errors="ignore", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "conversation_id", "text"])
        for i, text in enumerate(_texts(1)):
            writer.writerow([i, f"c{i // 10}", text, *(["too many"] if i % 97 == 5 else [])])
    texts = _texts(2)
    ids, talks = [str(i) for i in range(ROWS)], [f"p{i // 8}" for i in range(ROWS)]
    table = pa.table({"id": ids, "conversation_id": talks, "text": texts})
    pq.write_table(table, logs / "2026-11-02.parquet", row_group_size=100)
    rows_of_chat = [{"id": str(i), "conversation_id": f"j{i // 6}", "text": text} for i, text in enumerate(_texts(3))]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows_of_chat]
    (logs / "2026-11-03.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))


def _labelled(stage: Stage, folder: Path) -> None:
    _logs(stage, folder)
    done = stage.run((*_SCORE, "-o", "out", "--memo", "out.memo"))
    assert done.code == 0, done


def _labelled_file(stage: Stage, folder: Path) -> None:
    _logs(stage, folder)
    done = stage.run((*_SCORE, "-o", "out.parquet"))
    assert done.code == 0, done


def _night_without_dates(stage: Stage, folder: Path) -> None:
    _night(stage, folder)
    file = folder / "night.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("{date}.*", "*"), encoding="utf-8")


def _night(stage: Stage, folder: Path) -> None:
    _logs(stage, folder)
    (folder / "night.toml").write_text(
        "\n".join(
            [
                "[input]", 'files = "logs/{date}.*"', "[output]", 'archive = "out"', 'report = "report.html"',
                'figures = "report.json"', "[score]", f'model = "{stage.model}"', 'precision = "fp32"',
                'max_rejects = "100"', 'memo = "night.memo"', "[monitoring]", 'log = "nights.jsonl"',
                'prometheus = "night.prom"',
            ]
        ),
        encoding="utf-8",
    )  # fmt: skip


def _annotated(stage: Stage, folder: Path) -> None:
    words = [(label, word) for label, some in _ANNOTATED.items() for word in some.split()]
    pairs = [(label, f"{opening} {word}") for label, word in words for opening in _OPENINGS]
    with (folder / "annotated.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("label", "text"), *pairs])
    from emojob.training.finetune.recipe import RECIPES

    recipe = (RECIPES / "seed.toml").read_text(encoding="utf-8")
    recipe = recipe.replace("epochs = 50", "epochs = 4").replace("batch = 64", "batch = 16")
    (folder / "quick.toml").write_text(recipe, encoding="utf-8")


_SCORE = ("score", "logs", "--quiet", "--model", "MODEL", "--precision", "fp32", "--max-rejects", "100")

_FORGET = ("forget", "--yes", "--where", "conversation_id IN ('c3', 'p7', 'j1')")
_TRAIN = ("train", "--data", "annotated.csv", "-o", "model", "--recipe", "quick.toml", "--base", "MODEL")

SCENES = {
    scene.name: scene
    for scene in (
        Scene("score", (*_SCORE, "-o", "out", "--memo", "out.memo"), _logs, ("out",)),
        Scene("one file", (*_SCORE, "-o", "out.parquet", "--mask-pii"), _logs),
        Scene("nightly", ("nightly", "night.toml", "--date", "2026-11-03", "--quiet"), _night, ("out",)),
        Scene("forget", (*_FORGET[:1], "out", *_FORGET[1:]), _labelled, ("out",)),
        Scene("forget in a file", (*_FORGET[:1], "out.parquet", *_FORGET[1:]), _labelled_file),
        Scene("report", ("report", "out", "--html", "page.html", "--json", "page.json"), _labelled, ("out",)),
        Scene("sample", ("sample", "out", "--uncertain", "20", "-o", "sheet.csv", "--force"), _labelled, ("out",)),
        Scene("sql", ("sql", "out", "FROM labelled ORDER BY id, text", "-o", "found.parquet"), _labelled, ("out",)),
        Scene("export", ("sql", "out", "--export", "out.duckdb", "--copy"), _labelled, ("out",)),
        Scene("train", _TRAIN, _annotated),
    )
}

_NIGHT_OF = ("nightly", "night.toml", "--quiet", "--date")
#: A nightly run whose pattern has no {date}, and the run of the next night.
WITHOUT_DATES = Scene("nightly without dates", (*_NIGHT_OF, "2026-11-03"), _night_without_dates, ("out",))
NEXT_NIGHT = Scene("next night", (*_NIGHT_OF, "2026-11-04"), _night_without_dates, ("out",))
