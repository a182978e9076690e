"""Where things are kept: blobs by digest, metadata in SQL tables, and locks.

In come bytes and core values; out come the same, checked. Nothing here knows what a
release is for, starts a process or speaks HTTP. Blobs are written before the metadata that
names them, so whatever the metadata names exists.
"""
