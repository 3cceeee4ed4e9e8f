"""Changes the code a little, many times, and looks whether a test notices: `just mutate --sample 25 --seed 1`."""
