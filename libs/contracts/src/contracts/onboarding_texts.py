"""What people read about onboarding, English and German for every code; `{tenant}` and `{profile}` take the names."""

from contracts.onboarding import NextStep, OnboardingCause, OnboardingStep
from contracts.texts import Text

STEPS: dict[OnboardingStep, Text] = {
    OnboardingStep.TENANT_CREATED: Text("Tenant created", "Mandant angelegt"),
    OnboardingStep.INTEGRATION_CONFIGURED: Text(
        "Microsoft integration configured", "Microsoft-Integration konfiguriert"
    ),
    OnboardingStep.CONSENT_EFFECTIVE: Text("Admin consent effective", "Admin-Consent wirksam"),
    OnboardingStep.PERMISSIONS_VERIFIED: Text("Token and permissions verified", "Token und Berechtigungen geprüft"),
    OnboardingStep.TEST_BACKUP_SUCCEEDED: Text("Test backup succeeded", "Test-Backup erfolgreich"),
    OnboardingStep.PRODUCTIVE: Text("Productive: regular backups", "Produktiv: regelmäßige Backups"),
}

CAUSES: dict[OnboardingCause, Text] = {
    OnboardingCause.NO_CREDENTIAL: Text(
        "The app profile {profile} has no credential yet.", "Das App-Profil {profile} hat noch keine Zugangsdaten."
    ),
    OnboardingCause.CERTIFICATE_AWAITED: Text(
        "A key for {profile} is made in the vault; its certificate waits to be uploaded to the app registration.",
        "Ein Schlüssel für {profile} ist im Tresor erzeugt; sein Zertifikat ist noch nicht in der App-Registrierung "
        "hochgeladen.",
    ),
    OnboardingCause.TOKEN_DEACTIVATED: Text(
        "The token of {profile} is deactivated.", "Das Token von {profile} ist deaktiviert."
    ),
    OnboardingCause.CREDENTIAL_REFUSED: Text(
        "Microsoft refuses the credential of {profile}: it expired or is not the app's.",
        "Microsoft lehnt die Zugangsdaten von {profile} ab: abgelaufen oder nicht die der App.",
    ),
    OnboardingCause.NO_TOKEN: Text(
        "No valid token of {profile} at the moment; it is asked for again automatically.",
        "Derzeit kein gültiges Token von {profile}; es wird automatisch erneut angefordert.",
    ),
    OnboardingCause.CONSENT_NOT_ASKED: Text(
        "The customer's administrator has not been asked for consent.",
        "Der Administrator des Kunden wurde noch nicht um Zustimmung gebeten.",
    ),
    OnboardingCause.CONSENT_AWAITED: Text(
        "The consent link waits for the customer's administrator.",
        "Der Link zur Zustimmung wartet auf den Administrator des Kunden.",
    ),
    OnboardingCause.CONSENT_DECLINED: Text(
        "The customer's administrator declined; nothing was changed.",
        "Der Administrator des Kunden hat abgelehnt; nichts wurde geändert.",
    ),
    OnboardingCause.CONSENT_ROLE_TOO_LOW: Text(
        "Who opened the link may not consent: Graph application permissions need a Privileged Role Administrator.",
        "Wer den Link öffnete, darf nicht zustimmen: Graph-Anwendungsberechtigungen brauchen einen "
        "Administrator für privilegierte Rollen.",
    ),
    OnboardingCause.CONSENT_FAILED: Text(
        "Microsoft could not grant the consent.", "Microsoft konnte die Zustimmung nicht erteilen."
    ),
    OnboardingCause.CONSENT_EXPIRED: Text(
        "The consent link expired and nobody came back from Microsoft's page: it was not opened, was closed, or told "
        "who opened it that they may not do this.",
        "Der Link zur Zustimmung ist abgelaufen, und niemand kam von Microsofts Seite zurück: Sie wurde nicht "
        "geöffnet, wurde geschlossen oder sagte dem, der sie öffnete, dass er das nicht darf.",
    ),
    OnboardingCause.CONSENT_NOT_EFFECTIVE: Text(
        "Consent was reported, but Microsoft Graph still refuses the app; that may take minutes.",
        "Die Zustimmung ist gemeldet, aber Microsoft Graph lehnt die App noch ab; das kann Minuten dauern.",
    ),
    OnboardingCause.CONSENT_WITHDRAWN: Text(
        "The consent was effective and is gone: somebody removed the app or its permissions.",
        "Die Zustimmung war wirksam und fehlt jetzt: Jemand hat die App oder ihre Berechtigungen entfernt.",
    ),
    OnboardingCause.APP_DISABLED: Text(
        "The enterprise application of {profile} is switched off in the customer's tenant.",
        "Die Unternehmensanwendung von {profile} ist im Mandanten des Kunden deaktiviert.",
    ),
    OnboardingCause.PERMISSIONS_UNCHECKED: Text(
        "The permissions of {profile} have not been checked yet.",
        "Die Berechtigungen von {profile} sind noch nicht geprüft.",
    ),
    OnboardingCause.PERMISSIONS_MISSING: Text(
        "Needed permissions of {profile} are not granted.",
        "Nötige Berechtigungen von {profile} sind nicht erteilt.",
    ),
    OnboardingCause.NO_STORAGE_TARGET: Text(
        "There is no storage target for the backups.", "Es gibt kein Speicherziel für die Backups."
    ),
    OnboardingCause.NO_CONFIGURATION: Text("There is no backup configuration.", "Es gibt keine Backup-Konfiguration."),
    OnboardingCause.NO_BACKUP: Text(
        "No backup has run since the consent.", "Seit der Zustimmung ist kein Backup gelaufen."
    ),
    OnboardingCause.BACKUP_GOES_ON: Text("The test backup goes on.", "Das Test-Backup läuft."),
    OnboardingCause.BACKUP_FAILED: Text("The test backup failed.", "Das Test-Backup ist fehlgeschlagen."),
    OnboardingCause.NO_SCHEDULE: Text(
        "No backup runs by itself: every configuration is manual or paused.",
        "Kein Backup läuft von selbst: Jede Konfiguration ist manuell oder angehalten.",
    ),
    OnboardingCause.BACKUPS_UNKNOWN: Text(
        "The backup service does not answer; what it knows is asked for again automatically.",
        "Der Backup-Dienst antwortet nicht; sein Stand wird automatisch erneut erfragt.",
    ),
    OnboardingCause.OFFBOARDED: Text(
        "The tenant is being or was offboarded.", "Der Mandant wird oder wurde abgemeldet."
    ),
}

