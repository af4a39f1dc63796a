"""Restore points as files: ZIP, a folder of EML files, mbox (mboxrd) or Maildir. The stored bytes, nothing rebuilt.

Knows the item kinds mail backups are made of: `folder` (meta: name) and `mail` (the body is MIME, the meta what MIME
does not carry). Usable with nothing but storage and a key.
"""

from backup_engine.exporting.archive import ARCHIVES, MANIFEST, zip_chunks
from backup_engine.exporting.formats import FORMATS, Writer
from backup_engine.exporting.letters import FOLDER, MAIL, Letter, folder_paths, letters, mail_rows

__all__ = [
    "ARCHIVES",
    "FOLDER",
    "FORMATS",
    "MAIL",
    "MANIFEST",
    "Letter",
    "Writer",
    "folder_paths",
    "letters",
    "mail_rows",
    "zip_chunks",
]
