"""From new blobs to durable packs: compress, encrypt, collect, upload, with bounded memory."""

import hashlib
import io
import threading

from backup_engine import names
from backup_engine.compression import compress_all
from backup_engine.entries import BlobEntries
from backup_engine.index import BlobIndex
from backup_engine.keys import KeyRing
from backup_engine.pack import PackBuilder, PackEntry
from backup_engine.pools import Pool
from backup_engine.storage.base import Storage
from backup_engine.tuning import Tuning

Batch = list[tuple[bytes, bytes]]  # blob id, blob
_BATCHES = 2  # for each compressor: one at work on, one waiting; chunks of files make batches of up to 8 MiB


class Packer:
    """The write path of one session; thread-safe. After an error every call raises that error.

    Three locks, taken one at a time or in this order: intake (which blobs are new), pack (the open pack),
    done (the durable packs).
    """

    def __init__(self, session: str, storage: Storage, ring: KeyRing, index: BlobIndex, tuning: Tuning) -> None:
        self._session = session
        self._storage = storage
        self._key = ring.writing
        self._index = index
        self._tuning = tuning
        self._intake = threading.Lock()
        self._claimed: set[bytes] = set()
        self._batch: Batch = []
        self._batch_bytes = 0
        self._pack = threading.Lock()
        self._builder: PackBuilder | None = None
        self._seq = 0
        self._done = threading.Lock()
        self._durable: list[PackEntry] = []
        self._spare: io.BytesIO | None = None  # the buffer of a durable pack
        self._compressors = Pool(tuning.compressors, _BATCHES * tuning.compressors, "compress")
        self._uploaders = Pool(tuning.uploaders, tuning.uploaders, "upload")  # none waits: packs are large

    def add(self, ident: bytes, blob: bytes) -> bool:
        """Take the blob unless the repository or this session has it; True when it was new."""
        with self._intake:
            if ident in self._claimed or ident in self._index:
                return False
            self._claimed.add(ident)
            self._batch.append((ident, blob))
            self._batch_bytes += len(blob)
            batch = self._take_batch() if self._batch_bytes >= self._tuning.batch else []
            # Inside the lock: a flush that begins now must find every claimed blob submitted.
            self._submit(batch)
        return True

    def has_room(self, size: int) -> bool:
        """Whether blobs of so many bytes can be added without waiting for a compressor, nor for what it waits for.

        True only as long as no other thread adds any.
        """
        return self._compressors.room > size // self._tuning.batch

    def flush(self) -> list[PackEntry]:
        """Make every blob added so far durable; the packs finished since the last flush, oldest first."""
        with self._intake:
            self._submit(self._take_batch())
        self._compressors.wait()
        with self._pack:
            self._close_pack()
        self._uploaders.wait()
        with self._done:
            durable, self._durable = self._durable, []
            self._spare = None  # nobody knows whether there is more to come
        return sorted(durable, key=lambda pack: pack.name)

    def forget(self, packs: list[PackEntry]) -> None:
        """The index answers for these blobs now."""
        with self._intake:
            for pack in packs:
                self._claimed.difference_update(BlobEntries.of(pack.blobs).ids())

    def close(self) -> None:
        self._compressors.close()
        self._uploaders.close()

    def _take_batch(self) -> Batch:
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        return batch

    def _submit(self, batch: Batch) -> None:
        if batch:
            self._compressors.submit(lambda: self._compress(batch))

    def _compress(self, batch: Batch) -> None:
        coded = compress_all([blob for _, blob in batch])
        with self._pack:
            for (ident, blob), (codec, frame) in zip(batch, coded, strict=True):
                self._builder = self._builder or PackBuilder(self._key, self._take_spare())
                self._builder.add(ident, len(blob), codec, frame)
                if self._is_full(self._builder):
                    self._close_pack()

    def _is_full(self, builder: PackBuilder) -> bool:
        return builder.size >= self._tuning.pack_size or len(builder.entries) >= self._tuning.pack_blobs

    def _close_pack(self) -> None:
        builder, self._builder = self._builder, None
        if builder is None:
            return
        seq, self._seq = self._seq, self._seq + 1
        self._uploaders.submit(lambda: self._upload(seq, builder))

    def _upload(self, seq: int, builder: PackBuilder) -> None:
        body, trailer = builder.close()
        name = names.pack(self._session, seq, hashlib.sha256(body).hexdigest())
        self._storage.put(name, body)
        entry = PackEntry(name, len(body), trailer, builder.header.encode(), BlobEntries.of(builder.entries))
        del body  # with the last one who reads it gone, the buffer is written over, not copied
        with self._done:
            self._durable.append(entry)
            self._spare = builder.buffer

    def _take_spare(self) -> io.BytesIO | None:
        with self._done:
            spare, self._spare = self._spare, None
        return spare
