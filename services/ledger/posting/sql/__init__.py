"""The SQL of posting: the database functions that lock and write a group, and the holds that it changes."""
