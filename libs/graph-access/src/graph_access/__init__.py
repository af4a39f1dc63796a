"""How a service of ours comes to Microsoft Graph for a tenant."""

from graph_access.access import GraphAccess, GraphAddress

__all__ = ["GraphAccess", "GraphAddress"]
