"""What people read about offboarding, English and German for every code; `{tenant}` takes the slug."""

from contracts.offboarding import OffboardingBlock, OffboardingDeed, OffboardingState
from contracts.texts import Text

STATES: dict[OffboardingState, Text] = {
    OffboardingState.STOPPING: Text("Being stopped", "Wird angehalten"),
    OffboardingState.STOPPED: Text("Stopped; the export is offered", "Angehalten; der Export wird angeboten"),
    OffboardingState.EXPORT_DECIDED: Text("Stopped; export decided", "Angehalten; über den Export ist entschieden"),
    OffboardingState.SHREDDING: Text("Shredding is ordered", "Vernichtung ist angeordnet"),
    OffboardingState.SHREDDED: Text("Shredded", "Vernichtet"),
    OffboardingState.CANCELLED: Text("Cancelled", "Abgebrochen"),
}

DEEDS: dict[OffboardingDeed, Text] = {
    OffboardingDeed.BEGUN: Text(
        "Offboarding begun, every backup paused", "Abmeldung begonnen, alle Backups angehalten"
    ),
    OffboardingDeed.TOKENS_DEACTIVATED: Text("Tokens deactivated", "Tokens deaktiviert"),
    OffboardingDeed.STOPPED: Text("Checked: nothing runs any more", "Geprüft: nichts läuft mehr"),
    OffboardingDeed.EXPORTED: Text("Data exported and handed over", "Daten exportiert und übergeben"),
    OffboardingDeed.EXPORT_DECLINED: Text("Export declined", "Export abgelehnt"),
    OffboardingDeed.SHREDDING_ORDERED: Text(
        "Shredding ordered, confirmed by typing the name", "Vernichtung angeordnet, durch Tippen des Namens bestätigt"
    ),
    OffboardingDeed.TRANSIT_KEY_GONE: Text(
        "Checked: the vault's key is destroyed", "Geprüft: der Schlüssel im Vault ist vernichtet"
    ),
    OffboardingDeed.RECOVERY_KEY_DESTROYED: Text(
        "Customer attests: every copy of the recovery key is destroyed",
        "Kunde bescheinigt: jede Kopie des Wiederherstellungsschlüssels ist vernichtet",
    ),
    OffboardingDeed.SHREDDED: Text(
        "Every key is destroyed: what was stored cannot be read again",
        "Alle Schlüssel sind vernichtet: das Gespeicherte ist nicht mehr lesbar",
    ),
    OffboardingDeed.CANCELLED: Text("Offboarding cancelled", "Abmeldung abgebrochen"),
}

BLOCKS: dict[OffboardingBlock, Text] = {
    OffboardingBlock.STILL_RUNNING: Text(
        "A job still runs; it ends by itself within minutes. Run the command again.",
        "Ein Auftrag läuft noch; er endet in Minuten von selbst. Den Befehl erneut ausführen.",
    ),
    OffboardingBlock.STILL_SCHEDULED: Text(
        "A backup configuration is not paused: tenantkeep backup pause NAME --tenant {tenant}",
        "Eine Backup-Konfiguration ist nicht angehalten: tenantkeep backup pause NAME --tenant {tenant}",
    ),
    OffboardingBlock.BACKUPS_UNKNOWN: Text(
        "The backup service does not answer, so nobody knows what is held. Run the command again.",
        "Der Backup-Dienst antwortet nicht, deshalb ist unbekannt, was gehalten wird. Den Befehl erneut ausführen.",
    ),
    OffboardingBlock.EXPORT_UNDECIDED: Text(
        "Export what the customer wants (tenantkeep backup export --help), then: tenantkeep offboard {tenant} "
        '--exported "what, to whom" or --no-export "why"',
        "Exportieren, was der Kunde möchte (tenantkeep backup export --help), dann: tenantkeep offboard {tenant} "
        '--exported "was, an wen" oder --no-export "warum"',
    ),
    OffboardingBlock.LEGAL_HOLD: Text(
        "A legal hold forbids it: tenantkeep backup hold list --tenant {tenant}",
        "Eine Aufbewahrungsanordnung verbietet es: tenantkeep backup hold list --tenant {tenant}",
    ),
    OffboardingBlock.RETENTION_FLOOR: Text(
        "The least retention of the tenant still covers restore points.",
        "Die Mindestaufbewahrung des Mandanten gilt noch für Wiederherstellungspunkte.",
    ),
    OffboardingBlock.KEYS_UNKNOWN: Text(
        "A storage target cannot be read, so nobody knows which keys open it: tenantkeep storage test NAME",
        "Ein Speicherziel ist nicht lesbar, deshalb ist unbekannt, welche Schlüssel es öffnen: "
        "tenantkeep storage test NAME",
    ),
    OffboardingBlock.TRANSIT_KEY_THERE: Text(
        "The vault's key is still there: tenantkeep offboard {tenant} --yes-shred {tenant}",
        "Der Schlüssel im Vault ist noch da: tenantkeep offboard {tenant} --yes-shred {tenant}",
    ),
    OffboardingBlock.RECOVERY_KEY_UNATTESTED: Text(
        "The customer destroys every copy of the recovery key file and says so: tenantkeep offboard {tenant} "
        '--recovery-key-destroyed-by "NAME"',
        "Der Kunde vernichtet jede Kopie der Datei des Wiederherstellungsschlüssels und bescheinigt es: "
        'tenantkeep offboard {tenant} --recovery-key-destroyed-by "NAME"',
    ),
}
