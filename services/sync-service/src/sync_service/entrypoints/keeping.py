"""Answers over the bus (contracts.operations.kept_directory)."""

from chassis.rpc import Call, RpcServer
from contracts.operations import kept_directory
from sync_service.usecases.keep_directory import KeepDirectory


class Keeping:
    def __init__(self, keep: KeepDirectory) -> None:
        self._keep = keep

    def bind(self, server: RpcServer) -> None:
        """Register all answers; call before the broker starts."""
        server.answer(kept_directory.DIRECTORY_EXPORT, self.export)
        server.answer(kept_directory.DIRECTORY_BRING_BACK, self.bring_back)

    async def export(self, call: Call[kept_directory.KeptOf]) -> kept_directory.KeptDirectory:
        return await self._keep.export(call.one_tenant(), call.question.cursor)

    async def bring_back(self, call: Call[kept_directory.BringBack]) -> kept_directory.BroughtBack:
        return await self._keep.bring_back(call.one_tenant(), call.question)
