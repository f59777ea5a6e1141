"""Reads and writes files on disks and objects in object stores.

- `paths`: opens, lists and removes files and objects; the type `AnyPath` is a local path or a path in an object store
- `atomic`: writes files that appear only when they are complete
- `temporary`: names, creates and sweeps temporary files and folders
- `folders`: creates and syncs local folders
- `spreadsheet`: writes workbooks (.xlsx)
- `lock`, `lease`: prevent two runs from using one folder at the same time
"""

__all__ = [
    "atomic",
    "folders",
    "lock",
    "object_errors",
    "object_io",
    "object_store",
    "paths",
    "permissions",
    "spreadsheet",
    "temporary",
]
