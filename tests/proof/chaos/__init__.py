"""Faults of every kind under load, an audit of all that was accepted, and a check of what clients saw: `just chaos`.

From below: `history` (what clients saw, and whether one payment can have been so), `schedule` (which fault when, made of a seed),
`sites` (where the servers are), `faults` (how each is caused and ended), `load` (payments by careful clients), `audit` (what
must hold afterwards) and `run`.
"""
