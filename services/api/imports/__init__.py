"""REST for files of processors and banks, which the gateway imports."""
