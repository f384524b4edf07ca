"""Routes: parse, call, return."""

from app.routers import (
    api_clients,
    audit,
    catalogue,
    channels,
    customers,
    operations,
    pos_events,
    problems,
    purchases,
    reports,
    sign_in,
    sources,
    staff,
    stores,
    tiers,
    vocabulary,
)

ROUTERS = (
    sign_in.router,
    customers.router,
    purchases.router,
    tiers.router,
    reports.router,
    pos_events.router,
    stores.router,
    staff.router,
    sources.router,
    catalogue.router,
    channels.router,
    api_clients.router,
    audit.router,
    vocabulary.router,
    operations.router,
    problems.router,
)
