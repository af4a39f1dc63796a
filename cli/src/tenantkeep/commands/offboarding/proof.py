"""The proof of an offboarding: what was done when and by whom, and every key that was destroyed."""

from datetime import datetime

from contracts.offboarding import KeyOfRepository, OffboardingState, OffboardingView
from contracts.offboarding_texts import DEEDS, STATES
from contracts.texts import Text, render
from contracts.views import Tenant
from tenantkeep.commands.papers.document import Paper, Section, stamp

_TITLE = Text("Record of the offboarding", "Protokoll der Abmeldung")
_MADE = Text("Last entry of {}; made by Tenantkeep.", "Letzter Eintrag vom {}; erstellt von Tenantkeep.")
_RECORD = Text("What was done", "Was getan wurde")
_BY = Text("{}, by {}", "{}, durch {}")
_TRANSIT, _RECOVERY = (
    Text("Key in the vault", "Schlüssel im Vault"),
    Text("Recovery key", "Wiederherstellungsschlüssel"),
)
_OPEN = Text("not destroyed", "nicht vernichtet")
_DESTROYED = Text("destroyed {}, {}", "vernichtet {}, {}")
_KEYS = Text("The keys of everything stored", "Die Schlüssel zu allem Gespeicherten")
_ALL_GONE = Text(
    "Every key that opened the tenant's repositories is destroyed. What lies in the storage stays encrypted and cannot "
    "be read again by anybody. The key in the vault was checked; the recovery keys are as the customer attests.",
    "Alle Schlüssel zu den Repositorys des Mandanten sind vernichtet. Was im Speicher liegt, bleibt verschlüsselt "
    "und ist für niemanden mehr lesbar. Der Schlüssel im Vault wurde geprüft; die Wiederherstellungsschlüssel "
    "bescheinigt der Kunde.",
)
_NOT_YET = Text(
    "One key alone shreds nothing: what is stored can be read until all of them are destroyed.",
    "Ein Schlüssel allein vernichtet nichts: Das Gespeicherte ist lesbar, bis alle vernichtet sind.",
)
_NOTES = Text("What this does not cover", "Was das nicht umfasst")
_NOTES_TEXT = Text(
    "Backups of the vault that hold the key (raft snapshots) have to go as well, and workers that had the repositories "
    "open are restarted: until then they have data keys in memory. Exports that were handed over are the customer's.",
    "Auch Sicherungen des Vaults, die den Schlüssel enthalten (Raft-Snapshots), müssen verschwinden, und Worker, die "
    "die Repositorys geöffnet hatten, werden neu gestartet: Bis dahin halten sie Datenschlüssel im Speicher. "
    "Übergebene Exporte gehören dem Kunden.",
)


def proof(tenant: Tenant, record: OffboardingView, language: str) -> Paper:
    """The document in `en` or `de`, whole or on its way."""

    def say(text: Text) -> str:
        return render(text, language)

    shredded = record.state is OffboardingState.SHREDDED
    last: datetime = record.deeds[-1].at
    deeds = tuple(
        (stamp(one.at), " ".join((say(_BY).format(say(DEEDS[one.deed]), one.by), one.note)).strip())
        for one in record.deeds
    )
    return Paper(
        language=language,
        title=f"{say(_TITLE)}: {say(STATES[record.state])}",
        subject=f"{tenant.display_name} ({tenant.tenant}, {tenant.entra_tenant_id})",
        made=say(_MADE).format(stamp(last)),
        sections=(
            Section(say(_RECORD), facts=deeds),
            Section(
                say(_KEYS),
                done=shredded,
                text=say(_ALL_GONE if shredded else _NOT_YET),
                facts=tuple(_key(key, language) for key in record.keys),
            ),
            Section(say(_NOTES), text=say(_NOTES_TEXT)),
        ),
    )


def _key(key: KeyOfRepository, language: str) -> tuple[str, str]:
    kind = render(_TRANSIT if key.kind == "transit" else _RECOVERY, language)
    if key.destroyed_at is None:
        return f"{kind} {key.name}", render(_OPEN, language)
    return f"{kind} {key.name}", render(_DESTROYED, language).format(stamp(key.destroyed_at), key.destroyed_by)
