"""Application permissions of Microsoft Graph that this simulator knows, and what the app profiles are given.

https://learn.microsoft.com/graph/permissions-reference
"""

GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"

APP_ROLES = {
    "Application.Read.All": "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30",
    "Calendars.Read": "798ee544-9d2d-430c-a058-570e29e34338",
    "Calendars.ReadWrite": "ef54d2bf-783f-4e0f-bca1-3210c0444d99",
    "Contacts.Read": "089fe4d0-434a-44c5-8827-41ba8a0b17f5",
    "Contacts.ReadWrite": "6918b873-d17a-4dc1-b314-35f528134491",
    "Directory.Read.All": "7ab1d382-f21e-4acd-a863-ba3e13f7da61",
    "Group.Read.All": "5b567255-7703-4780-807c-7be8301ae99b",
    "GroupMember.Read.All": "98830695-27a2-44f7-8c18-0c3ebc9698f6",
    "Mail.Read": "810c84a8-4a9e-49e6-bf7d-12d183f40d01",
    "Mail.ReadWrite": "e2a3a72e-5f79-4c64-b1b1-878b674786c9",
    "OrgContact.Read.All": "e1a88a34-94c4-4418-be12-c87b00e26bea",
    "Organization.Read.All": "498476ce-e0fe-48b0-b801-37ba7e2685c6",
    "User-Phone.ReadWrite.All": "86ceff06-c822-49ff-989a-d912845ffe69",
    "User.EnableDisableAccount.All": "3011c876-62b7-4ada-afa2-506cbbecc68c",
    "User.Read.All": "df021288-bdef-4463-88db-98f22de89214",
    "User.ReadWrite.All": "741f803b-c850-494e-b5df-cde7c675a1ca",
}
ROLE_NAMES = {role_id: name for name, role_id in APP_ROLES.items()}

PROFILES: dict[str, tuple[str, ...]] = {
    "directory": ("Application.Read.All", "GroupMember.Read.All", "User.Read.All", "User.ReadWrite.All"),
    "exchange-backup": (
        "Calendars.Read",
        "Contacts.Read",
        "GroupMember.Read.All",
        "Mail.Read",
        "OrgContact.Read.All",
        "User.Read.All",
    ),
    "exchange-restore": ("Calendars.ReadWrite", "Contacts.ReadWrite", "Mail.ReadWrite", "User.Read.All"),
}

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
READ_APPLICATIONS = frozenset({"Application.Read.All", "Directory.Read.All"})
READ_ORGANIZATION = frozenset({"Organization.Read.All", "Directory.Read.All", "User.Read.All"})
