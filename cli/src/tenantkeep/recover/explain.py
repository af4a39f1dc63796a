"""Errors of the engine in plain words, with the next step."""

from collections.abc import Iterator
from contextlib import contextmanager

from backup_engine import errors as engine
from contracts.texts import Text
from tenantkeep.commands.errors import CommandError, Unreachable
from tenantkeep.exit_codes import ExitCode

_SEE_PAGE = Text(
    "docs/reference/recovery.md goes through it step by step.", "docs/reference/recovery.md beschreibt die Schritte."
)
_TEXTS: dict[type[engine.RepositoryError], tuple[str, Text, Text]] = {
    engine.StorageDenied: (
        "storage-denied",
        Text("The storage refuses access.", "Der Speicher verweigert den Zugriff."),
        Text(
            "Check address, bucket or folder, and credentials; they need to read and list.",
            "Adresse, Bucket oder Ordner und Zugangsdaten prüfen; nötig sind Lesen und Auflisten.",
        ),
    ),
    engine.AlreadyExists: (
        "other-repository",
        Text("Another repository lies there.", "Dort liegt ein anderes Repository."),
        Text("Copy to another prefix or folder.", "In einen anderen Präfix oder Ordner kopieren."),
    ),
    engine.NotFound: (
        "not-found",
        Text("Not found in this repository.", "In diesem Repository nicht gefunden."),
        Text("List what there is: tenantkeep recover … list", "Vorhandenes zeigen: tenantkeep recover … list"),
    ),
    engine.KeyUnavailable: (
        "key-unavailable",
        Text("This key does not open the repository.", "Dieser Schlüssel öffnet das Repository nicht."),
        Text(
            "See which recovery keys do: tenantkeep recover --storage … keys",
            "Welche es öffnen, zeigt: tenantkeep recover --storage … keys",
        ),
    ),
    engine.FormatUnsupported: (
        "format",
        Text("This release does not read the repository.", "Diese Version kann das Repository nicht lesen."),
        Text("Use the newest release of Tenantkeep.", "Die neueste Version von Tenantkeep verwenden."),
    ),
    engine.IntegrityError: (
        "integrity",
        Text("Something in the repository is damaged.", "Etwas im Repository ist beschädigt."),
        Text(
            "Try an older restore point, or a copy of the storage; what is damaged is named above.",
            "Einen älteren Wiederherstellungspunkt oder eine Kopie des Speichers versuchen; was beschädigt ist,"
            " steht oben.",
        ),
    ),
}


@contextmanager
def explained() -> Iterator[None]:
    """Turn errors of the engine, and of the disk an export goes to, into errors of the command."""
    try:
        yield
    except engine.StorageUnreachable as error:
        raise Unreachable(
            Text("The storage does not answer.", "Der Speicher antwortet nicht."),
            Text("Check address, network and --ca-file.", "Adresse, Netz und --ca-file prüfen."),
            lines=(str(error),),
            code="storage-unreachable",
        ) from error
    except engine.RepositoryError as error:
        code, message, remedy = _words(error)
        raise CommandError(message, remedy, lines=(str(error),), code=code) from error
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        raise CommandError(
            Text("This machine cannot write or read a file.", "Eine Datei ist hier nicht schreib- oder lesbar."),
            Text("Check free space and permissions.", "Freien Platz und Rechte prüfen."),
            ExitCode.FAILED,
            lines=(f"{error.strerror or type(error).__name__}{place}",),
            code="disk",
        ) from error


def _words(error: engine.RepositoryError) -> tuple[str, Text, Text]:
    for kind, words in _TEXTS.items():
        if isinstance(error, kind):
            return words
    return "repository", Text("The repository cannot be read.", "Das Repository ist nicht lesbar."), _SEE_PAGE
