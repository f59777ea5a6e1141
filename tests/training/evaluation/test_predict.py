"""Predictions keep the order of the texts."""

import numpy as np
import torch

from emojob.pipeline.models.bert import Classifier
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.training.evaluation.predict import predict_logits


def fresh(shape) -> Classifier:
    torch.manual_seed(5)
    return Classifier(shape, len(DEFAULT_LABELS))


def test_logits_are_in_the_order_of_the_texts(tokenizer, shape):
    model = fresh(shape).eval()
    texts = ["오늘", "오늘 회의 점심", "왜", "정말 행복해 고마워"]
    alone = [predict_logits(model, tokenizer.encode([text]))[0] for text in texts]
    np.testing.assert_allclose(predict_logits(model, tokenizer.encode(texts)), alone, atol=1e-5)
