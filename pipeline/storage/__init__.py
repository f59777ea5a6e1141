"""Bytes on disks and in object stores: paths, whole-file writes, locks, leases and permissions."""
