"""Files of processors and banks: which sources there are, what was imported, and the lines that were in them."""
