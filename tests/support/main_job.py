"""The main job as a test drives it: the `tenantkeep` command against a running stack, and what lies in the storage."""

import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from stack_fixture import RunningStack, tenantkeep

from backup_engine import Repository, Tuning
from backup_engine.pack import open_trailer
from backup_service.adapters.engine_repositories import EngineRepositories
from backup_service.adapters.mongo_store import open_store
from backup_service.app import DATABASE
from backup_service.settings import BackupSettings
from chassis import documents
from chassis.clock import SystemClock
from chassis.openbao import open_vault
from tenantkeep.stack import documents as mongo
from tenantkeep.stack import nats, secrets, vault

Json = dict[str, Any]


@dataclass
class MainJob:
    """One tenant on a running stack."""

    stack: RunningStack
    folder: Path
    tenant: str = "contoso"

    def command(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> Any:
        """Run `tenantkeep … --json`; its answer. Fails on any other exit code."""
        return self._run(*arguments, "--json", codes=codes)

    def change(self, seed: int, fraction: float) -> Json:
        """Change some mail in the simulator; how many of each kind."""
        done: Json = self._run(
            "simulator", "change", "--tenant", self.tenant, "--seed", str(seed), "--fraction", str(fraction)
        )
        return done

    def _run(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> Any:
        environment = {**self.stack.environment, "TENANTKEEP_TENANT": self.tenant}
        done = tenantkeep(environment, *arguments)
        assert done.returncode in codes, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    def onboard(self, *seed: str) -> Json:
        """Seed the simulator, sign in, register the tenant with its three app profiles."""
        apps = self.folder / f"{self.tenant}.apps.json"
        seeded: Json = self.command("simulator", "seed", "--tenant", self.tenant, "--apps", str(apps), *seed)
        self.command("login")
        self.register()
        return seeded

    def register(self) -> Json:
        """Register the tenant, with a recovery key of its own; again, if need be."""
        passphrase = self.folder / "passphrase"
        passphrase.write_text("correct horse battery staple")
        key = ("--recovery-key-file", str(self.recovery_key), "--passphrase-file", str(passphrase))
        apps = self.folder / f"{self.tenant}.apps.json"
        done: Json = self.command("tenant", "add", self.tenant, "--apps", str(apps), *key)
        return done

    @property
    def recovery_key(self) -> Path:
        return self.folder / f"{self.tenant}.recovery-key"

    def configure(self, name: str, source: str = "mail") -> Json:
        """A target, and a configuration that backs one source up there."""
        self.command("storage", "add", name, "--embedded", "--prefix", name)
        options = ("--target", name, "--source", source, "--manual")
        configuration: Json = self.command("backup", "configure", name, *options)
        return configuration

    def backup(self, name: str, codes: tuple[int, ...] = (0,)) -> Json:
        """Run now and wait: `{"run": …, "jobs": […]}`."""
        done: Json = self.command("backup", "run", name, "--wait", codes=codes)
        return done

    def start_backup(self, name: str) -> "subprocess.Popen[str]":
        """Run now in the background, so that something can happen meanwhile."""
        environment = {**self.stack.environment, "TENANTKEEP_TENANT": self.tenant}
        command = [sys.executable, "-m", "tenantkeep.main", "backup", "run", name, "--wait", "--json"]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    def restore(self, point: str, to: str, codes: tuple[int, ...] = (0,)) -> Json:
        """Restore a restore point into a folder of another user's and wait: `{"run": …, "jobs": […]}`."""
        done: Json = self.command("backup", "restore", point, "--to", to, "--wait", codes=codes)
        return done

    def restore_points(self) -> list[Json]:
        answer = self.command("backup", "restore-points")
        found: list[Json] = answer["items"] if isinstance(answer, dict) else answer
        return found

    def requests(self) -> int:
        """Graph requests the simulator has answered so far."""
        routes: dict[str, int] = self.simulator("GET", "stats")["requests"]
        return sum(routes.values())

    def simulator(self, method: str, operation: str, body: Json | None = None) -> Json:
        """An operation of the simulator's control API; its answer, {} for one without a body."""
        context = ssl.create_default_context(cafile=self.stack.home.ca_bundle)
        token = (self.stack.home.root / "simulator" / "control.token").read_text().strip()
        url = f"https://127.0.0.1:{self.stack.ports['simulator']}/_simulator/{operation}"
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.request(method, url, json=body, headers=headers, verify=context, trust_env=False)
        answer.raise_for_status()
        found: Json = answer.json() if answer.content else {}
        return found

    def kill(self, process: str) -> None:
        os.kill(self.stack.pid(process), signal.SIGKILL)

    def repository(self, target: str) -> "RepositoryView":
        return RepositoryView(self.stack, self.tenant, target)


@dataclass
class RepositoryView:
    """The repository of a target, opened as backup-service would, with its own identity."""

    stack: RunningStack
    tenant: str
    target: str

    def blobs_stored_twice(self) -> int:
        """Blobs that lie in more than one place, read from the trailers of all packs."""
        return asyncio.run(self._open(_blobs_stored_twice))

    def restore_points(self) -> int:
        """How many the storage has."""
        return len(asyncio.run(self._open(Repository.snapshots)))

    def problems(self) -> list[str]:
        """Findings of a full read (V2) of every restore point."""
        return asyncio.run(self._open(_problems))

    def search_bytes(self) -> int:
        """What the search files take in the storage."""
        return int(asyncio.run(self._open(_search_bytes)))

    async def _open(self, question: Any) -> Any:
        settings = BackupSettings(**settings_of(self.stack, "backup-service"))
        db = documents.connect(settings, DATABASE)
        try:
            async with open_vault(settings, SystemClock()) as vault:
                repositories = EngineRepositories(await open_store(db), vault, settings.ca_file, Tuning())
                repository = await repositories.open(self.tenant, self.target)
                return await asyncio.to_thread(question, repository)
        finally:
            db.client.close()


def settings_of(stack: RunningStack, service: str, *, stores: bool = True) -> Json:
    """What the stack hands to a service: its own identity at the bus and, if it uses them, at the stores."""
    home, ports = stack.home, stack.ports
    found = {
        "home": home.root,
        "ca_file": home.ca_bundle,
        "health_port": 0,
        "nats_url": nats.url(ports),
        "nats_nkey": secrets.nats_seed(home, service).read_text().strip(),
    }
    if not stores:
        return found
    return {
        **found,
        "mongo_url": mongo.url(ports),
        "mongo_user": service,
        "mongo_password": secrets.mongo_password(home, service).read_text().strip(),
        "vault_url": vault.url(ports),
        "vault_role_id": service,
        "vault_secret_id": secrets.vault_secret_id(home, service).read_text().strip(),
    }


def _blobs_stored_twice(repository: Repository) -> int:
    backing = repository._backing
    stored: Counter[bytes] = Counter()
    for info in list(backing.storage.list("data/")):
        body = backing.storage.get(info.key)
        stored.update(entry.id for entry in open_trailer(backing.ring, info.key, len(body), body).blobs)
    return sum(1 for times in stored.values() if times > 1)


def _search_bytes(repository: Repository) -> int:
    return sum(info.size for info in repository._backing.storage.list("derived/"))


def _problems(repository: Repository) -> list[str]:
    return [
        f"{snapshot.shard}: {problem.kind} {problem.key}"
        for snapshot in repository.snapshots()
        for problem in repository.verify(snapshot.shard, snapshot.id, 2).problems
    ]
