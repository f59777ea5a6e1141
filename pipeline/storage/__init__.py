"""Reads and writes files on disks and objects in object stores.

Other packages use `paths` to open, list and remove files, `atomic` to write whole files, `lock` to lock folders and
`permissions` to limit file permissions. A path has the type `AnyPath`, whether it is on a disk or in an object store.
"""

__all__ = ["atomic", "lock", "object_errors", "object_io", "object_store", "paths", "permissions"]
