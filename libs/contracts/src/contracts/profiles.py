"""App profiles as data: one app registration per purpose, with the least permissions for it and why each is needed.

What the profiles page shows, the permission check compares with, and a customer's administrator is asked to grant.
Names and ids of permissions: https://learn.microsoft.com/graph/permissions-reference
"""

from dataclasses import dataclass

from contracts.names import AdminRole, Feature, PermissionKind, Profile
from contracts.texts import Text

GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"
"""The client id of Microsoft Graph itself, whose permissions these are."""


@dataclass(frozen=True)
class AppPermission:
    """One permission of Microsoft Graph; without a `feature` the profile cannot do its work without it.

    `id` is what a grant names it by: the id of an app role, or of a scope when it is delegated.
    """

    name: str
    id: str
    kind: PermissionKind
    description: Text
    why: Text
    feature: Feature | None = None

    @property
    def optional(self) -> bool:
        return self.feature is not None


@dataclass(frozen=True)
class AppProfile:
    """One app registration. `in_use`: a service of this release works with its tokens."""

    profile: Profile
    purpose: Text
    permissions: tuple[AppPermission, ...]
    in_use: bool

    def of_kind(self, kind: PermissionKind) -> tuple[AppPermission, ...]:
        return tuple(permission for permission in self.permissions if permission.kind is kind)

    @property
    def required(self) -> frozenset[str]:
        """Names of the application permissions it cannot do without."""
        return frozenset(one.name for one in self.of_kind(PermissionKind.APPLICATION) if not one.optional)

    @property
    def allowed(self) -> frozenset[str]:
        """Names of all application permissions it asks for; what is granted beyond them is too much."""
        return frozenset(one.name for one in self.of_kind(PermissionKind.APPLICATION))

    @property
    def consent_role(self) -> AdminRole:
        """The least directory role that can consent (entra/identity/enterprise-apps/grant-admin-consent)."""
        if self.of_kind(PermissionKind.APPLICATION):
            return AdminRole.PRIVILEGED_ROLE_ADMINISTRATOR
        return AdminRole.APPLICATION_ADMINISTRATOR

    @property
    def registration_role(self) -> AdminRole:
        """The least directory role that can make the app registration, and consent to delegated permissions."""
        return AdminRole.APPLICATION_ADMINISTRATOR


ROLE_TEMPLATES: dict[AdminRole, str] = {
    AdminRole.GLOBAL_ADMINISTRATOR: "62e90394-69f5-4237-9190-012177145e10",
    AdminRole.PRIVILEGED_ROLE_ADMINISTRATOR: "e8611ab8-c189-46e8-94e1-60213ab1f814",
    AdminRole.APPLICATION_ADMINISTRATOR: "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3",
    AdminRole.CLOUD_APPLICATION_ADMINISTRATOR: "158c047a-c907-4556-b7ef-446551a6b5f7",
    AdminRole.SECURITY_READER: "5d6b6bb7-de71-4623-b4af-96380a352509",
    AdminRole.REPORTS_READER: "4a5d8f65-41da-4de4-8968-e035b65339cf",
}
"""Template ids of the directory roles that matter here; they are the same in every tenant."""

CONSENTING_ROLES = frozenset({AdminRole.PRIVILEGED_ROLE_ADMINISTRATOR, AdminRole.GLOBAL_ADMINISTRATOR})
"""Who may consent where application permissions of Microsoft Graph are asked for."""

SCOPE_ROLES: dict[str, frozenset[AdminRole]] = {
    "AuditLog.Read.All": frozenset(
        {AdminRole.GLOBAL_ADMINISTRATOR, AdminRole.SECURITY_READER, AdminRole.REPORTS_READER}
    ),
}
"""Delegated permissions that give a person nothing without one of these roles (graph/api/directoryaudit-list)."""


def _app(name: str, id_: str, description: Text, why: Text, feature: Feature | None = None) -> AppPermission:
    return AppPermission(name, id_, PermissionKind.APPLICATION, description, why, feature)


def _delegated(name: str, id_: str, description: Text, why: Text, feature: Feature) -> AppPermission:
    return AppPermission(name, id_, PermissionKind.DELEGATED, description, why, feature)


def _read_users(why: Text) -> AppPermission:
    description = Text("Read the profiles of all users", "Die Profile aller Benutzer lesen")
    return _app("User.Read.All", "df021288-bdef-4463-88db-98f22de89214", description, why)


