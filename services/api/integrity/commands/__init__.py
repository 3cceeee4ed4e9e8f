"""What verifies, signs and exports the sealed changes."""
