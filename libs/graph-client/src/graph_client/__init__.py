"""Microsoft Graph over httpx: token seam, transport rings, delta, budgets. Usable alone."""

from graph_client.budget import Budget
from graph_client.client import GraphClient
from graph_client.clock import Clock, SystemClock
from graph_client.delta import DeltaPage, LoopGuard, Page
from graph_client.errors import (
    BadResponse,
    BodyTooLarge,
    DeltaLoop,
    Forbidden,
    GraphError,
    ItemUnreadable,
    NotFound,
    Refused,
    ResyncRequired,
    Throttled,
    TokenUnavailable,
    Unauthorized,
    Unreachable,
)
from graph_client.limits import Limits
from graph_client.messages import Request, Response, Route
from graph_client.pool import Draw, MemoryPool, Pool, PoolUnreachable, Record, Share, settle
from graph_client.retry_after import parse_retry_after, pause_asked_for
from graph_client.rings import Counters, RetryPolicy, TokenSource, Transport
from graph_client.routes import segment

__all__ = [
    "BadResponse",
    "BodyTooLarge",
    "Budget",
    "Clock",
    "Counters",
    "DeltaLoop",
    "DeltaPage",
    "Draw",
    "Forbidden",
    "GraphClient",
    "GraphError",
    "ItemUnreadable",
    "Limits",
    "LoopGuard",
    "MemoryPool",
    "NotFound",
    "Page",
    "Pool",
    "PoolUnreachable",
    "Record",
    "Refused",
    "Request",
    "Response",
    "ResyncRequired",
    "RetryPolicy",
    "Route",
    "Share",
    "SystemClock",
    "Throttled",
    "TokenSource",
    "TokenUnavailable",
    "Transport",
    "Unauthorized",
    "Unreachable",
    "parse_retry_after",
    "pause_asked_for",
    "segment",
    "settle",
]
