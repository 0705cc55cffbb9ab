"""Glaux for SQLAlchemy (`dialect`) and for Apache Superset (`superset`), over ADBC's driver for Flight SQL."""
