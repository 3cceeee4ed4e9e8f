"""Made from the OpenAPI document by `just docs`."""
