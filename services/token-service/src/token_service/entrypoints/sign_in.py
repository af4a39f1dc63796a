"""Answers about the sign-in of people."""

from chassis.rpc import Call, RpcServer
from contracts.operations import sign_in as operations
from contracts.sign_in import SignedInPerson, SignInLink
from token_service.usecases.sign_in import SignIn


class SignInQuestions:
    def __init__(self, sign_in: SignIn) -> None:
        self._sign_in = sign_in

    def bind(self, server: RpcServer) -> None:
        server.answer(operations.SIGN_IN_START, self.start)
        server.answer(operations.SIGN_IN_FINISH, self.finish)

    async def start(self, call: Call[operations.StartSignIn]) -> SignInLink:
        return await self._sign_in.start(call.one_tenant(), call.question.redirect_uri)

    async def finish(self, call: Call[operations.FinishSignIn]) -> SignedInPerson:
        """Who asks is a browser without a token of ours: the state is the only proof."""
        return await self._sign_in.finish(call.one_tenant(), call.question)
