"""The steps of the commit and collection protocol, as operations on storage (format, sections 10 and 17).

The model that explores every interleaving is made of these steps, and a recording of the real writer and collector is
compared with it step by step.
"""

import re
from enum import Enum


class Step(Enum):
    """The value is the operation and the names it is about."""

    # a writer
    OPEN = "put", r"sessions/[^/]+/open"
    READ_CONDEMNED = "list", r"gc/"
    UPLOAD_PACK = "put", r"data/.*"
    PUBLISH_INDEX = "put", r"index/(?!merged/).*"
    WRITE_SEGMENT = "put", r"manifests/.*"
    CHECKPOINT = "put", r"sessions/[^/]+/ckpt-\d+"
    INTENT = "put", r"sessions/[^/]+/intent"
    COMMIT = "put", r"snapshots/.*"
    CLEAR_SESSION = "delete", r"sessions/.*"
    # a collector
    FENCE = "fence", r"snapshots/.*"  # the put of a tombstone at a commit name
    LIST_PACKS = "list", r"data/"
    LIST_SEGMENTS = "list", r"manifests/"
    LIST_SESSIONS = "list", r"sessions/"
    LIST_SNAPSHOTS = "list", r"snapshots/"
    LIST_HOLDS = "list", r"holds/"
    LIST_INDEX = "list", r"index/"
    CONDEMN = "put", r"gc/\d{8}/condemned"
    REMOVE_SNAPSHOT = "delete", r"snapshots/.*"
    REMOVE_SEGMENT = "delete", r"manifests/.*"
    MERGE_INDEX = "put", r"index/merged/.*"
    REMOVE_INDEX = "delete", r"index/.*"
    REMOVE_PACK = "delete", r"data/.*"
    DONE = "put", r"gc/\d{8}/done"

    @classmethod
    def of(cls, operation: str, name: str) -> "Step | None":
        """The step an operation is, None for one the protocol does not know (reads of single objects, other names)."""
        for step in cls:
            known, pattern = step.value
            if operation == known and re.fullmatch(pattern, name):
                return step
        return None
