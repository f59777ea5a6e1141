"""Applies the privacy options to output rows: masks or drops the text column, and hashes ID columns.

The labels do not depend on these options, because the model always reads the original text.
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
from emojob.schemas.arrow_text import identities, strings
from emojob.schemas.column_names import listed_columns
from emojob.schemas.columns import RAW_CHARACTERS
from emojob.schemas.errors import ColumnError, OptionError
from emojob.schemas.options import ScoreOptions

#: Environment variable that holds the hash key if --hash-key-file is not given.
KEY_VARIABLE = "EMOJOB_HASH_KEY"

_SHORTEST_KEY, _LONGEST_KEY = 16, 65_536  # bytes
_HEX = 32  # number of hexadecimal characters in a pseudonym (32 characters hold 128 bits)
_HOW = (
    f"put at least {_SHORTEST_KEY} random bytes into a file (head -c 32 /dev/urandom | base64 > my.key) and give "
    f"--hash-key-file my.key, or set {KEY_VARIABLE}"
)


@dataclass(frozen=True)
class Privacy:
    """Privacy options of a run.

    Attributes:
        text_column: Name of the text column.
        masked: Whether personal data in the text column is masked.
        rejects_masked: Whether personal data in the raw text of rejected rows is masked.
        text_dropped: Whether the text column is removed from the output.
        hashed: Names of the columns to hash.
        key: Secret key for hashing; empty if no column is hashed.
    """

    text_column: str
    masked: bool = False
    rejects_masked: bool = True
    text_dropped: bool = False
    hashed: tuple[str, ...] = ()
    key: bytes = field(default=b"", repr=False)

    def schema(self, schema: pa.Schema) -> pa.Schema:
        """Apply the privacy options to the schema of the input, and return the new schema."""
        fields = [pa.field(f.name, pa.string()) if f.name in self.hashed else f for f in schema]
        kept = [f for f in fields if not (self.text_dropped and f.name == self.text_column)]
        metadata = dict(schema.metadata or {})
        if self.hashed or self.text_dropped:
            metadata.pop(b"pandas", None)  # this metadata describes the original columns
        return pa.schema(kept, metadata=metadata or None)

    def batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Apply the privacy options to a batch of input rows, and return the new batch."""
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
        """Mask or remove the raw text of rejected rows, cut it to RAW_CHARACTERS characters, and return the new rows.

        The raw text contains the values of all columns. If any column is dropped or hashed, the raw text is removed.
        """
        if not rejects:
            return rejects
        if self.text_dropped or self.hashed:
            return [replace(one, raw="") for one in rejects]
        if not self.rejects_masked:
            return [replace(one, raw=one.raw[:RAW_CHARACTERS]) for one in rejects]
        from emojob.pipeline.privacy.pii.masking import mask_beginnings

        raws = mask_beginnings([one.raw for one in rejects], RAW_CHARACTERS)
        return [replace(one, raw=raw) for one, raw in zip(rejects, raws, strict=True)]

    def as_json(self) -> dict[str, Any]:
        """Return the options as a dictionary for run.json.

        `ensure_same_privacy` checks that all runs that write to one OUT have equal privacy options.
        """
        return {
            "mask_pii": self.masked,
            "drop_text": self.text_dropped,
            "hash_columns": sorted(self.hashed),
            "hash_key": hashlib.sha256(b"emojob key\n" + self.key).hexdigest()[:16] if self.hashed else None,
        }


#: Privacy options of a run if run.json contains no privacy options, because an old emojob version wrote run.json.
NOTHING: Mapping[str, Any] = {"mask_pii": False, "drop_text": False, "hash_columns": [], "hash_key": None}


def privacy_of(options: ScoreOptions, dataset: Dataset) -> Privacy:
    """Check the privacy options of a run, and return them with the hash key.

    Args:
        options: Command-line options of the run.
        dataset: The dataset that the run labels.

    Raises:
        OptionError: The key is missing or unusable, or --hash-column names the text column.
        ColumnError: A column of --hash-column does not exist, is a partition column (from key=value folders), or has a
            nested type.
    """
    folders = {key for source in dataset.sources for key, _ in source.file.partitions}
    for name in options.hash_columns:
        if name in folders:
            raise ColumnError(
                f"--hash-column {name}: values in folder names ({name}=...) cannot be hashed, because run.json and "
                "the rejects file contain the folder names; move the column into the files, and rename the folders"
            )
        if name not in dataset.schema.names:
            raise ColumnError(
                f"--hash-column {name}: the input has no such column; choose one of these columns: "
                f"{listed_columns(dataset.schema.names)}"
            )
        if name == dataset.text_column:
            raise OptionError(
                f"--hash-column {name}: the text column cannot be hashed; give --drop-text to remove the text column, "
                "or --mask-pii to mask personal data in the text"
            )
        if pa.types.is_nested(dataset.schema.field(name).type):
            raise ColumnError(
                f"--hash-column {name}: values of type {dataset.schema.field(name).type} cannot be hashed; "
                "give a column of strings or numbers"
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
    """Return a pseudonym for each value: the first 128 bits of the HMAC-SHA256 of the value (RFC 2104).

    `identities` defines the bytes that are hashed: equal values have the same pseudonym, in every part and for every
    type that can hold the value. The number 7 and the text "7" have the same pseudonym.

    Args:
        column: Values of any non-nested type. Null stays null.
        key: Secret key of the HMAC.

    Returns:
        Hexadecimal pseudonyms: string [rows].
    """
    encoded = identities(column).dictionary_encode()
    values = [hmac.digest(key, value, "sha256").hex()[:_HEX] for value in encoded.dictionary.to_pylist()]
    return pa.DictionaryArray.from_arrays(encoded.indices, pa.array(values, pa.string())).dictionary_decode()


def _masked(column: pa.Array) -> pa.Array:
    """Mask the personal data in a text column. The type of the column does not change."""
    from emojob.pipeline.privacy.pii.masking import mask

    if pa.types.is_null(column.type):
        return column
    if pa.types.is_dictionary(column.type):
        return pa.DictionaryArray.from_arrays(column.indices, _masked(column.dictionary))
    return mask(strings(column)).cast(column.type)


def _key(file: str | None) -> bytes:
    """Return the hash key from `file`, or from the environment variable KEY_VARIABLE if `file` is None.

    Raises OptionError if the key is missing, too short or too long.
    """
    source = KEY_VARIABLE if file is None else f"--hash-key-file {file}"
    if file is None:
        key = os.fsencode(os.environ.get(KEY_VARIABLE, "")).strip()
        if not key:
            raise OptionError(f"--hash-column needs a key: {_HOW}")
    else:
        try:
            with Path(file).open("rb") as stream:
                key = stream.read(_LONGEST_KEY + 1).strip()
        except OSError as error:
            raise OptionError(f"{source} cannot be read: {error.strerror}; {_HOW}") from None
    if len(key) < _SHORTEST_KEY:
        raise OptionError(f"the hash key in {source} has {len(key)} bytes, but needs at least {_SHORTEST_KEY}: {_HOW}")
    if len(key) > _LONGEST_KEY:
        raise OptionError(f"the hash key in {source} is longer than {_LONGEST_KEY:,} bytes: {_HOW}")
    return key