def _read_group_members(why: Text, feature: Feature | None = None) -> AppPermission:
    description = Text("Read groups and their members", "Gruppen und ihre Mitglieder lesen")
    return _app("GroupMember.Read.All", "98830695-27a2-44f7-8c18-0c3ebc9698f6", description, why, feature)


def _read_audit(why: Text, feature: Feature | None = None) -> AppPermission:
    description = Text("Read sign-in and audit logs", "Anmelde- und Überwachungsprotokolle lesen")
    return _app("AuditLog.Read.All", "b0afded3-3588-46d8-8b3d-9842eff778da", description, why, feature)


_DIRECTORY = AppProfile(
    Profile.DIRECTORY,
    Text("Directory, and what was granted to all profiles", "Verzeichnis, und was allen Profilen gewährt wurde"),
    (
        _app(
            "Application.Read.All",
            "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30",
            Text("Read applications and what was granted to them", "Anwendungen und ihre Genehmigungen lesen"),
            Text(
                "The permission check reads with it what was granted to every profile.",
                "Die Berechtigungsprüfung liest damit, was jedem Profil gewährt wurde.",
            ),
        ),
        _read_users(
            Text("Keeps the list of employees in step.", "Hält die Liste der Mitarbeiter auf dem aktuellen Stand.")
        ),
        _read_group_members(
            Text("Roles follow from security groups.", "Rollen folgen aus Sicherheitsgruppen."),
        ),
        _app(
            "User.ReadWrite.All",
            "741f803b-c850-494e-b5df-cde7c675a1ca",
            Text("Read and change the profiles of all users", "Die Profile aller Benutzer lesen und ändern"),
            Text(
                "Changes of employees' data are written to Microsoft 365 first.",
                "Änderungen an Mitarbeiterdaten werden zuerst in Microsoft 365 geschrieben.",
            ),
            Feature.PROFILE_UPDATE,
        ),
        _read_audit(
            Text(
                "Tells which administrator consented, and when.",
                "Sagt, welcher Administrator wann zugestimmt hat.",
            ),
            Feature.CONSENT_GIVER,
        ),
        _app(
            "Directory.Read.All",
            "7ab1d382-f21e-4acd-a863-ba3e13f7da61",
            Text("Read the directory", "Das Verzeichnis lesen"),
            Text(
                "Microsoft asks for it where delegated grants are read.",
                "Microsoft verlangt sie, um delegierte Genehmigungen zu lesen.",
            ),
            Feature.DELEGATED_CHECK,
        ),
        _delegated(
            "User.Read",
            "e1fe6dd8-ba31-4d61-89e7-88639da4683d",
            Text("Sign in and read the own profile", "Anmelden und das eigene Profil lesen"),
            Text(
                "Tells who signed in and which directory roles the person has.",
                "Sagt, wer sich angemeldet hat und welche Verzeichnisrollen die Person hat.",
            ),
            Feature.PERSON_SIGN_IN,
        ),
        _delegated(
            "AuditLog.Read.All",
            "e4c9e354-4dc5-45b8-9e7c-e1393b0b1a20",
            Text("Read audit logs as the person", "Überwachungsprotokolle als Person lesen"),
            Text(
                "Shows whether the person may look up who consented.",
                "Zeigt, ob die Person nachsehen darf, wer zugestimmt hat.",
            ),
            Feature.PERSON_SIGN_IN,
        ),
    ),
    in_use=True,
)

