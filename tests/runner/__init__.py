"""Checks and tests of the project, a step after the other."""
