"""What depends on country and language, wrapping libraries."""
