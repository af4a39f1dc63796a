"""Restore points as files: ZIP, a folder of EML files, mbox (mboxrd) or Maildir, beside iCalendar and vCard files.

Knows the item kinds mail backups are made of: `folder` (meta: name) and `mail` (the body is MIME, the meta what MIME
does not carry), whose stored bytes it gives, nothing rebuilt; `calendar`, `event` and `event-attachment`, which it
writes as iCalendar; and `contact-folder`, `contact`, `contact-photo` and those of the tenant's address book (`user`,
`group`, `org-contact`), whose JSON it writes as vCard 4.0. Usable with nothing but storage and a key.
"""

from backup_engine.exporting.archive import ARCHIVES, FILES, MANIFEST, other_files, zip_chunks
from backup_engine.exporting.calendars import CALENDAR_KINDS, EVENT
from backup_engine.exporting.formats import FORMATS, Writer
from backup_engine.exporting.letters import FOLDER, MAIL, Letter, letters, mail_rows
from backup_engine.exporting.names import folder_paths, part
from backup_engine.exporting.pieces import File, Files, Piece, Wanted
from backup_engine.exporting.selecting import selected

__all__ = [
    "ARCHIVES",
    "CALENDAR_KINDS",
    "EVENT",
    "FILES",
    "FOLDER",
    "FORMATS",
    "MAIL",
    "MANIFEST",
    "File",
    "Files",
    "Letter",
    "Piece",
    "Wanted",
    "Writer",
    "folder_paths",
    "letters",
    "mail_rows",
    "other_files",
    "part",
    "selected",
    "zip_chunks",
]
