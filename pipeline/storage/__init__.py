"""Reads and writes files on disks and objects in object stores.

- `paths`: opens, lists and removes files and objects; the type `AnyPath` is a local path or a path in an object store
- `atomic`: writes files that appear only when they are complete
- `lock`, `lease`: prevent two runs from using one folder at the same time
"""

__all__ = ["atomic", "lock", "object_errors", "object_io", "object_store", "paths", "permissions"]
