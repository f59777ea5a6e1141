"""The card of the shipped model is the card that the code writes, with one paragraph about its history."""

import json
import re

from emojob.pipeline.models import model_folder
from emojob.training.default_model.corpora import DIALOGUE
from emojob.training.default_model.model_card import model_card
from emojob.training.default_model.recipe import read_recipe


def test_the_shipped_card_has_the_shipped_figures_and_the_recipe():
    folder = model_folder.find_folder(None)
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    lines = (DIALOGUE / "train.csv").read_text(encoding="utf-8").splitlines()
    shipped = (folder / "README.md").read_text(encoding="utf-8")
    history = re.compile(r"\*\*This model\*\*.*?\n\n", re.DOTALL)
    assert len(history.findall(shipped)) == 1
    assert history.sub("", shipped) == model_card(metrics, len(lines) - 1, read_recipe())
