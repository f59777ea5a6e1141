"""Reads and writes files on disks and objects in object stores.

- `paths`: open, list and remove files. A path has the type `AnyPath`: a local path or a path in an object store.
- `atomic`: write files that appear only when they are complete.
- `lock`: lock folders.
- `permissions`: limit file permissions.
"""

__all__ = ["atomic", "lock", "object_errors", "object_io", "object_store", "paths", "permissions"]
