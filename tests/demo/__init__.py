"""Tests of the demo chain's figures and plausibility; no database."""
