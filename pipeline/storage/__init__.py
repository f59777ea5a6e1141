"""Reads and writes files on disks and objects in object stores.

`paths` opens, lists and removes both; the type `AnyPath` is a local path or a path in an object store. `atomic` writes
files that appear only when they are complete, and `lock` and `lease` keep two runs out of one folder.
"""

__all__ = ["atomic", "lock", "object_errors", "object_io", "object_store", "paths", "permissions"]
