"""Bytes on disks and in object stores. `paths` treats both as one kind of path, `AnyPath`.

Other rooms use these modules to write whole files (`atomic`), to lock folders (`lock`) and to limit permissions.
Only this room needs to know which kind a path is.
"""

__all__ = ["atomic", "lock", "object_errors", "object_io", "object_store", "paths", "permissions"]
