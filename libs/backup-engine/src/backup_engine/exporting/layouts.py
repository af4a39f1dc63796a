"""Where a mail lies in a Maildir and how it looks in an mbox file (mboxrd)."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from backup_engine.exporting.letters import Letter
from backup_engine.exporting.names import place

_FROM = re.compile(rb"^(>*From )", re.MULTILINE)
_EPOCH = datetime.fromtimestamp(0, UTC)


def received(letter: Letter) -> datetime:
    """When Microsoft 365 received it; 1970 when it does not say."""
    try:
        found = datetime.fromisoformat(str(letter.row.meta.get("receivedDateTime")))
    except ValueError:
        return _EPOCH
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def mbox_path(folder: tuple[str, ...]) -> str:
    """`Inbox/Projects.mbox`: one file per mail folder."""
    *parents, last = place(folder) or ["mailbox"]
    return "/".join([*parents, f"{last}.mbox"])


def mbox_entry(letter: Letter, body: bytes) -> bytes:
    """The mail as part of an mbox file; line ends stay as they are.

    Taking one `>` from lines of `>From ` gives back the stored bytes; a mail without a final line end gains one.
    """
    head = f"From MAILER-DAEMON {received(letter):%a %b %d %H:%M:%S %Y}\n".encode()
    return b"".join((head, _FROM.sub(rb">\1", body), b"\n" if body.endswith(b"\n") else b"\n\n"))


def maildir_path(letter: Letter) -> str:
    """`Inbox/Projects/cur/1767139200.000042.tenantkeep,S=1234:2,S`, with flags for draft, flagged and read (seen)."""
    moment = f"{received(letter).timestamp():.0f}"
    name = f"{moment}.{letter.number:06d}.tenantkeep,S={letter.row.size}:2,{_flags(letter)}"
    return "/".join([*place(letter.folder), "cur", name])


def maildir_folders(folder: tuple[str, ...]) -> list[str]:
    """The three folders every Maildir has, empty or not."""
    return ["/".join([*place(folder), name]) for name in ("cur", "new", "tmp")]


def _flags(letter: Letter) -> str:
    meta = letter.row.meta
    flag = meta.get("flag")
    flagged = isinstance(flag, Mapping) and flag.get("flagStatus") == "flagged"
    return ("D" if meta.get("isDraft") else "") + ("F" if flagged else "") + ("S" if meta.get("isRead") else "")
