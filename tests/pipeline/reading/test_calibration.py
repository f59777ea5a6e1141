"""Calibration texts: distinct texts of a dataset, read only when they are asked for."""

import pytest

from emojob.pipeline.assets.sample import sample_texts
from emojob.pipeline.reading.calibration import ROWS, calibration_texts
from emojob.schemas.errors import NothingFound, OptionError


def test_the_first_texts_of_a_dataset_are_read_each_once(tmp_path):
    file = tmp_path / "mine.csv"
    texts = [f"우리 가게 손님의 {i}번째 말" for i in range(40)]
    file.write_text("\n".join(["text", *texts, " ", texts[0]]), encoding="utf-8")
    assert calibration_texts(str(file))() == texts


def test_a_long_dataset_is_read_in_part(tmp_path):
    file = tmp_path / "long.csv"
    file.write_text("\n".join(["text", *(f"말 {i}" for i in range(2 * ROWS))]), encoding="utf-8")
    assert len(calibration_texts(str(file))()) == ROWS


def test_without_a_dataset_the_sample_is_read():
    assert calibration_texts(None)() == sample_texts()


def test_a_file_without_texts_is_refused_when_it_is_read(tmp_path):
    file = tmp_path / "none.csv"
    file.write_text("text\n \n", encoding="utf-8")
    read = calibration_texts(str(file))
    with pytest.raises(OptionError, match=r"--calibration .*none\.csv has no text"):
        read()


def test_a_missing_dataset_is_refused_at_once(tmp_path):
    with pytest.raises(NothingFound, match="no such file"):
        calibration_texts(str(tmp_path / "missing.csv"))
