import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr
from pymongo import IndexModel, MongoClient
from pymongo.errors import OperationFailure, ServerSelectionTimeoutError

from chassis.documents import (
    Database,
    Document,
    MigrationStuck,
    SchemaTooNew,
    SchemaUnknown,
    connect,
    open_collection,
    upgraded,
)
from chassis.settings import ServiceSettings
from chassis.testing.pki import ServerTls
from chassis.testing.servers import SecantusProcess

IMPATIENT = "&serverSelectionTimeoutMS=400"


@pytest.fixture
def store(settings: ServiceSettings, secantus: SecantusProcess) -> ServiceSettings:
    return as_user(settings, secantus, "alpha", "alpha-password")


@pytest.fixture
async def db(store: ServiceSettings) -> AsyncIterator[Database]:
    opened = connect(store, "alpha")
    yield opened
    for name in await opened.list_collection_names():
        await opened.drop_collection(name)
    opened.client.close()


def as_user(settings: ServiceSettings, server: SecantusProcess, user: str, password: str) -> ServiceSettings:
    update = {"mongo_url": server.url, "mongo_user": user, "mongo_password": SecretStr(password)}
    return settings.model_copy(update=update)


def rename_owner(document: Document) -> Document:
    return {**{key: value for key, value in document.items() if key != "owner"}, "tenant": document["owner"]}


def count_items(document: Document) -> Document:
    return {**document, "count": len(document["items"])}


MIGRATIONS = {1: rename_owner, 2: count_items}