NEXT: dict[NextStep, Text] = {
    NextStep.SET_CREDENTIAL: Text(
        "Set one: tenantkeep tenant credential {profile} --tenant {tenant} --help",
        "Setzen: tenantkeep tenant credential {profile} --tenant {tenant} --help",
    ),
    NextStep.UPLOAD_CERTIFICATE: Text(
        "Upload its certificate to the app registration (tenantkeep profiles certificate {profile} --tenant {tenant}), "
        "then: tenantkeep onboard {tenant} --apps FILE, or tenantkeep token generate {profile} --client-id ID "
        "--vault-key --tenant {tenant}",
        "Sein Zertifikat in der App-Registrierung hochladen (tenantkeep profiles certificate {profile} "
        "--tenant {tenant}), dann: tenantkeep onboard {tenant} --apps DATEI oder tenantkeep token generate {profile} "
        "--client-id ID --vault-key --tenant {tenant}",
    ),
    NextStep.ASK_CONSENT: Text(
        "Ask the customer's administrator: tenantkeep tenant consent {profile} --tenant {tenant}",
        "Den Administrator des Kunden bitten: tenantkeep tenant consent {profile} --tenant {tenant}",
    ),
    NextStep.OPEN_CONSENT_LINK: Text(
        "The administrator opens the link; it works for ten minutes. A new one: tenantkeep onboard {tenant}",
        "Der Administrator öffnet den Link; er gilt zehn Minuten. Ein neuer: tenantkeep onboard {tenant}",
    ),
    NextStep.ASK_HIGHER_ROLE: Text(
        "Let a Privileged Role Administrator (or Global Administrator) open a new link: "
        "tenantkeep tenant consent {profile} --tenant {tenant}",
        "Einen Administrator für privilegierte Rollen (oder globalen Administrator) einen neuen Link öffnen lassen: "
        "tenantkeep tenant consent {profile} --tenant {tenant}",
    ),
    NextStep.CHECK_REGISTRATION: Text(
        "Check client id and redirect URI of the app registration, then ask again: "
        "tenantkeep tenant consent {profile} --tenant {tenant}",
        "Client-ID und Umleitungs-URI der App-Registrierung prüfen, dann erneut bitten: "
        "tenantkeep tenant consent {profile} --tenant {tenant}",
    ),
    NextStep.ENABLE_APP: Text(
        "An administrator of the customer enables sign-in for it: Entra admin center, Enterprise applications, "
        "Properties. It then goes on by itself.",
        "Ein Administrator des Kunden aktiviert ihre Anmeldung: Entra Admin Center, Unternehmensanwendungen, "
        "Eigenschaften. Danach geht es von selbst weiter.",
    ),
    NextStep.WAIT: Text("Nothing to do; it goes on by itself.", "Nichts zu tun; es geht von selbst weiter."),
    NextStep.CHECK_PERMISSIONS: Text(
        "The check runs by itself; see tenantkeep tenant show {tenant}",
        "Die Prüfung läuft von selbst; siehe tenantkeep tenant show {tenant}",
    ),
    NextStep.ADD_STORAGE_TARGET: Text(
        "Add one: tenantkeep storage add NAME --tenant {tenant} --help",
        "Anlegen: tenantkeep storage add NAME --tenant {tenant} --help",
    ),
    NextStep.CONFIGURE_BACKUP: Text(
        "Make one: tenantkeep backup configure nightly --target NAME --tenant {tenant}",
        "Anlegen: tenantkeep backup configure nightly --target NAME --tenant {tenant}",
    ),
    NextStep.RUN_BACKUP: Text(
        "Run one now: tenantkeep backup run NAME --wait --tenant {tenant}",
        "Jetzt starten: tenantkeep backup run NAME --wait --tenant {tenant}",
    ),
    NextStep.LOOK_AT_RUN: Text(
        "See why, correct it, run it again: tenantkeep jobs list --tenant {tenant}",
        "Ursache ansehen, beheben, erneut starten: tenantkeep jobs list --tenant {tenant}",
    ),
    NextStep.SCHEDULE_BACKUP: Text(
        'Give one a schedule: tenantkeep backup change NAME --schedule "daily 02:00" --tenant {tenant}',
        'Einen Zeitplan geben: tenantkeep backup change NAME --schedule "daily 02:00" --tenant {tenant}',
    ),
    NextStep.NOTHING: Text("Nothing to do.", "Nichts zu tun."),
}
