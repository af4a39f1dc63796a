"""Writing files so that a reader, or a crash, never sees half of one."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

SECRET_MODE = 0o600
PUBLIC_MODE = 0o644


def write(path: Path, content: bytes | str, *, mode: int = PUBLIC_MODE) -> None:
    """Replace `path` by `content` in one step; readable by others only if `mode` says so, at no moment before."""
    raw = content.encode() if isinstance(content, str) else content
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(mode)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any, *, mode: int = PUBLIC_MODE) -> None:
    """`write` for a JSON value."""
    write(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", mode=mode)
