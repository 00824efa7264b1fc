"""Dagster's web pages behind a check: who may ask, from where, and with which token."""
