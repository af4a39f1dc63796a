"""Permissions of Microsoft Graph that this simulator knows, and what the app profiles ask for.

https://learn.microsoft.com/graph/permissions-reference
"""

GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"

APP_ROLES = {
    "Application.ReadWrite.All": "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9",
    "Application.Read.All": "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30",
    "AuditLog.Read.All": "b0afded3-3588-46d8-8b3d-9842eff778da",
    "Calendars.Read": "798ee544-9d2d-430c-a058-570e29e34338",
    "Calendars.ReadWrite": "ef54d2bf-783f-4e0f-bca1-3210c0444d99",
    "Contacts.Read": "089fe4d0-434a-44c5-8827-41ba8a0b17f5",
    "Contacts.ReadWrite": "6918b873-d17a-4dc1-b314-35f528134491",
    "Directory.Read.All": "7ab1d382-f21e-4acd-a863-ba3e13f7da61",
    "Domain.Read.All": "dbb9058a-0e50-45d7-ae91-66909b5d4664",
    "Files.Read.All": "01d4889c-1287-42c6-ac1f-5d1e02578ef6",
    "Files.ReadWrite.All": "75359482-378d-4052-8f01-80520e7db3cd",
    "Group.Read.All": "5b567255-7703-4780-807c-7be8301ae99b",
    "GroupMember.Read.All": "98830695-27a2-44f7-8c18-0c3ebc9698f6",
    "Mail.Read": "810c84a8-4a9e-49e6-bf7d-12d183f40d01",
    "Mail.ReadWrite": "e2a3a72e-5f79-4c64-b1b1-878b674786c9",
    "OrgContact.Read.All": "e1a88a34-94c4-4418-be12-c87b00e26bea",
    "Organization.Read.All": "498476ce-e0fe-48b0-b801-37ba7e2685c6",
    "Policy.Read.All": "246dd0d5-5bd0-4def-940b-0421030a5b68",
    "RoleAssignmentSchedule.Read.Directory": "d5fe8ce8-684c-4c83-a52c-46e882ce4be1",
    "RoleEligibilitySchedule.Read.Directory": "ff278e11-4a33-4d0c-83d2-d01dc58929a5",
    "RoleManagement.Read.Directory": "483bed4a-2ad3-4361-a73b-c83ccdbdc53c",
    "Sites.Read.All": "332a536c-c7ef-4017-ab91-336970924f0d",
    "Sites.ReadWrite.All": "9492366f-7969-46a4-8d15-ed1a20078fff",
    "User-Phone.ReadWrite.All": "86ceff06-c822-49ff-989a-d912845ffe69",
    "User.EnableDisableAccount.All": "3011c876-62b7-4ada-afa2-506cbbecc68c",
    "User.Read.All": "df021288-bdef-4463-88db-98f22de89214",
    "User.ReadWrite.All": "741f803b-c850-494e-b5df-cde7c675a1ca",
    "UserAuthMethod-Passkey.Read.All": "72e00c1d-3e3d-43bb-a0b9-c435611bb1d2",
    "UserAuthenticationMethod.Read.All": "38d9df27-64da-44fd-b7c5-a6fbac20248f",
}
ROLE_NAMES = {role_id: name for name, role_id in APP_ROLES.items()}

SCOPES = {
    "AuditLog.Read.All": "e4c9e354-4dc5-45b8-9e7c-e1393b0b1a20",
    "User.Read": "e1fe6dd8-ba31-4d61-89e7-88639da4683d",
}
"""Delegated permissions by name."""

SIGN_IN_SCOPES = frozenset({"openid", "profile", "email", "offline_access"})
"""What may always be asked for, without anybody's consent."""

PROFILES: dict[str, tuple[str, ...]] = {
    "directory": (
        "Application.Read.All",
        "AuditLog.Read.All",
        "Directory.Read.All",
        "GroupMember.Read.All",
        "User.Read.All",
        "User.ReadWrite.All",
    ),
    "exchange-backup": (
        "Calendars.Read",
        "Contacts.Read",
        "GroupMember.Read.All",
        "Mail.Read",
        "OrgContact.Read.All",
        "User.Read.All",
    ),
    "exchange-restore": ("Calendars.ReadWrite", "Contacts.ReadWrite", "Mail.ReadWrite", "User.Read.All"),
    "files-backup": ("Files.Read.All", "Sites.Read.All", "User.Read.All"),
    "files-restore": ("Files.ReadWrite.All", "Sites.ReadWrite.All", "User.Read.All"),
    "security-monitor": (
        "AuditLog.Read.All",
        "Domain.Read.All",
        "Policy.Read.All",
        "RoleAssignmentSchedule.Read.Directory",
        "RoleEligibilitySchedule.Read.Directory",
        "RoleManagement.Read.Directory",
        "User.Read.All",
        "UserAuthMethod-Passkey.Read.All",
        "UserAuthenticationMethod.Read.All",
    ),
}
"""The application permissions each app registration asks for."""

