"""What of an archive's own columns is written otherwise than it was read: text masked or left out, ids hashed.

The model reads the original all the same, so labels do not depend on any of this.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from emojob.pipeline.reading.dataset import Dataset
from emojob.pipeline.reading.row_batches import Reject
from emojob.schemas.arrow_text import strings
from emojob.schemas.errors import ColumnError, OptionError
from emojob.schemas.messages import listed
from emojob.schemas.options import ScoreOptions

#: Holds the key of --hash-column where no file is given.
KEY_VARIABLE = "EMOJOB_HASH_KEY"

_SHORTEST_KEY, _LONGEST_KEY = 16, 65_536  # bytes
_HEX = 32  # characters of a pseudonym: 128 bits
_HOW = (
    f"put at least {_SHORTEST_KEY} random bytes into a file (head -c 32 /dev/urandom | base64 > my.key) and give "
    f"--hash-key-file my.key, or set {KEY_VARIABLE}"
)


@dataclass(frozen=True)
class Privacy:
    """How a run treats personal data.

    masked: whether it is masked in the text column; rejects_masked: in the raw text of rows that could not be read;
    hashed: columns whose values are replaced by keyed hashes.
    """

    text_column: str
    masked: bool = False
    rejects_masked: bool = True
    text_dropped: bool = False
    hashed: tuple[str, ...] = ()
    key: bytes = field(default=b"", repr=False)

    def schema(self, schema: pa.Schema) -> pa.Schema:
        """The schema of what is written of an input's own columns."""
        fields = [pa.field(f.name, pa.string()) if f.name in self.hashed else f for f in schema]
        kept = [f for f in fields if not (self.text_dropped and f.name == self.text_column)]
        metadata = dict(schema.metadata or {})
        if self.hashed or self.text_dropped:
            metadata.pop(b"pandas", None)  # it describes columns that are others now
        return pa.schema(kept, metadata=metadata or None)

    def batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """What is written of some rows' own columns."""
        columns = []
        schema = self.schema(batch.schema)
        for name in schema.names:
            column = batch.column(name)
            if name in self.hashed:
                column = hashed(column, self.key)
            elif name == self.text_column and self.masked:
                column = _masked(column)
            columns.append(column)
        return pa.RecordBatch.from_arrays(columns, schema=schema) if columns else batch.select([])

    def rejects(self, rejects: list[Reject]) -> list[Reject]:
        """What is written of rows that could not be read; nothing of their text where columns are to be kept back."""
        if not rejects:
            return rejects
        if self.text_dropped or self.hashed:
            return [replace(one, raw="") for one in rejects]
        if not self.rejects_masked:
            return rejects
        from emojob.pipeline.privacy.pii.masking import mask_texts

        raws = mask_texts([one.raw for one in rejects])
        return [replace(one, raw=raw or "") for one, raw in zip(rejects, raws, strict=True)]

    def as_json(self) -> dict[str, Any]:
        """What run.json says of it, and what a run that goes on must have in common with the one before."""
        return {
            "mask_pii": self.masked,
            "drop_text": self.text_dropped,
            "hash_columns": sorted(self.hashed),
            "hash_key": hashlib.sha256(b"emojob key\n" + self.key).hexdigest()[:16] if self.hashed else None,
        }


#: What runs of earlier versions were.
NOTHING: Mapping[str, Any] = {"mask_pii": False, "drop_text": False, "hash_columns": [], "hash_key": None}


def privacy_of(options: ScoreOptions, dataset: Dataset) -> Privacy:
    """How the options ask for an archive to be treated.

    Raises OptionError where there is no key to hash by, ColumnError for a column that is not there or cannot be hashed.
    """
    folders = {key for source in dataset.sources for key, _ in source.file.partitions}
    for name in options.hash_columns:
        if name in folders:
            raise ColumnError(
                f"--hash-column {name} stands in the names of the input's folders ({name}=...), which run.json and "
                "rejects tell: put it into the files, and give the folders other names"
            )
        if name not in dataset.schema.names:
            raise ColumnError(f"--hash-column {name} is no column; the archive has {listed(dataset.schema.names)}")
        if name == dataset.text_column:
            raise OptionError(f"--hash-column {name} is the text; --drop-text leaves it out, --mask-pii masks it")
        if pa.types.is_nested(dataset.schema.field(name).type):
            raise ColumnError(
                f"--hash-column {name} holds {dataset.schema.field(name).type}; give a column of texts or numbers"
            )
    return Privacy(
        dataset.text_column,
        masked=bool(options.mask_pii) and not options.drop_text,
        rejects_masked=options.mask_pii is not False,
        text_dropped=options.drop_text,
        hashed=options.hash_columns,
        key=_key(options.hash_key_file) if options.hash_columns else b"",
    )


def hashed(column: pa.Array, key: bytes) -> pa.Array:
    """A pseudonym for each value, as string: the first 128 bits of HMAC-SHA256 (RFC 2104) over its text in UTF-8, in
    hexadecimal. Null stays null.

    A number and its text have the same one, so that CSV and Parquet agree.
    """
    coded = strings(column).dictionary_encode()
    values = [hmac.digest(key, value.encode(), "sha256").hex()[:_HEX] for value in coded.dictionary.to_pylist()]
    return pa.DictionaryArray.from_arrays(coded.indices, pa.array(values, pa.string())).dictionary_decode()


def _masked(column: pa.Array) -> pa.Array:
    from emojob.pipeline.privacy.pii.masking import mask

    if pa.types.is_null(column.type):
        return column
    if pa.types.is_dictionary(column.type):
        return pa.DictionaryArray.from_arrays(column.indices, _masked(column.dictionary))
    return mask(strings(column)).cast(column.type)


def _key(file: str | None) -> bytes:
    if file is None:
        key = os.fsencode(os.environ.get(KEY_VARIABLE, "")).strip()
        if not key:
            raise OptionError(f"--hash-column needs a key, and there is none: {_HOW}")
    else:
        try:
            with Path(file).open("rb") as stream:
                key = stream.read(_LONGEST_KEY + 1).strip()
        except OSError as error:
            raise OptionError(f"--hash-key-file {file} cannot be read: {error.strerror}; {_HOW}") from None
    if len(key) < _SHORTEST_KEY:
        raise OptionError(f"the key of --hash-column has {len(key)} bytes, which can be guessed: {_HOW}")
    if len(key) > _LONGEST_KEY:
        raise OptionError(f"--hash-key-file {file} has more than {_LONGEST_KEY:,} bytes, as no key has: {_HOW}")
    return key
