"""HTTP as every route uses it: callers, problems, cursors, and failures on purpose."""
