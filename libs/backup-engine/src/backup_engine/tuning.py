"""Sizes and threads. Nothing here changes what a reader must understand."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Tuning:
    """Memory of a session is bounded by about (1 + 2 x uploaders) packs."""

    pack_size: int = 16 << 20  # bytes of records after which a pack is closed
    pack_blobs: int = 10_000  # records after which a pack is closed
    compressors: int = 2  # threads; 0 compresses in the caller's thread
    uploaders: int = 4  # threads; 0 uploads in the caller's thread, and asks one thing after the other
    batch: int = 1 << 20  # bytes of new blobs handed to a compressor at once
    merge_above: int = 16  # runs of manifest segments before the newest are merged
    folder: Path | None = None  # scratch files and caches; None: scratch in the system's temporary folder, no caches
    cache: int = 256 << 20  # bytes of sealed objects kept in the folder, which repositories may share
    state_memory: int = 32 << 20  # bytes of a session's item table kept in memory; the rest is a scratch file
    index_recent: int = 1 << 13  # blobs in a dictionary before they join the sorted table, about 2 MB
    index_mapped: int = 1 << 15  # blobs from which the sorted table is a mapped file, not memory
