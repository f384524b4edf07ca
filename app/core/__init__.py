"""What every layer stands on: settings, database, errors, clock, logging, security, queue."""
