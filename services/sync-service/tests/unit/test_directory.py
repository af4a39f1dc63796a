"""What Microsoft 365 tells a sync: one suite for the fake and for Graph, simulated."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from sync_fakes.directory import MemoryDirectory
from sync_fakes.simulated import SimulatedDirectory

from sync_service.ports import CursorExpired, Directories, Directory, UserPage

NOBODY = "00000000-0000-4000-8000-000000000000"


class Tenant(Directories, Protocol):
    def put(self, user: str, *, guest: bool = False, **fields: Any) -> str: ...

    def delete(self, user: str) -> None: ...

    def add_group(self, name: str, *, security: bool = True) -> str: ...

    def enrol(self, group: str, member: str, *, leave: bool = False) -> None: ...

    def remove_group(self, group: str) -> None: ...

    def void_links(self) -> None: ...


class MemoryTenant(MemoryDirectory):
    """Gives names like the simulated one."""

    def put(self, user: str, *, guest: bool = False, **fields: Any) -> str:  # type: ignore[override] # gives the id
        super().put(user, guest=guest, **({} if user in self.users else {"display_name": user}), **fields)
        return user

    def add_group(self, name: str, *, security: bool = True) -> str:  # type: ignore[override] # chooses the id
        group = f"group-{len(self.groups)}"
        super().add_group(group, name, security=security)
        return group


@pytest.fixture(params=["memory", "graph"])
def tenant(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tenant]:
    if request.param == "memory":
        yield MemoryTenant()
        return
    simulated = SimulatedDirectory(tmp_path)
    yield simulated
    simulated.close()


@pytest.fixture
async def directory(tenant: Tenant) -> AsyncIterator[Directory]:
    async with tenant.open("contoso") as opened:
        yield opened


async def walk(directory: Directory, link: str | None) -> tuple[list[UserPage], str]:
    pages = [page async for page in directory.pages(link)]
    assert [page.delta_link is None for page in pages] == [True] * (len(pages) - 1) + [False]
    assert all((page.next_link is None) != (page.delta_link is None) for page in pages)
    last = pages[-1].delta_link
    assert last is not None
    return pages, last


def told(pages: list[UserPage]) -> dict[str, dict[str, Any]]:
    return {user.id: dict(user.given) for page in pages for user in page.users}


async def test_a_first_round_tells_everything_of_everybody(tenant: Tenant, directory: Directory) -> None:
    anna = tenant.put("anna", primary_mail="anna@contoso.example", business_phones=("+49 1",), city="Bonn")
    guest = tenant.put("gast", guest=True)
    pages, link = await walk(directory, None)
    users = {user.id: user for page in pages for user in page.users}
    fields = users[anna].whole()
    assert (fields.display_name, fields.primary_mail, fields.city) == ("anna", "anna@contoso.example", "Bonn")
    assert (fields.business_phones, fields.account_enabled, fields.department) == (("+49 1",), True, None)
    assert (users[anna].guest, users[guest].guest) == (False, True)
    again, _ = await walk(directory, link)
    assert (told(again), [page.removed for page in again]) == ({}, [()])


async def test_a_later_round_tells_what_changed_and_who_is_gone(tenant: Tenant, directory: Directory) -> None:
    anna = tenant.put("anna", primary_mail="anna@contoso.example", city="Bonn")
    bert, carl = tenant.put("bert"), tenant.put("carl")
    _, link = await walk(directory, None)
    tenant.put(anna, city=None, department="Sales")
    tenant.delete(bert)
    dora = tenant.put("dora", primary_mail="dora@contoso.example")
    pages, _ = await walk(directory, link)
    users = told(pages)
    assert set(users) == {anna, dora}
    assert (users[anna]["city"], users[anna]["department"]) == (None, "Sales")
    assert users[dora]["primary_mail"] == "dora@contoso.example"
    assert [gone for page in pages for gone in page.removed] == [bert]
    assert carl not in users


async def test_a_void_link_is_told(tenant: Tenant, directory: Directory) -> None:
    tenant.put("anna")
    _, link = await walk(directory, None)
    groups = (await directory.groups_since(None)).link
    tenant.void_links()
    with pytest.raises(CursorExpired):
        await walk(directory, link)
    tenant.void_links()
    with pytest.raises(CursorExpired):
        await directory.groups_since(groups)


async def test_a_user_is_told_whole_or_is_not_there(tenant: Tenant, directory: Directory) -> None:
    anna = tenant.put("anna", primary_mail="anna@contoso.example", account_enabled=False)
    found = await directory.user(anna)
    assert found is not None
    fields = found.whole()
    assert (fields.primary_mail, fields.account_enabled, fields.city) == ("anna@contoso.example", False, None)
    tenant.delete(anna)
    assert await directory.user(anna) is None
    assert await directory.user(NOBODY) is None


async def test_a_change_of_any_group_or_its_members_is_told_once(tenant: Tenant, directory: Directory) -> None:
    anna, group = tenant.put("anna"), tenant.add_group("Team")
    first = await directory.groups_since(None)
    assert not first.changed
    assert not (await directory.groups_since(first.link)).changed
    tenant.enrol(group, anna)
    second = await directory.groups_since(first.link)
    assert second.changed
    assert not (await directory.groups_since(second.link)).changed
    tenant.enrol(group, anna, leave=True)
    third = await directory.groups_since(second.link)
    assert third.changed
    tenant.remove_group(group)
    assert (await directory.groups_since(third.link)).changed


async def test_a_group_is_found_by_its_name_whatever_the_case(tenant: Tenant, directory: Directory) -> None:
    group = tenant.add_group("Team O'Hara")
    tenant.add_group("Team O'Hara", security=False)
    assert await directory.groups_named("team o'hara") == (group,)
    assert await directory.groups_named("Team") == ()
    assert await directory.group_is_named(group, "TEAM O'HARA")
    assert not await directory.group_is_named(group, "Team")
    tenant.remove_group(group)
    assert not await directory.group_is_named(group, "Team O'Hara")


async def test_members_are_users_in_groups_in_groups(tenant: Tenant, directory: Directory) -> None:
    anna, bert = tenant.put("anna"), tenant.put("bert")
    outer, inner = tenant.add_group("Outer"), tenant.add_group("Inner")
    tenant.enrol(outer, inner)
    tenant.enrol(inner, anna)
    tenant.enrol(inner, outer)
    tenant.enrol(outer, bert)
    assert await directory.members(outer) == {anna, bert}
    assert await directory.groups_of(anna) == {outer, inner}
    tenant.delete(bert)
    assert await directory.members(outer) == {anna}


async def test_who_is_gone_has_no_members_and_no_groups(tenant: Tenant, directory: Directory) -> None:
    """Somebody may delete a group or a user between two requests of one sync."""
    group = tenant.add_group("Team")
    tenant.enrol(group, tenant.put("anna"))
    tenant.remove_group(group)
    assert await directory.members(group) == frozenset()
    assert await directory.groups_of(NOBODY) == frozenset()
