"""Reads and writes files on disks and objects in object stores. `paths` handles both as one type, `AnyPath`.

Other rooms use `atomic` to write whole files, `lock` to lock folders and `permissions` to limit permissions. Only this
room distinguishes local paths from paths in object stores.
"""

__all__ = ["atomic", "lock", "object_errors", "object_io", "object_store", "paths", "permissions"]
