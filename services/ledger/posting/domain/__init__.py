"""Deciding a group of instructions. Pure."""
