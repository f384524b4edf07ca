"""Routes: parse, call, return."""

from app.routers import operations, problems, sign_in, vocabulary

ROUTERS = (
    sign_in.router,
    vocabulary.router,
    operations.router,
    problems.router,
)
