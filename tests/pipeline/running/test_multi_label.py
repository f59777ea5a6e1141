"""Archives of a model whose texts can carry several labels: columns, counts, thresholds, and what readers find."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.running.run import score_dataset
from emojob.pipeline.warehouse.forget import forget
from emojob.schemas.errors import ColumnError, OutputError
from emojob.schemas.options import ModelOptions, ScoreOptions

LABELS = ("불평/불만", "고마움", "기쁨", "슬픔")
TEXTS = [f"정말 고맙습니다 {n}" for n in range(30)] + ["", "네", "왜 아직도 안 와요"]


@pytest.fixture(scope="module")
def folder(make_model):
    return str(make_model(LABELS, 3, problem_type="multi_label_classification", emojob_thresholds={"기쁨": 0.2}))


@pytest.fixture
def score(folder, tmp_path):
    """score(out, **options): label TEXTS, and return the result."""
    file = tmp_path / "in.parquet"
    pq.write_table(pa.table({"id": range(len(TEXTS)), "text": TEXTS}), file)

    def run(out="out", threshold=None, **options):
        model = ModelOptions(model=folder, engine="torch", precision="fp32", threshold=threshold)
        return score_dataset([str(file)], tmp_path / out, ScoreOptions(**options), model)

    return run


def rows_of(path):
    return pq.read_table(path).to_pylist()


@pytest.mark.parametrize("out", ["out", "out.parquet"])
def test_the_columns_and_the_counts(score, tmp_path, out):
    result = score(out)
    table = pq.read_table(tmp_path / out)
    added = ["emotion", "confidence", *(f"prob_{label}" for label in LABELS), "emotion_status", "emotions"]
    assert table.schema.names == ["id", "text", *added]
    assert table.schema.field("emotions").type == pa.list_(pa.field("element", pa.string()))
    carried = dict.fromkeys(LABELS, 0)
    for row in table.to_pylist():
        by_label = {label: row[f"prob_{label}"] for label in LABELS}
        if not row["text"]:
            assert row["emotions"] is row["emotion"] is None
            continue
        limits = {label: 0.2 if label == "기쁨" else 0.5 for label in LABELS}
        wanted = sorted((one for one in LABELS if by_label[one] >= limits[one]), key=lambda one: -by_label[one])
        assert row["emotions"] == wanted
        assert row["emotion"] == max(by_label, key=by_label.get)
        for label in wanted:
            carried[label] += 1
    assert result.counts.emotions == carried
    assert sum(carried.values()) != result.counts.labelled
    archive = open_labelled(tmp_path / out)
    assert (archive.labels, archive.is_multi, archive.columns) == (LABELS, True, ("id", "text"))
    assert archive.run["model"]["thresholds"] == [0.5, 0.5, 0.2, 0.5]


def test_another_threshold_needs_another_archive(score):
    score()
    assert score().rows_done == 0
    with pytest.raises(OutputError, match="with another model or another --max-length or another --threshold"):
        score(threshold=0.3)
    assert score(threshold=0.3, fresh=True).rows_done == len(TEXTS)


def test_forget_keeps_the_counts_right(score, tmp_path):
    score()
    forget(tmp_path / "out", "id < 10")
    rows = [row for part in open_labelled(tmp_path / "out").part_files for row in rows_of(part.file)]
    assert len(rows) == len(TEXTS) - 10
    assert score().counts.emotions == {label: sum(label in (row["emotions"] or ()) for row in rows) for label in LABELS}


def test_an_input_column_named_emotions_is_refused(folder, tmp_path):
    file = tmp_path / "in.parquet"
    pq.write_table(pa.table({"text": TEXTS, "Emotions": TEXTS}), file)
    with pytest.raises(ColumnError, match="the input already has the column Emotions"):
        score_dataset([str(file)], tmp_path / "out", None, ModelOptions(model=folder, engine="torch"))
