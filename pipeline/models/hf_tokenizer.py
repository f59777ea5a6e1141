"""Writes the tokenizer files that `transformers` loads: tokenizer.json, tokenizer_config.json, special_tokens_map.json.

For KoBERT, tokenizer.json returns the same ids as `KoBertTokenizer`, with one exception: the ids of a text with a comma
after a digit, such as "1,000", can differ. The reason is that tokenizer.json does not split the comma off (rule 3 of
`kobert_tokenizer`).
"""

from __future__ import annotations

import functools
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import sentencepiece
from tokenizers import Regex, decoders, models, normalizers, processors
from tokenizers import Tokenizer as FastTokenizer

from emojob.pipeline.models.kobert_tokenizer import WORD_MARK, KoBertTokenizer
from emojob.pipeline.models.sentencepiece_file import precompiled_characters
from emojob.pipeline.models.tokenizer import SPECIAL_TOKENS, Tokenizer
from emojob.pipeline.models.wordpiece_tokenizer import WordPieceTokenizer
from emojob.pipeline.storage.atomic import write_bytes, write_json

# Score of the special tokens, so low that no text is segmented into a special token.
_NEVER = -1000.0


def write_tokenizer(tokenizer: Tokenizer, folder: Path, max_length: int) -> None:
    """Write a tokenizer into a model folder. For KoBERT, also write spiece.model.

    Args:
        tokenizer: KoBERT's tokenizer or a WordPiece tokenizer.
        folder: The model folder.
        max_length: Largest number of tokens that the model accepts.
    """
    if isinstance(tokenizer, KoBertTokenizer):
        write_bytes(folder / "spiece.model", tokenizer.content)
        stock = stock_tokenizer(tokenizer.content).to_str(pretty=True)
    else:
        stock = cast(WordPieceTokenizer, tokenizer).as_json()
    write_bytes(folder / "tokenizer.json", stock.encode())
    named = {f"{token[1:-1].lower()}_token": token for token in SPECIAL_TOKENS}
    write_json(folder / "special_tokens_map.json", named)
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_length,
        "split_special_tokens": True,  # the characters "[SEP]" in a dialogue remain ordinary text
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
        **named,
    }
    write_json(folder / "tokenizer_config.json", config)


def stock_tokenizer(spiece: bytes) -> FastTokenizer:
    """Convert the content of a SentencePiece unigram model to a tokenizer of the `tokenizers` library."""
    sp = sentencepiece.SentencePieceProcessor(model_proto=spiece)
    pieces = [(sp.IdToPiece(i), sp.GetScore(i)) for i in range(sp.GetPieceSize())]
    vocabulary = [(piece, _NEVER if piece in SPECIAL_TOKENS else score) for piece, score in pieces]
    tokenizer = FastTokenizer(models.Unigram(vocabulary, unk_id=sp.unk_id(), byte_fallback=False))
    tokenizer.normalizer = _normalizer(precompiled_characters(spiece))
    tokenizer.decoder = decoders.Metaspace(replacement=WORD_MARK, prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[(token, sp.PieceToId(token)) for token in ("[CLS]", "[SEP]")],
    )
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    return tokenizer


def _normalizer(precompiled: bytes) -> normalizers.Normalizer:
    """Return a normalizer: rule 1 of `kobert_tokenizer` (cleaning), then SentencePiece's normalization."""
    spaces = Regex(f"[{_character_class(str.isspace)}]+")
    combining = Regex(f"[{_character_class(_is_combining)}]")
    steps = [
        normalizers.Replace(spaces, " "),
        normalizers.Strip(),
        normalizers.Replace("``", '"'),
        normalizers.Replace("''", '"'),
        normalizers.NFKD(),
        normalizers.Replace(combining, ""),
        normalizers.NFC(),  # composes Hangul syllables again, because NFKD decomposes them
    ]
    if precompiled:
        steps.append(normalizers.Precompiled(precompiled))
    steps += [
        normalizers.Replace(Regex(" {2,}"), " "),
        normalizers.Strip(),
        normalizers.Prepend(WORD_MARK),
        normalizers.Replace(" ", WORD_MARK),
    ]
    return normalizers.Sequence(steps)


def _is_combining(character: str) -> bool:
    return unicodedata.combining(character) > 0


@functools.cache  # cached, because checking every Unicode character takes 0.3 s
def _character_class(belongs: Callable[[str], bool]) -> str:
    """Return the ranges of characters that `belongs` accepts, for use between [ and ] in a regular expression."""
    numbers = [n for n in range(sys.maxunicode + 1) if belongs(chr(n))]
    runs: list[list[int]] = []
    for n in numbers:
        if runs and runs[-1][1] == n - 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    return "".join(rf"\x{{{first:x}}}-\x{{{last:x}}}" for first, last in runs)
