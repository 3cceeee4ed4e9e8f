"""Vocabulary (money, ids, time, errors, contracts) and transport (messaging, database, HTTP) that all services share."""
