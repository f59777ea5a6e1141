"""Makes small GPT-2 models of KoGPT2's shape for tests. Writes answers with transformers, for comparison."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from emojob.pipeline.replies.writing.generation import Generated, GenerationOptions
from emojob.pipeline.replies.writing.gpt2_folder import Gpt2, write_gpt2
from emojob.pipeline.replies.writing.sequence import Sequences

#: The first tokens of KoGPT2, in id order.
SPECIAL = (
    "<s>",
    "</s>",
    "<usr>",
    "<pad>",
    "<sys>",
    "<unk>",
    "<mask>",
    "<d>",
    "</d>",
    *(f"<unused{n}>" for n in range(9)),
)

SENTENCES = (
    "배송이 늦어서 너무 답답해요. 언제쯤 도착하나요?",
    "많이 기다리셨지요. 오늘 안에 확인해서 알려 드릴게요.",
    "오늘은 날씨가 좋아서 기분이 좋아요!",
    "저도 기뻐요. 산책하기 좋은 날이네요.",
    "환불은 어떻게 받을 수 있나요? 주문 번호는 1234예요.",
    "기쁨 슬픔 분노 불안 우울 일상 < > / usr sys unused1 s",
)


@functools.cache
def _tokenizer_json() -> str:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=260, special_tokens=list(SPECIAL), show_progress=False)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return tokenizer.to_str()


def tiny_tokenizer() -> Tokenizer:
    """Return a tokenizer like KoGPT2's, trained on `SENTENCES`."""
    return Tokenizer.from_str(_tokenizer_json())


def tiny_gpt2(seed: int = 0, scale: float = 0.4, **shape: Any) -> Gpt2:
    """Return a random GPT-2 model.

    Args:
        seed: Seed of the weights.
        scale: Standard deviation of the weights. Large weights make the model repeat itself less.
        shape: Settings of transformers.GPT2Config that differ.
    """
    from transformers import GPT2Config, GPT2LMHeadModel

    sequences = Sequences(tiny_tokenizer())
    sizes = {"vocab_size": sequences.tokens, "n_positions": 128, "n_embd": 32, "n_layer": 2, "n_head": 4}
    ends = {"bos_token_id": sequences.end, "eos_token_id": sequences.end, "pad_token_id": sequences.pad}
    torch.manual_seed(seed)
    model = GPT2LMHeadModel(GPT2Config(**(sizes | ends | {"initializer_range": scale} | shape)))
    return Gpt2(model.eval(), sequences, "tiny")


def write_tiny_gpt2(folder: Path, seed: int = 0, **shape: Any) -> Path:
    """Write a random GPT-2 model into a new folder, and return the folder."""
    folder.mkdir(parents=True)
    write_gpt2(tiny_gpt2(seed, **shape), folder)
    return folder


def by_transformers(gpt2: Gpt2, prompt: list[int], options: GenerationOptions) -> Generated:
    """Return what transformers writes for one prompt."""
    ids = torch.tensor([prompt])
    with torch.inference_mode():
        written = gpt2.model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=options.max_new_tokens,
            no_repeat_ngram_size=options.no_repeat_ngram,
            pad_token_id=gpt2.sequences.pad,
            eos_token_id=gpt2.sequences.end,
        )[0, len(prompt) :].tolist()
    ended = written[-1] == gpt2.sequences.end
    return Generated(written[:-1] if ended else written, ended)
