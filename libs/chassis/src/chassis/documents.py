"""The document store: how to connect, and how documents of several schema versions live side by side.

Every document carries `schema_version`. Migrations lead from one version to the next and never back. A process
reads documents up to one version ahead of its own (so that old workers and new planners work together during an
update) and refuses anything newer. A version may therefore add fields or stop reading some, never change a meaning.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import IndexModel
from pymongo.uri_parser import parse_uri

from chassis import tls
from chassis.settings import StoreSettings

Document = dict[str, Any]
Database = AsyncIOMotorDatabase[Document]
Collection = AsyncIOMotorCollection[Document]
Migration = Callable[[Document], Document]
"""From a document at version n to the same document at n + 1; the key of the mapping is n.

Pure, and blind to fields that version n does not have: those are left as they are.
"""

SCHEMA = "schema_version"
AHEAD = 1
"""How many versions newer than its own a process still reads."""

_PATIENCE = {"serverSelectionTimeoutMS": 5_000, "connectTimeoutMS": 5_000, "socketTimeoutMS": 30_000}
"""Waits that the URL may set otherwise."""

_BATCH = 200
_ATTEMPTS = 5


class SchemaTooNew(Exception):
    """A document was written by a newer release; `remedy` says what to do."""

    remedy = "Update this service to the release that wrote the documents, or restore the database from before it."

    def __init__(self, collection: str, found: int, version: int) -> None:
        super().__init__(
            f"{collection} holds documents of schema version {found}; this release reads up to {version + AHEAD}. "
            f"{self.remedy}"
        )
        self.collection = collection
        self.found = found
        self.version = version


class SchemaUnknown(Exception):
    """A document has no usable schema version or no migration leads on from it."""


class MigrationStuck(Exception):
    """A document changed on every attempt to migrate it."""


def connect(settings: StoreSettings, database: str) -> Database:
    """Open `database`; no call reaches the server before the first operation. Close with `db.client.close()`.

    Acknowledged means written to the journal of the majority. TLS is on, trusting `ca_file`, unless the URL says
    tls=false. Whether writes are retried is the URL's choice (SecantusDB needs retryWrites=false).
    """
    named = parse_uri(settings.mongo_url, warn=False)["options"]
    options: dict[str, Any] = {key: value for key, value in _PATIENCE.items() if key not in named}
    options |= {
        "w": "majority",
        "journal": True,
        "tz_aware": True,
        "uuidRepresentation": "standard",
        "appname": f"tenantkeep-{database}",
    }
    if named.get("tls", True):
        options |= {"tls": True, "tlsCAFile": str(settings.ca_file or tls.system_ca_file())}
    if settings.mongo_user is not None and settings.mongo_password is not None:
        options |= {
            "username": settings.mongo_user,
            "password": settings.mongo_password.get_secret_value(),
            "authMechanism": "SCRAM-SHA-256",
        }
    client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(settings.mongo_url, **options)
    return client[database]


async def open_collection(
    db: Database,
    name: str,
    version: int,
    migrations: Mapping[int, Migration],
    indexes: Sequence[IndexModel] = (),
) -> Collection:
    """Make collection `name` ready for a release that writes schema `version`.

    Creates the indexes, refuses documents that are too new (SchemaTooNew) and migrates older ones, each by one
    compare-and-set on all it holds, so that any number of replicas may start at once. Documents that an older
    replica writes later are migrated on reading, with `upgraded`.
    """
    collection = db[name]
    await ensure_indexes(collection, [IndexModel([(SCHEMA, 1)]), *indexes])
    newer = await collection.find_one({SCHEMA: {"$gt": version + AHEAD}}, {SCHEMA: 1})
    if newer is not None:
        raise SchemaTooNew(name, newer[SCHEMA], version)
    while True:
        batch = await collection.find({SCHEMA: {"$lt": version}}).limit(_BATCH).to_list(_BATCH)
        for document in batch:
            await _migrate(collection, document, version, migrations)
        if len(batch) < _BATCH:
            return collection


async def ensure_indexes(collection: Collection, indexes: Sequence[IndexModel]) -> None:
    """Create what is missing; an index of the same name and another definition is an OperationFailure."""
    if indexes:
        await collection.create_indexes(list(indexes))


def upgraded(
    document: Document, version: int, migrations: Mapping[int, Migration], collection: str = "the collection"
) -> Document:
    """Bring a document that was read to schema `version` in memory; one that is a version ahead is left as it is.

    Raises SchemaTooNew or SchemaUnknown. The argument is not changed.
    """
    found = document.get(SCHEMA)
    if not isinstance(found, int):
        raise SchemaUnknown(f"A document of {collection} carries no {SCHEMA}; it was not written by this product.")
    if found > version + AHEAD:
        raise SchemaTooNew(collection, found, version)
    for step in range(found, version):
        migration = migrations.get(step)
        if migration is None:
            raise SchemaUnknown(f"No migration leads from schema version {step} of {collection} to {step + 1}.")
        document = {**migration(dict(document)), SCHEMA: step + 1}
    return document


async def _migrate(
    collection: Collection, document: Document, version: int, migrations: Mapping[int, Migration]
) -> None:
    current: Document | None = document
    for _ in range(_ATTEMPTS):
        if current is None or current[SCHEMA] >= version:
            return  # deleted, or another replica was faster
        replacement = upgraded(current, version, migrations, collection.name)
        result = await collection.update_one(*_step(current, replacement))
        if result.matched_count == 1:
            return
        current = await collection.find_one({"_id": current["_id"]})
    raise MigrationStuck(f"A document of {collection.name} changed during {_ATTEMPTS} attempts to migrate it.")


def _step(old: Document, new: Document) -> tuple[Document, Document]:
    """Build condition and change that lead from `old` to `new` and lose nothing another process writes meanwhile.

    Every field is compared, as the migration may have read it; a field added meanwhile stays, as only differences are
    written. Comparing the document as a whole ($expr) would be simpler, but SecantusDB then reads the collection.
    """
    added = {key: {"$exists": False} for key in new if key not in old}
    condition = {key: {"$eq": value} for key, value in old.items()} | added
    change: Document = {"$set": {key: value for key, value in new.items() if key not in old or old[key] != value}}
    removed = {key: "" for key in old if key not in new}
    if removed:
        change["$unset"] = removed
    return condition, change
