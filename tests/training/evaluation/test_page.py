"""A model's page and picture are complete and self-contained, and escape all names."""

import base64
import dataclasses
import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from emojob.pipeline.html import page
from emojob.schemas.errors import OptionError
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.training.evaluation.comparison import compare
from emojob.training.evaluation.curves import Curves
from emojob.training.evaluation.metrics import Evaluation, evaluate
from emojob.training.evaluation.page import write_page, write_pictures

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    '"><img src=x onerror=alert(3)>',
    "<!--<script>",
    "{{ 7 * 7 }}\u202e\\",
    "half \ud800 of a pair",
)

CURVES = Curves(
    step=[100, 200, 300],
    loss=[1.5, 1.0, float("nan")],
    learning_rate=[1e-5, 5e-5, 2e-5],
    epoch=[1.0, 2.0],
    train_loss=[1.2, 0.8],
    train_accuracy=[0.5, 0.7],
    validation_loss=[1.25, 0.85678],
    validation_accuracy=[0.47, 0.65],
    validation_macro_f1=[0.41, 0.5987],
    test_loss=[1.3, 0.91234],
    test_accuracy=[0.45, 0.6123],
)


class Page(HTMLParser):
    """A parsed page: elements with their attributes, and the text inside each kind of element."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self._open.append(tag)
            self.text.setdefault(tag, []).append("")

    def handle_endtag(self, tag):
        assert self._open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        for tag in set(self._open):
            self.text[tag][-1] += data

    @property
    def policy(self) -> dict[str, list[str]]:
        """The Content-Security-Policy: {directive: allowed sources}."""
        (content,) = [one["content"] for tag, one in self.elements if "http-equiv" in one]
        return {part.split()[0]: part.split()[1:] for part in content.split(";")}

    @property
    def charts(self) -> dict[str, dict]:
        return json.loads(self.text["script"][0])["figures"]


def predictions(names: tuple[str, ...] = DEFAULT_LABELS, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(120) % len(names)
    return rng.dirichlet(np.ones(len(names)), 120).astype(np.float32), labels


def evaluation(names: tuple[str, ...] = DEFAULT_LABELS) -> Evaluation:
    return evaluate(*predictions(names), names)


@pytest.fixture
def written(tmp_path):
    """Write a page and parse it."""

    def write(*arguments: object, **more: object) -> Page:
        file = tmp_path / "page.html"
        write_page(file, *arguments, **more)
        assert [one.name for one in tmp_path.iterdir()] == ["page.html"]
        return Page(file.read_text(encoding="utf-8"))

    return write


def test_the_page_shows_figures_classes_curves_and_facts(written):
    found = evaluation()
    page = written("내 모델", found, CURVES, {"data": "val.csv, 120 rows"})
    text = page.text["body"][0]
    assert page.text["title"] == ["내 모델"]
    for one in (
        f"{found.accuracy:.3f}",
        f"{found.macro_f1:.3f}",
        str(found.intervals()["accuracy"]),
        str(found.intervals()["macro_f1"]),
        "calibration error–",  # 120 texts are too few
        "val.csv, 120 rows",
    ):
        assert one in text
    for label in DEFAULT_LABELS:
        assert label in page.text["table"][0]
    assert set(page.charts) == {
        "confusion", "reliability", "log-loss", "accuracy", "macro-f1", "training-loss", "learning-rate"
    }  # fmt: skip


def test_every_chart_has_an_element_and_a_table_with_its_numbers(written):
    found = evaluation()
    page = written("m", found, CURVES, {})
    ids = [one["id"] for tag, one in page.elements if tag == "div" and one.get("class") == "chart"]
    assert sorted(ids) == sorted(page.charts)
    assert all(chart["description"] for chart in page.charts.values())
    tables = dict(zip(ids, page.text["details"], strict=True))
    for count in found.confusion[0]:
        assert str(count) in tables["confusion"]
    for one in found.reliability:
        assert f"{one.accuracy:.3f}" in tables["reliability"]
    assert "0.8568" in tables["log-loss"]
    assert "0.9123" in tables["log-loss"]
    assert "0.6123" in tables["accuracy"]
    assert "0.5987" in tables["macro-f1"]


def test_splits_without_values_are_not_in_a_chart(written):
    page = written("m", evaluation(), dataclasses.replace(CURVES, test_loss=[], test_accuracy=[]), {})
    for chart in ("log-loss", "accuracy"):
        (rows,) = page.charts[chart]["datasets"].values()
        assert {row["part"] for row in rows} == {"train", "validation"}


def test_warnings_are_on_the_page(written):
    page = written("m", evaluation(), None, {}, warnings=["m was trained on <all> 120 texts"])
    assert "m was trained on <all> 120 texts" in page.text["p"]


def test_classes_with_few_texts_have_no_figures(written):
    found = evaluate(*predictions(tuple("ab")), tuple("ab"))
    few = evaluate(np.eye(2, dtype=np.float32)[[0] * 40 + [1] * 9], np.array([0] * 40 + [1] * 9), tuple("ab"))
    assert found.classes["b"].shown()[0] != "–"
    assert few.classes["b"].shown() == ["–", "–", "–"]
    text = written("m", few, None, {}).text["body"][0]
    assert "–: too few texts (a class needs 10" in text


def test_only_the_pages_own_script_and_style_may_run(written):
    page = written("m", evaluation(), CURVES, {})

    def digest(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    assert page.policy["default-src"] == ["'none'"]
    assert page.policy["script-src"] == [digest(page.text["script"][1])]
    assert page.policy["style-src"] == [digest(page.text["style"][0])]
    assert set(page.policy) == {"default-src", "script-src", "style-src", "base-uri", "form-action"}
    assert "ast: true" in page.text["script"][1]  # without it Vega needs 'unsafe-eval'


def test_the_page_has_no_url_inline_handler_or_inline_style(written):
    page = written("m", evaluation(), CURVES, {})
    for tag, attributes in page.elements:
        assert not {name for name in attributes if name.startswith("on")}
        assert not {"src", "href", "style", "action"} & set(attributes), tag
    assert not re.search(r"url\(|@import", page.text["style"][0])


def test_hostile_names_are_escaped(written):
    facts = {HOSTILE[0]: HOSTILE[1]}
    plain = written("m", evaluation(tuple("abcdef")), CURVES, {"a": "b"})
    page = written(HOSTILE[1], evaluation(HOSTILE), CURVES, facts)
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in plain.elements]
    assert page.text["script"][1] == plain.text["script"][1]
    assert HOSTILE[2] in page.text["table"][0]
    assert page.text["title"] == [HOSTILE[1]]
    names = page.charts["confusion"]["datasets"]
    assert HOSTILE[0] in {row.get("true") for rows in names.values() for row in rows}
    assert "\u202e" not in page.text["body"][0]


def test_names_that_look_the_same_have_separate_cells(written):
    page = written("m", evaluation(("a\u202e", "a\u202d", "b")), None, {})
    (rows,) = page.charts["confusion"]["datasets"].values()
    assert len({(row["true"], row["predicted"]) for row in rows}) == 9


def test_a_comparison_is_shown_with_its_intervals(written):
    ours, labels = predictions()
    other, _ = predictions(seed=4)
    found = compare(ours, other, labels, DEFAULT_LABELS)
    page = written("new", evaluation(), None, {}, found, against="old")
    text = page.text["body"][0]
    assert found.sentence("new", "old") in text
    assert f"{found.accuracy.low:+.3f} to {found.accuracy.high:+.3f}" in text


def test_without_training_there_are_no_curves(written):
    assert set(written("m", evaluation(), None, {}).charts) == {"confusion", "reliability"}


def test_nan_is_left_out_of_charts(written):
    page = written("m", evaluation(), CURVES, {})
    assert "NaN" not in page.text["script"][0]
    (rows,) = page.charts["training-loss"]["datasets"].values()
    assert [row["step"] for row in rows] == [100, 200]


def test_a_long_curve_is_thinned_but_keeps_its_last_point(written):
    steps = list(range(1, 20_002))
    page = written("m", evaluation(), Curves(step=steps, loss=[1.0] * 20_001, learning_rate=[1e-5] * 20_001), {})
    (rows,) = page.charts["training-loss"]["datasets"].values()
    assert len(rows) <= 1001
    assert rows[-1]["step"] == 20_001


def test_many_classes_have_a_wide_matrix_without_numbers(written):
    page = written("m", evaluation(tuple(f"class {i}" for i in range(20))), None, {})
    assert ("figure", {"class": "wide"}) in page.elements
    assert len(page.charts["confusion"].get("layer", [])) <= 1


def test_the_curves_are_a_png(tmp_path):
    (picture,) = write_pictures(tmp_path, CURVES)
    assert picture == tmp_path / "curves.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert [one.name for one in tmp_path.iterdir()] == ["curves.png"]


def test_the_picture_shows_the_curves_and_not_empty_axes(tmp_path):
    first = write_pictures(tmp_path, CURVES)[0].read_bytes()
    other = dataclasses.replace(CURVES, test_accuracy=[0.45, 0.65])
    assert write_pictures(tmp_path, other)[0].read_bytes() != first


def test_without_training_there_is_no_picture(tmp_path):
    assert write_pictures(tmp_path, Curves()) == []
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("absent", ["altair", "vl_convert"])
def test_a_missing_package_is_named_with_its_installation(tmp_path, monkeypatch, absent):
    monkeypatch.setattr(page, "is_installed", lambda module: module != absent)
    for write in (
        lambda: write_pictures(tmp_path, CURVES),
        lambda: write_page(tmp_path / "page.html", "m", evaluation(), None, {}),
    ):
        with pytest.raises(OptionError, match=r"pip install 'emojob\[report\]'") as raised:
            write()
        assert page._NEEDED[absent] in str(raised.value)
        assert raised.value.exit_code == 2
    assert not list(tmp_path.iterdir())