class TestConnect:
    async def test_acknowledged_means_journalled_by_the_majority(self, db: Database) -> None:
        assert db.write_concern.document == {"w": "majority", "j": True}

    async def test_times_come_back_aware(self, db: Database) -> None:
        moment = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
        await db.times.insert_one({"_id": 1, "at": moment})
        found = await db.times.find_one({"_id": 1})
        assert found == {"_id": 1, "at": moment}
        assert found["at"].tzinfo is not None

    async def test_a_user_reaches_only_its_own_database(self, store: ServiceSettings) -> None:
        other = connect(store, "beta")
        with pytest.raises(OperationFailure) as refused:
            await other.things.find_one({})
        assert refused.value.code == 13
        other.client.close()

    async def test_a_wrong_password_is_refused(self, settings: ServiceSettings, secantus: SecantusProcess) -> None:
        wrong = connect(as_user(settings, secantus, "alpha", "planted-password"), "alpha")
        with pytest.raises(OperationFailure) as refused:
            await wrong.things.find_one({})
        assert "planted-password" not in str(refused.value)
        wrong.client.close()

    @pytest.mark.parametrize("hostile", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
    async def test_a_server_of_another_authority_is_refused_whatever_the_environment_says(
        self, store: ServiceSettings, other_tls: ServerTls, monkeypatch: pytest.MonkeyPatch, hostile: str
    ) -> None:
        assert store.ca_file is not None
        monkeypatch.setenv(hostile, str(store.ca_file))
        update = {"ca_file": other_tls.ca_file, "mongo_url": store.mongo_url + IMPATIENT}
        wrong = connect(store.model_copy(update=update), "alpha")
        with pytest.raises(ServerSelectionTimeoutError, match="certificate verify failed"):
            await wrong.things.find_one({})
        wrong.client.close()

    async def test_plain_text_is_not_spoken_unless_the_url_says_so(self, tmp_path: Path) -> None:
        with SecantusProcess(tmp_path / "plain") as plain:
            base = ServiceSettings(
                ca_file=None,
                health_port=0,
                nats_url="tls://unused",
                nats_nkey=SecretStr("unused"),
                mongo_url=plain.url,
                vault_url="https://unused",
                vault_role_id="unused",
                vault_secret_id=SecretStr("unused"),
            )
            opened = connect(base, "any")
            await opened.things.insert_one({"_id": 1})
            opened.client.close()
            strict = plain.url.replace("tls=false", "tls=true") + IMPATIENT
            closed = connect(base.model_copy(update={"mongo_url": strict}), "any")
            with pytest.raises(ServerSelectionTimeoutError):
                await closed.things.find_one({})
            closed.client.close()


class TestCompareAndSet:
    async def test_exactly_one_of_many_claims_wins(self, db: Database) -> None:
        await db.jobs.insert_one({"_id": 1, "version": 0})

        async def claim(worker: int) -> bool:
            change = {"$set": {"worker": worker}, "$inc": {"version": 1}}
            return (await db.jobs.update_one({"_id": 1, "version": 0}, change)).matched_count == 1

        won = await asyncio.gather(*(claim(worker) for worker in range(20)))
        assert won.count(True) == 1
        assert await db.jobs.find_one({"_id": 1}) == {"_id": 1, "version": 1, "worker": won.index(True)}


class TestSchemaVersions:
    async def test_older_documents_are_migrated_step_by_step(self, db: Database) -> None:
        await db.things.insert_many(
            [
                {"_id": 1, "schema_version": 1, "owner": "contoso", "items": [1, 2]},
                {"_id": 2, "schema_version": 2, "tenant": "fabrikam", "items": []},
                {"_id": 3, "schema_version": 3, "tenant": "adatum", "items": [], "count": 0},
            ]
        )
        things = await open_collection(db, "things", 3, MIGRATIONS)
        found = {document["_id"]: document async for document in things.find({})}
        assert found == {
            1: {"_id": 1, "schema_version": 3, "tenant": "contoso", "items": [1, 2], "count": 2},
            2: {"_id": 2, "schema_version": 3, "tenant": "fabrikam", "items": [], "count": 0},
            3: {"_id": 3, "schema_version": 3, "tenant": "adatum", "items": [], "count": 0},
        }

    async def test_replicas_may_start_at_once(self, db: Database) -> None:
        count = 450  # more than two batches
        await db.things.insert_many(
            {"_id": number, "schema_version": 1, "owner": "contoso", "items": []} for number in range(count)
        )
        await asyncio.gather(*(open_collection(db, "things", 3, MIGRATIONS) for _ in range(2)))
        migrated = await db.things.find({"schema_version": 3, "tenant": "contoso"}).to_list(None)
        assert len(migrated) == count

    @pytest.mark.parametrize(
        ("meanwhile", "tenant"),
        [({"note": "kept"}, "contoso"), ({"note": "kept", "owner": "fabrikam"}, "fabrikam")],
    )
    async def test_a_change_made_during_the_migration_is_kept(
        self,
        db: Database,
        secantus: SecantusProcess,
        server_tls: ServerTls,
        meanwhile: Document,
        tenant: str,
    ) -> None:
        await db.things.insert_one({"_id": 1, "schema_version": 1, "owner": "contoso", "items": []})
        interrupted: list[int] = []

        def interrupt(document: Document) -> Document:
            if not interrupted:
                interrupted.append(1)
                write_as_another_process(secantus, server_tls, {"$set": meanwhile})
            return rename_owner(document)

        things = await open_collection(db, "things", 2, {1: interrupt})
        assert await things.find_one({"_id": 1}) == {
            "_id": 1,
            "schema_version": 2,
            "tenant": tenant,
            "items": [],
            "note": "kept",
        }

    async def test_a_document_that_never_holds_still_is_an_error(
        self, db: Database, secantus: SecantusProcess, server_tls: ServerTls
    ) -> None:
        await db.things.insert_one({"_id": 1, "schema_version": 1, "owner": "contoso", "items": []})

        def disturb(document: Document) -> Document:
            write_as_another_process(secantus, server_tls, {"$push": {"items": 1}})
            return rename_owner(document)

        with pytest.raises(MigrationStuck):
            await open_collection(db, "things", 2, {1: disturb})

    async def test_one_version_ahead_is_read_and_two_are_refused_with_the_remedy(self, db: Database) -> None:
        await db.things.insert_one({"_id": 1, "schema_version": 4})
        things = await open_collection(db, "things", 3, MIGRATIONS)
        assert await things.find_one({"_id": 1}) == {"_id": 1, "schema_version": 4}
        with pytest.raises(SchemaTooNew, match="Update this service") as refused:
            await open_collection(db, "things", 2, MIGRATIONS)
        assert (refused.value.collection, refused.value.found, refused.value.version) == ("things", 4, 2)

    async def test_indexes_are_created_once_and_unique_ones_hold(self, db: Database) -> None:
        unique = [IndexModel([("tenant", 1), ("slug", 1)], unique=True, name="one-slug-per-tenant")]
        for _ in range(2):
            things = await open_collection(db, "things", 1, {}, unique)
        assert "one-slug-per-tenant" in await things.index_information()
        await things.insert_one({"_id": 1, "schema_version": 1, "tenant": "contoso", "slug": "a"})
        with pytest.raises(OperationFailure):
            await things.insert_one({"_id": 2, "schema_version": 1, "tenant": "contoso", "slug": "a"})

    @pytest.mark.parametrize(
        ("document", "error"),
        [
            ({"_id": 1}, SchemaUnknown),
            ({"_id": 1, "schema_version": "1"}, SchemaUnknown),
            ({"_id": 1, "schema_version": 0}, SchemaUnknown),
            ({"_id": 1, "schema_version": 5}, SchemaTooNew),
        ],
    )
    def test_what_cannot_be_understood_is_refused(self, document: Document, error: type[Exception]) -> None:
        with pytest.raises(error):
            upgraded(document, 3, MIGRATIONS)

    def test_upgrading_in_memory_leaves_the_argument_alone(self) -> None:
        old: Mapping[str, object] = {"_id": 1, "schema_version": 1, "owner": "contoso", "items": [7]}
        given = dict(old)
        assert upgraded(given, 3, MIGRATIONS)["count"] == 1
        assert given == old


def write_as_another_process(server: SecantusProcess, server_tls: ServerTls, change: Document) -> None:
    client: MongoClient[Document] = MongoClient(
        server.url, tls=True, tlsCAFile=str(server_tls.ca_file), username="alpha", password="alpha-password"
    )
    with closing(client):
        client.alpha.things.update_one({"_id": 1}, change)
