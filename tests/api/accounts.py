"""Changes of users beneath a gateway that runs, as another admin makes them."""

from __future__ import annotations

from dataclasses import replace

from gateway.app import Gateway
from gateway.orchestration.access.changes import remove_user
from gateway.orchestration.common.contract import Role
from gateway.orchestration.common.directory import KeptUser
from gateway.store.model import Resource


async def user_of(gateway: Gateway, name: str) -> Resource:
    user = gateway.room.directory.users.get(name)
    assert user is not None, name
    resource = await gateway.store.get(user.path)
    assert resource is not None
    return resource


async def set_role(gateway: Gateway, name: str, role: Role | str) -> None:
    user = await user_of(gateway, name)
    async with gateway.store.transaction() as transaction:
        await transaction.update(user.with_document(role=str(role)))


async def set_hash(gateway: Gateway, name: str, hashed: str) -> None:
    user = await user_of(gateway, name)
    async with gateway.store.transaction() as transaction:
        await transaction.update(replace(KeptUser.of(user), hash=hashed).on(user))


async def remove(gateway: Gateway, *names: str) -> None:
    for name in names:
        user = await user_of(gateway, name)
        async with gateway.store.transaction() as transaction:
            await remove_user(transaction, user)
