"""Questions about the sign-in of a person at Microsoft."""

from pydantic import Field

from contracts.operations.base import Operation, Question
from contracts.sign_in import SignedInPerson, SignInLink


class StartSignIn(Question):
    redirect_uri: str = Field(pattern=r"^https://[^\s]+$", max_length=300)


class FinishSignIn(Question):
    """What the browser posted, as anybody may have written it: `state` is looked up, the code is redeemed.

    Without code verifier and credential, which are in the vault, the code opens nothing, and no stream keeps it.
    """

    state: str = Field(min_length=1, max_length=200)
    code: str = Field(default="", max_length=4000, repr=False)
    error: str = Field(default="", max_length=200)
    error_description: str = Field(default="", max_length=2000)


SIGN_IN_START = Operation("token-service", "sign-in.start", StartSignIn, SignInLink)
SIGN_IN_FINISH = Operation("token-service", "sign-in.finish", FinishSignIn, SignedInPerson)

SIGN_IN_OPERATIONS = (SIGN_IN_START, SIGN_IN_FINISH)
