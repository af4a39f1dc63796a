"""Who is signed in where: one 0600 file in the state folder, and bearer tokens that renew themselves."""

import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError

from contracts.texts import Text
from tenantkeep.commands import trust
from tenantkeep.commands.errors import CommandError, Unreachable
from tenantkeep.exit_codes import ExitCode
from tenantkeep.stack import files, issuer, secrets
from tenantkeep.stack import ports as stack_ports
from tenantkeep.stack.home import Home

_RENEW_BEFORE = 60.0
_TIMEOUT = 10.0


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EmbeddedSession(_Record):
    """Signed in at the stack of the state folder; its addresses are looked up at every use, as ports may change."""

    kind: Literal["embedded"] = "embedded"


class RemoteSession(_Record):
    """Signed in elsewhere. The client secret stays in its file, only the path is kept."""

    kind: Literal["remote"] = "remote"
    url: str
    issuer: str
    client_id: str
    client_secret_file: Path
    scope: str = ""
    ca_file: Path | None = None


Session = Annotated[EmbeddedSession | RemoteSession, Field(discriminator="kind")]
_SESSION: TypeAdapter[EmbeddedSession | RemoteSession] = TypeAdapter(Session)


@dataclass(frozen=True)
class Access:
    """What a session means right now: where the gateway is, who issues tokens, and whom to trust."""

    url: str
    issuer: str
    client_id: str
    client_secret: SecretStr
    ca_file: Path | None
    scope: str = ""


def path(home: Home) -> Path:
    return home.root / "cli" / "session.json"


def save(home: Home, session: EmbeddedSession | RemoteSession) -> None:
    folder = path(home).parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    files.write_json(path(home), session.model_dump(mode="json"), mode=files.SECRET_MODE)


def load(home: Home) -> EmbeddedSession | RemoteSession:
    """The stored session; not being signed in is exit code 5."""
    try:
        return _SESSION.validate_json(path(home).read_bytes())
    except FileNotFoundError:
        raise CommandError(
            Text("You are not signed in.", "Sie sind nicht angemeldet."),
            _SIGN_IN,
            ExitCode.NOT_AUTHORISED,
            code="login",
        ) from None
    except ValidationError as error:
        raise CommandError(
            Text(f"{path(home)} cannot be read.", f"{path(home)} ist nicht lesbar."),
            _SIGN_IN,
            ExitCode.NOT_AUTHORISED,
            code="login",
        ) from error


def access(home: Home, session: EmbeddedSession | RemoteSession, ca_file: Path | None) -> Access:
    """Resolve a session; `ca_file` (from TENANTKEEP_CA_FILE) wins over what the session says."""
    if isinstance(session, EmbeddedSession):
        ports = stack_ports.running(home)
        operator = secrets.read_pair(secrets.operator_client(home))
        return Access(
            f"https://127.0.0.1:{ports['gateway']}",
            issuer.url(ports),
            operator["client_id"],
            SecretStr(operator["client_secret"]),
            ca_file or home.ca_bundle,
        )
    return Access(
        session.url,
        session.issuer,
        session.client_id,
        _secret(session.client_secret_file),
        ca_file or session.ca_file,
        session.scope,
    )


def _secret(file: Path) -> SecretStr:
    try:
        return SecretStr(file.read_text().strip())
    except OSError as error:
        raise CommandError(
            Text(f"The client secret {file} cannot be read.", f"Das Client-Secret {file} ist nicht lesbar."),
            Text("Sign in with --client-secret-file FILE.", "Mit --client-secret-file DATEI anmelden."),
            ExitCode.USAGE,
            code="login",
        ) from error


@dataclass
class Bearer(httpx.Auth):
    """Adds a bearer token to each request, renewed a minute before it ends and once more on a 401."""

    access: Access
    _token: str = field(default="", repr=False)
    _ends: float = 0.0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if time.monotonic() > self._ends - _RENEW_BEFORE:
            self.renew()
        request.headers["authorization"] = f"Bearer {self._token}"
        answer = yield request
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self.renew()
            request.headers["authorization"] = f"Bearer {self._token}"
            yield request

    def renew(self) -> None:
        """Get a token from the issuer (client credentials)."""
        form = {
            "grant_type": "client_credentials",
            "client_id": self.access.client_id,
            "client_secret": self.access.client_secret.get_secret_value(),
        }
        if self.access.scope:
            form["scope"] = self.access.scope
        with httpx.Client(verify=trust.context(self.access.ca_file), trust_env=False, timeout=_TIMEOUT) as http:
            try:
                answer = http.post(_token_endpoint(http, self.access.issuer), data=form)
            except httpx.TransportError as error:
                raise _no_answer(self.access.issuer, error) from error
        granted = _granted(answer)
        self._token, self._ends = granted.access_token.get_secret_value(), time.monotonic() + granted.expires_in


class _Granted(BaseModel):
    """RFC 6749 §5.1."""

    access_token: SecretStr
    expires_in: float = 300


def _token_endpoint(http: httpx.Client, at: str) -> str:
    """OpenID Connect Discovery §4; the issuer must be named exactly as it names itself."""
    answer = http.get(f"{at.rstrip('/')}/.well-known/openid-configuration")
    try:
        found = answer.raise_for_status().json()
        endpoint, named = str(found["token_endpoint"]), str(found["issuer"])
    except (httpx.HTTPStatusError, ValueError, KeyError, TypeError) as error:
        raise _login_failed(f"{at} offers no OpenID discovery") from error
    if named.rstrip("/") != at.rstrip("/") or not endpoint.startswith("https://"):
        raise _login_failed(f"{at} describes another issuer ({named})")
    return endpoint


def _granted(answer: httpx.Response) -> _Granted:
    if answer.status_code == httpx.codes.OK:
        try:
            return _Granted.model_validate_json(answer.content)
        except ValidationError:
            raise _login_failed("the answer of the issuer holds no access token") from None
    try:
        reason = str(answer.json().get("error", ""))
    except (ValueError, AttributeError):
        reason = ""
    raise _login_failed(f"the issuer answers {answer.status_code} {reason}".strip())


def _login_failed(reason: str) -> CommandError:
    message = Text(f"Signing in failed: {reason}.", f"Die Anmeldung ist fehlgeschlagen: {reason}.")
    remedy = Text(
        "Check issuer, client id and secret, then: tenantkeep login",
        "Issuer, Client-ID und Secret prüfen, dann: tenantkeep login",
    )
    return CommandError(message, remedy, ExitCode.NOT_AUTHORISED, code="login")


def _no_answer(server: str, error: httpx.TransportError) -> Unreachable:
    reason = type(error).__name__
    return Unreachable(
        Text(f"{server} does not answer ({reason}).", f"{server} antwortet nicht ({reason})."),
        Text("Is the stack running? tenantkeep status", "Läuft der Stack? tenantkeep status"),
        code="unreachable",
    )


_SIGN_IN = Text(
    "For the embedded stack: tenantkeep login. Otherwise: tenantkeep login --url https://… --issuer https://… …",
    "Am eingebetteten Stack: tenantkeep login. Sonst: tenantkeep login --url https://… --issuer https://… …",
)
