"""HTTP only: dependencies, problems, pagination, preconditions, idempotency, middleware."""
