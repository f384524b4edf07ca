"""Tests of Huike, mirroring app/."""
