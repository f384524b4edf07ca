"""Routes: parse, call, return."""

from app.routers import (
    api_clients,
    audit,
    catalogue,
    customers,
    operations,
    problems,
    sign_in,
    sources,
    staff,
    stores,
    vocabulary,
)

ROUTERS = (
    sign_in.router,
    customers.router,
    stores.router,
    staff.router,
    sources.router,
    catalogue.router,
    api_clients.router,
    audit.router,
    vocabulary.router,
    operations.router,
    problems.router,
)