_EXCHANGE_BACKUP = AppProfile(
    Profile.EXCHANGE_BACKUP,
    Text("Backup of mailboxes", "Sicherung der Postfächer"),
    (
        _read_users(Text("Finds the mailboxes.", "Findet die Postfächer.")),
        _app(
            "Mail.Read",
            "810c84a8-4a9e-49e6-bf7d-12d183f40d01",
            Text("Read the mail of all mailboxes", "Die E-Mails aller Postfächer lesen"),
            Text("Backs up mail with its attachments.", "Sichert E-Mails mit ihren Anhängen."),
        ),
        _app(
            "Calendars.Read",
            "798ee544-9d2d-430c-a058-570e29e34338",
            Text("Read the calendars of all mailboxes", "Die Kalender aller Postfächer lesen"),
            Text("Backs up calendars.", "Sichert Kalender."),
            Feature.CALENDARS,
        ),
        _app(
            "Contacts.Read",
            "089fe4d0-434a-44c5-8827-41ba8a0b17f5",
            Text("Read the contacts of all mailboxes", "Die Kontakte aller Postfächer lesen"),
            Text("Backs up contacts.", "Sichert Kontakte."),
            Feature.CONTACTS,
        ),
        _app(
            "OrgContact.Read.All",
            "e1a88a34-94c4-4418-be12-c87b00e26bea",
            Text("Read organisational contacts", "Organisationskontakte lesen"),
            Text("Part of the address book.", "Teil des Adressbuchs."),
            Feature.ADDRESS_BOOK,
        ),
        _read_group_members(
            Text("Mail groups are part of the address book.", "E-Mail-Gruppen sind Teil des Adressbuchs."),
            Feature.ADDRESS_BOOK,
        ),
    ),
    in_use=True,
)

_EXCHANGE_RESTORE = AppProfile(
    Profile.EXCHANGE_RESTORE,
    Text("Restore into mailboxes", "Wiederherstellung in Postfächer"),
    (
        _read_users(Text("Finds the mailbox to restore into.", "Findet das Zielpostfach.")),
        _app(
            "Mail.ReadWrite",
            "e2a3a72e-5f79-4c64-b1b1-878b674786c9",
            Text("Read and write the mail of all mailboxes", "Die E-Mails aller Postfächer lesen und schreiben"),
            Text("Puts mail back.", "Stellt E-Mails wieder her."),
        ),
        _app(
            "Calendars.ReadWrite",
            "ef54d2bf-783f-4e0f-bca1-3210c0444d99",
            Text("Read and write the calendars of all mailboxes", "Die Kalender aller Postfächer lesen und schreiben"),
            Text("Puts events back.", "Stellt Termine wieder her."),
            Feature.CALENDARS,
        ),
        _app(
            "Contacts.ReadWrite",
            "6918b873-d17a-4dc1-b314-35f528134491",
            Text("Read and write the contacts of all mailboxes", "Die Kontakte aller Postfächer lesen und schreiben"),
            Text("Puts contacts back.", "Stellt Kontakte wieder her."),
            Feature.CONTACTS,
        ),
    ),
    in_use=True,
)

_FILES_BACKUP = AppProfile(
    Profile.FILES_BACKUP,
    Text("Backup of OneDrive and SharePoint", "Sicherung von OneDrive und SharePoint"),
    (
        _read_users(Text("Finds the OneDrives.", "Findet die OneDrives.")),
        _app(
            "Files.Read.All",
            "01d4889c-1287-42c6-ac1f-5d1e02578ef6",
            Text("Read the files of all users and sites", "Die Dateien aller Benutzer und Websites lesen"),
            Text("Backs up files.", "Sichert Dateien."),
        ),
        _app(
            "Sites.Read.All",
            "332a536c-c7ef-4017-ab91-336970924f0d",
            Text("Read all sites and their lists", "Alle Websites und ihre Listen lesen"),
            Text(
                "Finds sites and backs up their libraries and lists.", "Findet Websites, sichert Bibliotheken, Listen."
            ),
        ),
    ),
    in_use=False,
)

_FILES_RESTORE = AppProfile(
    Profile.FILES_RESTORE,
    Text("Restore into OneDrive and SharePoint", "Wiederherstellung in OneDrive und SharePoint"),
    (
        _read_users(Text("Finds the OneDrive to restore into.", "Findet das Ziel-OneDrive.")),
        _app(
            "Files.ReadWrite.All",
            "75359482-378d-4052-8f01-80520e7db3cd",
            Text("Read and write the files of all users and sites", "Dateien aller Benutzer und Websites schreiben"),
            Text("Puts files back.", "Stellt Dateien wieder her."),
        ),
        _app(
            "Sites.ReadWrite.All",
            "9492366f-7969-46a4-8d15-ed1a20078fff",
            Text("Read and write all sites and their lists", "Alle Websites und ihre Listen lesen und schreiben"),
            Text(
                "Large files need an upload session, which Microsoft lists under this permission.",
                "Große Dateien brauchen eine Upload-Sitzung; Microsoft führt sie unter dieser Berechtigung.",
            ),
        ),
    ),
    in_use=False,
)