DELEGATED: dict[str, tuple[str, ...]] = {"directory": ("AuditLog.Read.All", "User.Read")}
"""The delegated permissions an app registration asks for."""

CONSENTED = ("directory", "exchange-backup", "exchange-restore")
"""What the administrator of a new tenant has consented to already."""

DIRECTORY_ROLES = {
    "global-administrator": "62e90394-69f5-4237-9190-012177145e10",
    "privileged-role-administrator": "e8611ab8-c189-46e8-94e1-60213ab1f814",
    "application-administrator": "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3",
    "cloud-application-administrator": "158c047a-c907-4556-b7ef-446551a6b5f7",
    "security-reader": "5d6b6bb7-de71-4623-b4af-96380a352509",
    "reports-reader": "4a5d8f65-41da-4de4-8968-e035b65339cf",
}
"""Template ids of directory roles (entra/identity/role-based-access-control/permissions-reference)."""

APPLICATION_CONSENT = frozenset({"global-administrator", "privileged-role-administrator"})
"""Roles that may grant application permissions of Microsoft Graph."""
DELEGATED_CONSENT = APPLICATION_CONSENT | {"application-administrator", "cloud-application-administrator"}
"""Roles that may grant delegated permissions for everybody."""

ROLES_FOR_SCOPE = {"AuditLog.Read.All": frozenset({"global-administrator", "security-reader", "reports-reader"})}
"""A delegated permission gives a person nothing that the person may not do anyway."""

READ_MAIL = frozenset({"Mail.Read", "Mail.ReadWrite"})
WRITE_MAIL = frozenset({"Mail.ReadWrite"})
READ_CONTACTS = frozenset({"Contacts.Read", "Contacts.ReadWrite"})
WRITE_CONTACTS = frozenset({"Contacts.ReadWrite"})
READ_CALENDARS = frozenset({"Calendars.Read", "Calendars.ReadWrite"})
WRITE_CALENDARS = frozenset({"Calendars.ReadWrite"})
EXCHANGE = READ_MAIL | READ_CALENDARS | READ_CONTACTS
"""Permissions whose absence Exchange answers itself."""
READ_USERS = frozenset({"User.Read.All", "User.ReadWrite.All", "Directory.Read.All"})
WRITE_USERS = frozenset({"User.ReadWrite.All", "User.EnableDisableAccount.All", "User-Phone.ReadWrite.All"})
READ_GROUPS = frozenset({"GroupMember.Read.All", "Group.Read.All", "Directory.Read.All"})
READ_ORG_CONTACTS = frozenset({"OrgContact.Read.All", "Directory.Read.All"})
READ_APPLICATIONS = frozenset({"Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All"})
WRITE_APPLICATIONS = frozenset({"Application.ReadWrite.All"})
READ_DELEGATED_GRANTS = frozenset({"Directory.Read.All"})
READ_ORGANIZATION = frozenset({"Organization.Read.All", "Directory.Read.All", "User.Read.All"})
READ_AUDIT = frozenset({"AuditLog.Read.All"})
READ_POLICIES = frozenset({"Policy.Read.All"})
READ_ROLES = frozenset({"RoleManagement.Read.Directory", "Directory.Read.All"})
READ_DOMAINS = frozenset({"Domain.Read.All", "Directory.Read.All"})
READ_METHODS = frozenset({"UserAuthenticationMethod.Read.All"})
READ_FILES = frozenset({"Files.Read.All", "Files.ReadWrite.All", "Sites.Read.All", "Sites.ReadWrite.All"})
WRITE_FILES = frozenset({"Files.ReadWrite.All", "Sites.ReadWrite.All"})
READ_SITES = frozenset({"Sites.Read.All", "Sites.ReadWrite.All"})
READ_ME = frozenset({"User.Read"})
"""What only a person's own token has; app-only calls of `/me` are refused before."""
