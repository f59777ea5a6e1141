"""Applies the privacy options of a run before rows are written: masks or drops the text, and hashes ids.

The model always reads the original text, so the labels do not depend on these options.
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

#: Environment variable with the key of --hash-column, if no file is given.
KEY_VARIABLE = "EMOJOB_HASH_KEY"

_SHORTEST_KEY, _LONGEST_KEY = 16, 65_536  # bytes
_HEX = 32  # hexadecimal characters of a pseudonym: 128 bits
_HOW = (
    f"put at least {_SHORTEST_KEY} random bytes into a file (head -c 32 /dev/urandom | base64 > my.key) and give "
    f"--hash-key-file my.key, or set {KEY_VARIABLE}"
)


@dataclass(frozen=True)
class Privacy:
    """Privacy options of one run.

    Attributes:
        text_column: Name of the text column.
        masked: Whether personal data in the text column is masked.
        rejects_masked: Whether personal data in the raw text of rejected rows is masked.
        text_dropped: Whether the text column is left out.
        hashed: Names of the columns whose values are replaced by keyed hashes.
        key: Key of the hashes.
    """

    text_column: str
    masked: bool = False
    rejects_masked: bool = True
    text_dropped: bool = False
    hashed: tuple[str, ...] = ()
    key: bytes = field(default=b"", repr=False)

    def schema(self, schema: pa.Schema) -> pa.Schema:
        """Return the schema of the input's columns after the privacy options are applied."""
        fields = [pa.field(f.name, pa.string()) if f.name in self.hashed else f for f in schema]
        kept = [f for f in fields if not (self.text_dropped and f.name == self.text_column)]
        metadata = dict(schema.metadata or {})
        if self.hashed or self.text_dropped:
            metadata.pop(b"pandas", None)  # it describes the columns before the change
        return pa.schema(kept, metadata=metadata or None)

    def batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the input's columns of a batch after the privacy options are applied."""
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
        """Return rejected rows after the privacy options are applied.

        If a column is dropped or hashed, the raw text of every rejected row is empty, because it contains that column.
        """
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
        """Return the options for run.json. Every run into one OUT must use the same options (`ensure_same_privacy`)."""
        return {
            "mask_pii": self.masked,
            "drop_text": self.text_dropped,
            "hash_columns": sorted(self.hashed),
            "hash_key": hashlib.sha256(b"emojob key\n" + self.key).hexdigest()[:16] if self.hashed else None,
        }


#: `Privacy.as_json()` of a run by an old version of emojob, which did not have these options.
NOTHING: Mapping[str, Any] = {"mask_pii": False, "drop_text": False, "hash_columns": [], "hash_key": None}


def privacy_of(options: ScoreOptions, dataset: Dataset) -> Privacy:
    """Return the privacy options of a run.

    Args:
        options: Options of the run.
        dataset: The inputs.

    Raises:
        OptionError: The key is missing or unusable, or --hash-column names the text column.
        ColumnError: A column to hash does not exist, comes from the names of folders, or has a nested type.
    """
    folders = {key for source in dataset.sources for key, _ in source.file.partitions}
    for name in options.hash_columns:
        if name in folders:
            raise ColumnError(
                f"--hash-column {name} is in the names of the input's folders ({name}=...), which run.json and the "
                "rejects file show unhashed: move the column into the files, and rename the folders"
            )
        if name not in dataset.schema.names:
            raise ColumnError(f"--hash-column {name} is no column of the input; it has {listed(dataset.schema.names)}")
        if name == dataset.text_column:
            raise OptionError(
                f"--hash-column {name} is the text column; use --drop-text to leave it out, or --mask-pii to mask it"
            )
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
    """Return a pseudonym for each value: the first 128 bits of HMAC-SHA256 (RFC 2104) over the value as UTF-8 text.

    The number 7 and the text "7" have the same pseudonym, so CSV and Parquet give the same result.

    Args:
        column: Values of any type that is not nested. Null stays null.
        key: Key of the hash.

    Returns:
        string [rows], hexadecimal.
    """
    encoded = strings(column).dictionary_encode()
    values = [hmac.digest(key, value.encode(), "sha256").hex()[:_HEX] for value in encoded.dictionary.to_pylist()]
    return pa.DictionaryArray.from_arrays(encoded.indices, pa.array(values, pa.string())).dictionary_decode()


def _masked(column: pa.Array) -> pa.Array:
    """Mask the personal data in a text column. The result has the type of the column."""
    from emojob.pipeline.privacy.pii.masking import mask

    if pa.types.is_null(column.type):
        return column
    if pa.types.is_dictionary(column.type):
        return pa.DictionaryArray.from_arrays(column.indices, _masked(column.dictionary))
    return mask(strings(column)).cast(column.type)


def _key(file: str | None) -> bytes:
    """Read the key from a file or the environment. Raises OptionError if it is missing, too short or too long."""
    if file is None:
        key = os.fsencode(os.environ.get(KEY_VARIABLE, "")).strip()
        if not key:
            raise OptionError(f"--hash-column needs a key: {_HOW}")
    else:
        try:
            with Path(file).open("rb") as stream:
                key = stream.read(_LONGEST_KEY + 1).strip()
        except OSError as error:
            raise OptionError(f"--hash-key-file {file} cannot be read: {error.strerror}; {_HOW}") from None
    if len(key) < _SHORTEST_KEY:
        raise OptionError(f"the key of --hash-column has {len(key)} bytes, which is too short: {_HOW}")
    if len(key) > _LONGEST_KEY:
        raise OptionError(f"--hash-key-file {file} has more than {_LONGEST_KEY:,} bytes, which is too long: {_HOW}")
    return key