_SECURITY_MONITOR = AppProfile(
    Profile.SECURITY_MONITOR,
    Text("Watch over emergency accounts", "Überwachung der Notfallkonten"),
    (
        _read_users(Text("Reads the emergency accounts.", "Liest die Notfallkonten.")),
        _app(
            "RoleManagement.Read.Directory",
            "483bed4a-2ad3-4361-a73b-c83ccdbdc53c",
            Text("Read directory roles and who has them", "Verzeichnisrollen und ihre Inhaber lesen"),
            Text("Is the role permanent and active?", "Ist die Rolle dauerhaft und aktiv?"),
        ),
        _app(
            "Policy.Read.All",
            "246dd0d5-5bd0-4def-940b-0421030a5b68",
            Text("Read the organisation's policies", "Die Richtlinien der Organisation lesen"),
            Text(
                "Is one account excluded from every Conditional Access policy?",
                "Ist ein Konto von jeder Richtlinie für bedingten Zugriff ausgenommen?",
            ),
        ),
        _read_audit(Text("Sign-ins of these accounts alert.", "Anmeldungen dieser Konten lösen Alarm aus.")),
        _app(
            "UserAuthenticationMethod.Read.All",
            "38d9df27-64da-44fd-b7c5-a6fbac20248f",
            Text("Read how users may authenticate", "Authentifizierungsmethoden der Benutzer lesen"),
            Text("Is a strong method registered?", "Ist eine starke Methode registriert?"),
        ),
        _app(
            "Domain.Read.All",
            "dbb9058a-0e50-45d7-ae91-66909b5d4664",
            Text("Read the organisation's domains", "Die Domänen der Organisation lesen"),
            Text("Is the account's domain not federated?", "Ist die Domäne des Kontos nicht im Verbund?"),
        ),
        _app(
            "UserAuthMethod-Passkey.Read.All",
            "72e00c1d-3e3d-43bb-a0b9-c435611bb1d2",
            Text("Read the passkeys of users", "Die Passkeys der Benutzer lesen"),
            Text("Names the security key and its model.", "Nennt den Sicherheitsschlüssel und sein Modell."),
            Feature.PASSKEY_DETAILS,
        ),
        _app(
            "RoleEligibilitySchedule.Read.Directory",
            "ff278e11-4a33-4d0c-83d2-d01dc58929a5",
            Text("Read who is eligible for directory roles", "Lesen, wer Verzeichnisrollen aktivieren kann"),
            Text("Tells active from merely eligible.", "Unterscheidet aktiv von lediglich berechtigt."),
            Feature.ROLE_SCHEDULES,
        ),
        _app(
            "RoleAssignmentSchedule.Read.Directory",
            "d5fe8ce8-684c-4c83-a52c-46e882ce4be1",
            Text("Read the schedules of role assignments", "Zeitpläne von Rollenzuweisungen lesen"),
            Text("Tells permanent from temporary.", "Unterscheidet dauerhaft von befristet."),
            Feature.ROLE_SCHEDULES,
        ),
    ),
    in_use=False,
)

PROFILES: dict[Profile, AppProfile] = {
    each.profile: each
    for each in (
        _DIRECTORY,
        _EXCHANGE_BACKUP,
        _EXCHANGE_RESTORE,
        _FILES_BACKUP,
        _FILES_RESTORE,
        _SECURITY_MONITOR,
    )
}


def credentials_url(client_id: str) -> str:
    """Where certificates are uploaded to an app registration, for who signs in to the tenant that it lies in."""
    root = "https://entra.microsoft.com/#view/Microsoft_AAD_RegisteredApps"
    return f"{root}/ApplicationMenuBlade/~/Credentials/appId/{client_id}"


def withdraw_url(entra_tenant_id: str, client_id: str, principal_id: str | None) -> str:
    """Where the tenant's administrator finds the enterprise application in the Entra admin center.

    Without the id of the service principal it is the list of all enterprise applications, searched by client id.
    """
    root = f"https://entra.microsoft.com/{entra_tenant_id}/#view/Microsoft_AAD_IAM"
    if principal_id is None:
        return f"{root}/StartboardApplicationsMenuBlade/~/AppAppsPreview/searchText/{client_id}"
    return f"{root}/ManagedAppMenuBlade/~/Overview/objectId/{principal_id}/appId/{client_id}"
